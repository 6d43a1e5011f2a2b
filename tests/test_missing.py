"""What is missing: told row by row and step by step, and hidden, left out or filled as one wishes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.impute import KNNImputer

from mmfuse.cli import main
from mmfuse.data.align import check_labels, require_aligned
from mmfuse.data.columns import Stored
from mmfuse.data.fill import fill, suits
from mmfuse.encoders.identity import Identity
from mmfuse.encoders.learned_token import LearnedToken
from mmfuse.errors import DataError
from mmfuse.prepare.features import Features
from mmfuse.types import Ragged, Signal

NAN = float("nan")


def ragged(*rows):
    """Rows of steps of one feature each; NaN is a missing step."""
    data = torch.tensor([step for row in rows for step in row]).view(-1, 1)
    return Ragged(data, torch.tensor([len(row) for row in rows]), data.isfinite()[:, 0])


class TestHoles:
    def test_a_batch_hides_missing_steps(self):
        data, mask = Stored(ragged([1.0, NAN, 3.0], [], [4.0])).batch(torch.tensor([2, 0, 1]))
        assert mask.tolist() == [[True, False, False], [True, False, True], [False] * 3]
        assert data[..., 0].tolist() == [[4.0, 0.0, 0.0], [1.0, 0.0, 3.0], [0.0] * 3]

    def test_a_row_of_missing_steps_lacks_the_modality(self):
        assert ragged([1.0, NAN], [NAN, NAN], []).present.tolist() == [True, False, False]


class TestFill:
    ZEROS = {"x": torch.zeros(1)}

    @pytest.mark.parametrize(("how", "value"), [("zero", 0.0), ("mean", 4.0), ("median", 2.0)])
    def test_by_a_figure_of_the_training_rows(self, how, value):
        """Rows 0 to 2 train: 1, 2 and 9, of mean 4 and median 2; row 3 does not."""
        found = fill({"x": ragged([1.0, NAN], [2.0], [9.0], [70.0], [])}, self.ZEROS, [0, 1, 2], how)["x"]
        assert found.data[:, 0].tolist() == [1.0, value, 2.0, 9.0, 70.0, value]
        assert found.lengths.tolist() == [2, 1, 1, 1, 1]
        assert found.mask is None

    def test_zero_is_zero_in_the_features_own_unit(self):
        features = Features()
        features.fit([np.array([3.0]), np.array([5.0])])  # mean 4, deviation 1
        assert features.zero().tolist() == [-4.0]

    def test_silence_is_as_long_as_the_median_sound(self):
        sounds = Ragged(torch.ones(9), torch.tensor([3, 0, 1, 5]))
        found = fill({"x": sounds}, {"x": torch.zeros(())}, [0, 2, 3], "zero")["x"]
        assert found.lengths.tolist() == [3, 3, 1, 5]
        assert found.data.tolist() == [1.0] * 3 + [0.0] * 3 + [1.0] * 6

    def test_a_mean_picture(self):
        pictures = Ragged(torch.tensor([[0, 100], [50, 200]], dtype=torch.uint8), torch.tensor([1, 1, 0]))
        found = fill({"x": pictures}, {"x": torch.zeros(())}, [0, 1], "mean")["x"]
        assert found.data[2].tolist() == [25, 150]

    def test_by_neighbours_is_scikit_learns_over_all_modalities_side_by_side(self, random):
        x, y = random.standard_normal((12, 2)), random.standard_normal((12, 3))
        x[3, 1] = y[5] = x[10] = np.nan
        lengths = torch.ones(12, dtype=torch.long)
        columns = {m: Ragged(torch.from_numpy(v.astype(np.float32)), lengths) for m, v in (("x", x), ("y", y))}
        found = fill(columns, {}, range(9), "neighbours")
        wanted = KNNImputer(n_neighbors=5).fit(np.hstack([x, y])[:9]).transform(np.hstack([x, y]))
        np.testing.assert_allclose(np.hstack([found["x"].data, found["y"].data]), wanted, rtol=1e-5)

    def test_words_have_no_mean(self):
        with pytest.raises(ValueError, match="'review' is of kind text"):
            suits("mean", {"pose": "vector", "review": "text"})

    def test_a_learned_step_stands_for_the_modality_and_for_nothing_else(self):
        encoder = LearnedToken(Identity(2))
        mask = torch.tensor([[True, True], [False, False]])
        data = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[NAN, NAN], [NAN, NAN]]])
        found = encoder(Signal(data, mask))
        assert found.mask.tolist() == [[True, True], [True, False]]
        assert torch.equal(found.data[0], data[0])
        assert torch.equal(found.data[1, 0], encoder.token)
        found.data[found.mask].sum().backward()
        assert encoder.token.grad.tolist() == [1.0, 1.0]


class TestAligned:
    def test_unequal_steps_are_named_with_their_row(self):
        columns = {"text": Stored(ragged([1.0], [1.0, 2.0])), "audio": Stored(ragged([], [1.0]))}
        with pytest.raises(DataError, match="'text' and 'audio'; the first: row 1 with 2 and 1"):
            require_aligned(columns, ["text", "audio"])

    def test_labels_are_as_many_as_steps(self):
        column = Stored(ragged([1.0, 2.0], [], [1.0]))
        check_labels([np.array([0, 1]), np.array([1, 1, 1]), None], column, "tags", "text")
        with pytest.raises(DataError, match="row 2: 2 labels for the 1 steps of 'text'"):
            check_labels([None, None, np.array([0, 1])], column, "tags", "text")


@pytest.fixture
def table(tmp_path, monkeypatch, random):
    """40 rows of a vector and a number; every fifth lacks the vector, row 3 has NaN for the number."""
    monkeypatch.chdir(tmp_path)
    label = np.arange(40) % 2
    vectors = [json.dumps(list(random.standard_normal(2) + k)) for k in label]
    rows = pd.DataFrame({"pose": vectors, "load": random.standard_normal(40), "label": label})
    rows.loc[::5, "pose"] = ""
    rows["load"] = rows["load"].astype(str)
    rows.loc[3, "load"] = "NaN"
    rows.to_csv("rows.csv", index=False)


MODALITIES = "dataset.modalities={pose: {kind: vector}, load: {kind: vector, columns: [load]}}"


@pytest.mark.parametrize(
    ("typed", "tested", "said"),
    [
        (["policy=mask"], 8, "8 missing -> masked"),
        (["policy=drop"], None, "8 missing -> left out"),
        (["policy=fill"], 8, "8 missing -> filled by mean"),
        (["policy=fill", "fill=token"], 8, "8 missing -> filled by token"),
    ],
)
def test_each_way_trains_and_says_what_it_did(table, capsys, typed, tested, said):
    typed = [f"dataset.missing.{t}" for t in typed]
    about = ["dataset=table", "dataset.file=rows.csv", MODALITIES, "dataset.tasks={label: {kind: multiclass}}"]
    assert main(["train", *about, *typed, "trainer.max_epochs=1", "bootstrap=10", "threads=1"]) == 0
    assert said in capsys.readouterr().out
    (folder,) = [f for f in Path("outputs").iterdir() if not f.is_symlink()]
    rows = pd.read_parquet(folder / "seed-0" / "predictions.parquet")["row"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data"]["missing"] == {"pose": 8, "load": 1}
    if tested is None:  # those left out are 0, 5, 10, ... and 3
        assert not set(rows) & {3, *range(0, 40, 5)}
        assert sum(manifest["data"]["splits"][0][part] for part in ("train", "val", "test")) == 31
    else:
        assert len(rows) == tested
