"""Sheets for people to judge, and how far those who judged agree."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from test_compare import CLASSES, made

from mmfuse.cli import main
from mmfuse.errors import DataError
from mmfuse.metrics import agreement

PUBLISHED = [  # 10 subjects, 14 raters, 5 categories: https://en.wikipedia.org/wiki/Fleiss%27_kappa, kappa .210
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


@pytest.fixture
def run(tmp_path):
    """A run of 100 tested rows, 20 of which it has wrong."""
    return made(tmp_path / "run", seeds={0: {n: (n + 1) % 3 for n in range(20)}}, rows=100)


def filled(place, rows, labels, **more):
    with open(place, "w", newline="") as file:
        writer = csv.DictWriter(file, ["row", "rating", *more])
        writer.writeheader()
        for n, (row, label) in enumerate(zip(rows, labels, strict=True)):
            writer.writerow({"row": row, "rating": label, **{name: values[n] for name, values in more.items()}})
    return place


def test_fleiss_is_that_of_the_published_example():
    assert agreement.fleiss(np.array(PUBLISHED), np.ones((1, 10)))[0] == pytest.approx(0.210, abs=5e-4)


def test_fleiss_is_that_of_statsmodels_on_any_draw_of_the_rows(random):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    votes = random.multinomial(5, [0.5, 0.3, 0.2], size=30)
    counts = random.multinomial(30, np.full(30, 1 / 30), size=4).astype(float)
    expected = [inter_rater.fleiss_kappa(np.repeat(votes, each.astype(int), axis=0)) for each in counts]
    assert agreement.fleiss(votes, counts) == pytest.approx(np.array(expected))


def test_cohen_is_that_of_scikit_learn_on_any_draw_of_the_rows(random):
    a, b = random.integers(4, size=(2, 50))
    counts = random.multinomial(50, np.full(50, 1 / 50), size=4).astype(float)
    expected = [cohen_kappa_score(*(np.repeat(x, each.astype(int)) for x in (a, b))) for each in counts]
    assert agreement.cohen(a, b, counts, 4) == pytest.approx(np.array(expected))


def test_raters_who_all_say_the_same_of_every_row_have_no_kappa():
    assert np.isnan(agreement.fleiss(np.array([[3, 0], [3, 0]]), np.ones((1, 2)))[0])


def test_a_sheet_has_right_and_wrong_by_their_shares_and_says_neither_when_blind(run, tmp_path):
    place = tmp_path / "sheet.csv"
    assert main(["compare", str(run), "--review", "20", "--blind", "-o", str(place)]) == 0
    sheet = pd.read_csv(place)
    assert list(sheet.columns) == ["row", "id", "task", "rating", "note"]
    assert len(sheet) == sheet["row"].nunique() == 20
    tested = pd.read_parquet(run / "seed-0" / "predictions.parquet").set_index("row").loc[sheet["row"]]
    assert (tested["mood/target"] != tested["mood/predicted"]).sum() == 4  # of 20 in 100
    assert main(["compare", str(run), "--review", "20", "-o", str(place)]) == 0
    assert {"target", "predicted"} < set(pd.read_csv(place).columns)
    assert pd.read_csv(place)["row"].tolist() == sheet["row"].tolist()  # seeded
    assert main(["compare", str(run), "--review", "20", "--seed", "1", "-o", str(place)]) == 0
    assert pd.read_csv(place)["row"].tolist() != sheet["row"].tolist()


def test_raters_are_read_back(run, tmp_path, capsys):
    """Targets go by row number modulo 3, and the model has rows 0 to 19 wrong."""
    rows = list(range(10, 30))
    ann = filled(tmp_path / "ann.csv", rows, [CLASSES[row % 3] for row in rows])
    bob = filled(tmp_path / "bob.csv", rows, [CLASSES[0].upper()] * 19 + [""])
    out = tmp_path / "said.json"
    assert main(["compare", str(run), "--ratings", str(ann), str(bob), "-o", str(out)]) == 0
    said = json.loads(out.read_text())
    assert said["raters"]["ann"]["accuracy"]["value"] == 1
    assert said["raters"]["ann"]["agrees with the model"]["value"] == 0.5  # rows 20 to 29
    assert said["raters"]["bob"]["empty"] == 1
    assert said["raters"]["bob"]["accuracy"]["value"] == pytest.approx(6 / 19)  # rows 12, 15, ..., 27
    assert said["model"]["value"] == 0.5
    assert said["cohen"]["ann and bob"]["value"] == 0  # one who always says the same agrees by chance only
    low, high = said["raters"]["bob"]["accuracy"]["ci95"]
    assert 0 < low < 6 / 19 < high < 1


def test_one_sheet_may_hold_several_raters(tmp_path, capsys):
    place = filled(tmp_path / "all.csv", [1, 2, 1, 2], ["x", "y", "x", "x"], rater=["ann", "ann", "bob", "bob"])
    assert main(["compare", "--ratings", str(place)]) == 0
    said = capsys.readouterr().out
    assert "ann   2 rated" in said
    assert "Cohen's kappa, ann and bob   .000" in said  # half agree; by chance .5 x 1 + .5 x 0 would


@pytest.mark.parametrize(
    ("rows", "labels", "more", "said"),
    [
        ([1, 2], ["happy", "angry"], {}, "row 2: 'angry' is no class"),
        ([1, 1], ["happy", "sad"], {}, "has rated row 1 before"),
        ([1, 999], ["happy", "sad"], {}, "row 999 is none of the run's labelled test rows"),
        ([1, 2], ["", ""], {}, "every rating is empty"),
        (["one"], ["happy"], {}, "row 'one' is no number"),
    ],
)
def test_bad_sheets_are_refused(run, tmp_path, capsys, rows, labels, more, said):
    place = filled(tmp_path / "ann.csv", rows, labels, **more)
    assert main(["compare", str(run), "--ratings", str(place)]) == DataError.exit_code
    assert said in capsys.readouterr().err


def test_a_sheet_without_ratings_names_its_columns(tmp_path, capsys):
    (tmp_path / "ann.csv").write_text("row,ratings\n1,x\n")
    assert main(["compare", "--ratings", str(tmp_path / "ann.csv")]) == DataError.exit_code
    said = capsys.readouterr().err
    assert "there is no column 'rating'" in said
    assert "did you mean 'ratings'?" in said


def test_a_spreadsheet_may_have_used_semicolons_and_made_numbers_of_rows(tmp_path, capsys):
    (tmp_path / "ann.csv").write_text("﻿row;rating;note\n1.0;x;\n2.0;x;good, though\n", encoding="utf-8")
    assert main(["compare", "--ratings", str(tmp_path / "ann.csv")]) == 0
    assert "ann   2 rated" in capsys.readouterr().out
