"""Finished runs side by side. The runs are folders written by hand, whose answers are known row by row."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from mmfuse.cli import main
from mmfuse.compare.comparison import comparison
from mmfuse.compare.drawn import whole
from mmfuse.compare.effects import effects
from mmfuse.compare.formats.terminal import terminal
from mmfuse.compare.judges import judge
from mmfuse.errors import ConfigError
from mmfuse.metrics.paired import Scored
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.sentiment import Sentiment

CLASSES = ["happy", "sad", "calm"]
MANIFEST = {"created": "2026-01-01T00:00:00+0000", "versions": {"mmfuse": "0.1.0"}}


def made(folder, seeds, rows=60, state="done", data="one", ids="one", created=None, name=None, cfg=None, targets=None):
    """A run whose row n is of class n modulo 3, and is answered so, but for what `seeds` says of a seed's rows."""
    folder.mkdir(parents=True)
    target = np.arange(rows) % 3 if targets is None else np.asarray(targets)
    config = {
        "name": name,
        "output_dir": "outputs",
        "seed": min(seeds),
        "seeds": list(seeds),
        "folds": None,
        "modalities": ["text", "image"],
        "tasks": ["mood"],
        "dataset": {"_target_": "nobody.Knows", "split": {"group": None}, "modalities": {"text": 1, "image": 1}},
        "encoder": {"text": {"name": "bag", "dim": 8}, "image": {"name": "cnn", "dim": 8}},
        "fusion": {"_target_": "mmfuse.fusion.gated.GatedFusion", "dim": 16, "gate_input": "raw"},
        "optimizer": {"lr": 0.001},
        "bootstrap": 400,
        "threads": None,
        "choices": {"fusion": "gated", "dataset": "moods"},
    }
    for key, value in (cfg or {}).items():
        put(config, key, value)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "status.json").write_text(json.dumps({"state": state}))
    if state != "done":
        return folder
    accuracy, f1 = [], []
    for seed, wrong in seeds.items():
        said = target.copy()
        for row, label in wrong.items():
            said[row] = label
        answers = np.full((rows, 3), 0.1)
        answers[np.arange(rows), said] = 0.8
        place = folder / f"seed-{seed}"
        place.mkdir()
        np.savez(
            place / "answers.npz",
            **{"test|mood|rows": np.arange(rows), "test|mood|answers": answers, "test|mood|targets": target},
        )
        (place / "tasks.json").write_text(json.dumps({"mood": {"kind": "Multiclass", "classes": CLASSES}}))
        columns = {"row": np.arange(rows), "id": [str(n) for n in range(rows)]}
        columns |= {"mood/target": [CLASSES[k] for k in target], "mood/predicted": [CLASSES[k] for k in said]}
        columns |= {f"mood/p({name})": answers[:, k] for k, name in enumerate(CLASSES)}
        pd.DataFrame(columns).to_parquet(place / "predictions.parquet")
        accuracy.append(accuracy_score(target, said))
        f1.append(f1_score(target, said, average="macro"))
    figures = {
        n: {"mean": float(np.mean(v)), "std": None, "ci95": [float(min(v)) - 0.01, float(max(v)) + 0.01], "values": v}
        for n, v in (("accuracy", accuracy), ("f1_macro", f1), ("ece", [0.1 + a / 10 for a in accuracy]))
    }
    (folder / "metrics.json").write_text(json.dumps({"test": {"mood": {**figures, "per_class": {}, "confusion": {}}}}))
    about = {"rows": 3 * rows, "fingerprint": data, "splits": [{"test": rows, "ids": ids}]}
    manifest = MANIFEST | {"data": about} | ({"created": created} if created else {})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def put(config, key, value):
    *path, last = key.split(".")
    for part in path:
        config = config.setdefault(part, {})
    config[last] = value


def wrong(*rows):
    return {row: (row + 1) % 3 for row in rows}


def lines(places, **options):
    table = comparison(list(places), **options).tables[0]
    return {line.row.label: line for line in table.lines}, table


def test_runs_that_differ_only_in_seeds_are_one_row(tmp_path):
    made(tmp_path / "a", {0: wrong(0, 1, 2)}, cfg={"output_dir": "elsewhere", "threads": 4})
    made(tmp_path / "b", {1: wrong(0), 2: wrong()})
    found, table = lines([tmp_path])
    (line,) = found.values()
    figure = line.figures["accuracy"]
    values = [57 / 60, 59 / 60, 1.0]
    assert sorted(figure.values) == pytest.approx(values)
    assert figure.mean == pytest.approx(np.mean(values))
    assert figure.std == pytest.approx(np.std(values, ddof=1))
    assert line.row.seeds == [0, 1, 2]
    assert table.columns == []


def test_the_interval_of_several_runs_is_that_of_their_mean_over_draws_of_the_rows(tmp_path):
    """Of accuracy it has a known deviation: that of a mean over rows."""
    random = np.random.default_rng(0)
    errors = [wrong(*np.flatnonzero(random.random(300) < 0.3).tolist()) for _ in range(2)]
    for seed, each in enumerate(errors):
        made(tmp_path / f"{seed}", {seed: each}, rows=300)
    (line,), _ = (list(each.values()) if isinstance(each, dict) else each for each in lines([tmp_path], samples=4000))
    right = np.mean([[row not in each for row in range(300)] for each in errors], axis=0)
    half = 1.96 * right.std() / np.sqrt(300)
    figure = line.figures["accuracy"]
    assert figure.low == pytest.approx(right.mean() - half, abs=0.01)
    assert figure.high == pytest.approx(right.mean() + half, abs=0.01)


def test_a_seed_that_is_there_twice_counts_once(tmp_path):
    made(tmp_path / "old", {0: wrong(*range(30))}, created="2026-01-01T00:00:00+0000")
    made(tmp_path / "new", {0: wrong(0)}, created="2026-02-01T00:00:00+0000")
    about = comparison([tmp_path])
    assert about.tables[0].lines[0].figures["accuracy"].values == pytest.approx([59 / 60])
    assert any("1 of its 2 models repeat a seed" in note for note in about.notes)


def test_only_settings_that_differ_are_columns_by_their_shortest_name(tmp_path):
    concat = {"choices.fusion": "concat", "fusion": {"_target_": "mmfuse.fusion.concat.ConcatFusion"}}
    made(tmp_path / "a", {0: {}}, cfg={"optimizer.lr": 0.01})
    made(tmp_path / "b", {0: {}}, cfg={"fusion.dim": 32})
    made(tmp_path / "c", {0: {}}, cfg=concat)
    found, table = lines([tmp_path])
    assert table.columns == ["fusion", "fusion.dim", "lr"]  # other parts have a dim, and gate_input goes with gated
    assert found["a"].settings == ["gated", "16", "0.01"]
    assert found["b"].settings == ["gated", "32", "0.001"]
    assert found["c"].settings == ["concat", "–", "0.001"]


def test_fewer_modalities_are_one_column_and_not_one_for_each_key_of_the_encoder(tmp_path):
    made(tmp_path / "a", {0: {}})
    made(tmp_path / "b", {0: {}}, cfg={"modalities": ["text"], "encoder": {"text": {"name": "bag", "dim": 8}}})
    _, table = lines([tmp_path])
    assert table.columns == ["modalities"]


def test_an_encoder_is_a_column_by_its_name(tmp_path):
    made(tmp_path / "a", {0: {}})
    made(tmp_path / "b", {0: {}}, cfg={"encoder.text": {"name": "bert", "dim": 768, "freeze": True}})
    found, table = lines([tmp_path])
    assert table.columns == ["encoder.text"]
    assert [line.settings for line in found.values()] == [["bag"], ["bert"]]


def test_two_models_are_tested_by_mcnemar_and_the_family_by_holm(tmp_path):
    """Against `ref`, `few` has 5 of 21 rows for itself; p is scipy's, and published: .0266037."""
    made(tmp_path / "ref", {0: wrong(*range(5))})
    made(tmp_path / "few", {0: wrong(*range(5, 21))})
    made(tmp_path / "same", {0: wrong(*range(5))}, cfg={"optimizer.lr": 0.1})
    put_apart(tmp_path / "few", 0.01)
    found, _ = lines([tmp_path], reference="ref", metrics=["accuracy"])
    test = found["few"].tests["accuracy"]
    assert test.p == pytest.approx(stats.binomtest(5, 21, 0.5).pvalue) == pytest.approx(0.0266037, abs=1e-7)
    assert test.p_holm == pytest.approx(2 * test.p)
    assert test.difference == pytest.approx(-11 / 60)
    assert found["same"].tests["accuracy"].p_holm == 1
    assert found["ref"].tests == {}


def put_apart(folder, lr):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["optimizer"]["lr"] = lr
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_several_seeds_are_tested_together_on_the_same_draws(tmp_path):
    """The difference of means over rows has a known deviation, and what can be found follows from it."""
    random = np.random.default_rng(1)
    draw = lambda share: wrong(*np.flatnonzero(random.random(300) < share).tolist())  # noqa: E731
    ours, theirs = {0: draw(0.2), 1: draw(0.2), 2: draw(0.2)}, {0: draw(0.3), 1: draw(0.3)}
    made(tmp_path / "ours", ours, rows=300, cfg={"optimizer.lr": 0.1})
    made(tmp_path / "theirs", theirs, rows=300)
    found, _ = lines([tmp_path], reference="theirs", samples=4000)
    test = found["ours"].tests["accuracy"]
    a, b = (np.mean([[r not in each for r in range(300)] for each in s.values()], axis=0) for s in (ours, theirs))
    spread = (a - b).std() / np.sqrt(300)
    assert test.difference == pytest.approx((a - b).mean())
    assert (test.low, test.high) == pytest.approx(
        ((a - b).mean() - 1.96 * spread, (a - b).mean() + 1.96 * spread), abs=0.01
    )
    assert test.detectable == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * spread, rel=0.1)
    assert set(found["ours"].tests) == {"accuracy", "f1_macro"}


@pytest.mark.parametrize(
    ("other", "said"), [({"data": "two"}, "other data"), ({"ids": "two"}, "other rows in its splits")]
)
def test_runs_on_other_rows_are_told_apart_and_not_tested(tmp_path, other, said):
    made(tmp_path / "a", {0: wrong(1)})
    made(tmp_path / "b", {0: wrong(2)}, cfg={"optimizer.lr": 0.1})
    made(tmp_path / "c", {0: wrong(3)}, cfg={"optimizer.lr": 0.2}, **other)
    about = comparison([tmp_path], reference="a")
    found = {line.row.label: line for line in about.tables[0].lines}
    assert [found[name].data for name in "abc"] == ["A", "A", "B"]
    assert found["b"].tests
    assert not found["c"].tests
    assert f"not tested against a: c: {said}" in about.notes


def test_a_run_that_hears_less_of_the_same_rows_is_tested(tmp_path):
    made(tmp_path / "a", {0: wrong(1)})
    made(tmp_path / "b", {0: wrong(2)}, data="of fewer columns", cfg={"modalities": ["text"]})
    assert lines([tmp_path], reference="a")[0]["b"].tests


def test_other_labels_of_the_same_rows_are_not_tested(tmp_path):
    made(tmp_path / "a", {0: {}})
    made(tmp_path / "b", {0: {}}, cfg={"optimizer.lr": 0.1}, targets=np.arange(60)[::-1] % 3)
    about = comparison([tmp_path], reference="a")
    assert "not tested against a: b: its tested rows or their labels are others" in about.notes


def test_rows_of_a_group_are_drawn_together_or_it_is_said_that_they_cannot_be(tmp_path):
    made(tmp_path / "a", {0: {}}, cfg={"dataset.split.group": "speaker"})
    made(tmp_path / "b", {0: wrong(1)}, cfg={"dataset.split.group": "speaker", "optimizer.lr": 0.1})
    notes = comparison([tmp_path], reference="a").notes
    assert any("they come in groups (speaker), which its answers.npz does not tell" in note for note in notes)


def test_groups_are_what_is_drawn(tmp_path):
    """Sixty rows of three speakers are three units: all of one speaker wrong is no evidence at all."""
    speaker = {"dataset.split.group": "speaker"}
    for folder in (
        made(tmp_path / "a", {0: {}}, cfg=speaker),
        made(tmp_path / "b", {0: wrong(*range(20))}, cfg=speaker | {"optimizer.lr": 0.1}),
    ):
        with np.load(folder / "seed-0/answers.npz") as arrays:
            known = dict(arrays)
        np.savez(folder / "seed-0/answers.npz", **known, **{"test|mood|groups": np.arange(60) // 20})
    test = lines([tmp_path], reference="a", metrics=["accuracy"])[0]["b"].tests["accuracy"]
    assert stats.binomtest(0, 20, 0.5).pvalue < 1e-5 < 0.1 < test.p


def test_less_is_better_of_some_figures(tmp_path):
    made(tmp_path / "a", {0: wrong(*range(10))})
    made(tmp_path / "b", {0: {}}, cfg={"optimizer.lr": 0.1})
    _, table = lines([tmp_path], metrics=["ece", "accuracy"])
    assert [line.row.label for line in table.lines] == ["a", "b"]  # the lower first
    assert [line.row.label for line in table.best("ece")] == ["a"]
    assert [line.row.label for line in table.best("accuracy")] == ["b"]


def test_unfinished_runs_are_named_and_left_out(tmp_path, capsys):
    made(tmp_path / "a", {0: {}})
    made(tmp_path / "b", {0: {}}, state="running")
    made(tmp_path / "c", {0: {}})
    (tmp_path / "c" / "metrics.json").write_text("{")
    made(tmp_path / "d", {0: {}}, state="preempted")
    pruned = {"trial": 1, "pruner": "median", "epochs": 1, "metric": "val/f1_macro", "value": 0.25}
    (tmp_path / "d" / "pruned.json").write_text(json.dumps(pruned))
    (tmp_path / "latest").symlink_to("a")
    assert main(["compare", str(tmp_path), str(tmp_path / "latest")]) == 0
    said = capsys.readouterr().out
    assert "left out, for they are not finished: b (running), c (damaged" in said
    assert "d (pruned by median after 1 epoch, val/f1_macro 0.25)" in said
    assert said.count("\n a ") == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--ref", "nobody"], "--ref nobody: it is not among the runs"),
        (["--metric", "acuracy"], "did you mean 'accuracy'?"),
        (["--task", "mod"], "did you mean 'mood'?"),
        (["--sort", "learning"], "--sort learning: there is no such column"),
        (["-o", "nowhere/x.md"], "there is no folder nowhere"),
        (["-o", "x.docx"], "what kind of file is this?"),
        (["--samples", "0"], "at least 1 is needed"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, capsys, typed, said):
    made(tmp_path / "a", {0: {}})
    assert main(["compare", str(tmp_path), *typed]) == ConfigError.exit_code
    assert said in capsys.readouterr().err


def test_folders_without_runs_are_refused(tmp_path, capsys):
    assert main(["compare", str(tmp_path / "none")]) == ConfigError.exit_code
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["compare", str(tmp_path)]) == ConfigError.exit_code
    assert "holds none" in capsys.readouterr().err
    made(tmp_path / "a", {0: {}}, state="failed")
    assert main(["compare", str(tmp_path)]) == ConfigError.exit_code
    assert "none of these runs is finished: a (failed)" in capsys.readouterr().err


def test_formats_hold_the_same_figures(tmp_path, capsys):
    made(tmp_path / "a_1", {0: wrong(*range(6)), 1: {}})
    made(tmp_path / "b|2", {0: {}, 1: {}}, cfg={"optimizer.lr": 0.1})
    texts = {}
    for kind in ("table", "md", "csv", "tex", "json"):
        assert main(["compare", str(tmp_path), "--ref", "a_1", "--format", kind]) == 0
        texts[kind] = capsys.readouterr().out
    record = json.loads(texts["json"])["tasks"]["mood"]
    assert record[1]["figures"]["accuracy"]["mean"] == pytest.approx(0.95)
    assert record[0]["tests"]["accuracy"]["difference"] == pytest.approx(0.05)
    table = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert float(table[1]["accuracy_mean"]) == pytest.approx(0.95)
    assert float(table[0]["accuracy_difference"]) == pytest.approx(0.05)
    assert "**1.000 ± .000" in texts["md"]
    assert r"b\|2" in texts["md"]
    assert r"\textbf{1.000 $\pm$ .000" in texts["tex"]
    assert r"a\_1" in texts["tex"]
    assert ".950 ± .071" in texts["table"]  # .9 and 1


def test_the_page_holds_table_axes_effects_and_what_failed(tmp_path, capsys):
    for n in range(4):
        values = {"optimizer.lr": [0.1, 0.2][n % 2], "fusion.dim": [8, 16][n // 2]}
        made(tmp_path / f"r{n}", {0: wrong(*range(3 * n))}, cfg=values)
    made(tmp_path / "bad<b>", {0: {}}, state="failed")
    out = tmp_path / "page.html"
    assert main(["compare", str(tmp_path), "-o", str(out)]) == 0
    page = out.read_text()
    assert "bad<b>" not in page
    assert "bad&lt;b&gt;" in page
    assert "parallel-mood" in page
    assert "effects-mood" in page


def test_main_effects_are_means_over_the_other_settings(tmp_path):
    for n in range(4):
        values = {"optimizer.lr": [0.1, 0.2][n % 2], "fusion.dim": [8, 16][n // 2]}
        made(tmp_path / f"r{n}", {0: wrong(*range(6 * n))}, cfg=values)  # accuracy 1, .9, .8, .7
    _, table = lines([tmp_path])
    found = {(e.setting, e.value): e.mean for e in effects(table.columns, table.lines, "accuracy")}
    expected = {("lr", "0.1"): 0.9, ("lr", "0.2"): 0.8, ("fusion.dim", "8"): 0.95, ("fusion.dim", "16"): 0.75}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression", "sentiment", "pairs"])
def test_answers_are_judged_as_the_tasks_judge_them(random, kind):
    """Without torch, and with rows that have no label."""
    codes = random.standard_normal((40, 2, 4))
    labels = (random.random((40, 3)) < 0.5).astype(float)
    labels[0] = np.nan
    number = random.uniform(-3, 3, 40)
    number[0] = np.nan
    one = random.integers(-1, 3, 40)
    names = list("abc")
    task, answer, target = {
        "multiclass": (Multiclass(names), random.dirichlet(np.ones(3), 40), one),
        "multilabel": (Multilabel(names), random.random((40, 3)), labels),
        "regression": (Regression(), random.uniform(-3, 3, 40), number),
        "sentiment": (Sentiment(), random.uniform(-3, 3, 40), number),
        "pairs": (
            Pairs(["x", "y"]),
            (codes / np.linalg.norm(codes, axis=2, keepdims=True)).reshape(40, 8),
            np.arange(40),
        ),
    }[kind]
    expected = task.score(answer, target)
    about = {"kind": type(task).__name__, "classes": names, "between": ["x", "y"]}
    for wanted in (["accuracy", "auroc"], ["accuracy", "ece"]):
        ours = judge(about, wanted)
        assert ours is not None
        found = whole(ours, [(None, Scored(np.arange(40), answer, target))])
        assert "auroc" in found or "ece" in found or kind != "multiclass"
        assert found == pytest.approx({name: expected[name] for name in found}, nan_ok=True)


def test_torch_stays_out_of_it(tmp_path):
    made(tmp_path / "a", {0: wrong(1), 1: {}})
    made(tmp_path / "b", {0: {}}, cfg={"optimizer.lr": 0.1})
    code = "import sys; from mmfuse.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    typed = [sys.executable, "-c", code, "compare", str(tmp_path), "--ref", "a"]
    assert subprocess.run(typed, capture_output=True, timeout=60).returncode == 0


def test_folds_are_models_of_one_row_and_tested_fold_by_fold(tmp_path):
    """Two folds of 60 rows each: the second run has 6 more wrong in one of them, which is .05 of the mean."""
    for name, errors, rate in (("a", wrong(), 0.1), ("b", wrong(*range(6)), 0.2)):
        made(tmp_path / name, {0: {}, 1: errors}, cfg={"optimizer.lr": rate})
        for fold in (0, 1):
            (tmp_path / name / f"seed-{fold}").rename(tmp_path / name / f"seed-0-fold-{fold}")
        config = yaml.safe_load((tmp_path / name / "config.yaml").read_text()) | {"seeds": [0], "folds": 2}
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config))
    found, _ = lines([tmp_path], reference="a")
    assert found["b"].figures["accuracy"].values == pytest.approx([1.0, 0.9])
    assert found["b"].tests["accuracy"].difference == pytest.approx(-0.05)


def test_a_name_that_two_rows_have_is_no_reference(tmp_path, capsys):
    made(tmp_path / "a", {0: {}}, name="twin")
    made(tmp_path / "b", {0: {}}, name="twin", cfg={"optimizer.lr": 0.1})
    assert main(["compare", str(tmp_path), "--ref", "twin"]) == ConfigError.exit_code
    assert "2 rows go by this name" in capsys.readouterr().err


def test_one_run_is_a_table_of_one(tmp_path, capsys):
    made(tmp_path / "a", {0: wrong(*range(6))})
    assert main(["compare", str(tmp_path / "a"), "--ref", str(tmp_path / "a")]) == 0
    assert ".900 [.890, .910]" in capsys.readouterr().out


def test_a_narrow_terminal_breaks_no_figure(tmp_path):
    made(tmp_path / "a-name-that-is-much-longer-than-it-needs-to-be", {0: wrong(*range(6)), 1: {}})
    made(tmp_path / "b", {0: {}, 1: {}}, cfg={"optimizer.lr": 0.1})
    shown = terminal(comparison([tmp_path], metrics=["accuracy"]), width=50)
    assert max(map(len, shown.splitlines())) <= 50
    assert ".950 ± .071\n" in shown
    assert "[.890, 1.010]\n" in shown
    assert ".950 ± .071 [.890, 1.010]" in terminal(comparison([tmp_path], metrics=["accuracy"]), width=150)
