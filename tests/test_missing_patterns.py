"""Values hidden on purpose: as many as asked, the same for the same seed, and used again from a file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_models as tiny
import torch

from mmfuse.cli import main
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored, Streamed
from mmfuse.data.hide import hide
from mmfuse.data.pattern import Pattern, drawn
from mmfuse.errors import ConfigError, DataError
from mmfuse.run.prepare import divide, load, prepare
from mmfuse.run.streaming import refuse_for_streams
from mmfuse.types import Ragged


class TestDrawn:
    @pytest.mark.parametrize(("rows", "modalities"), [(200, 2), (101, 3), (60, 6)])
    @pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5])
    def test_the_rate_is_the_one_asked_for_and_no_row_loses_all(self, rows, modalities, rate):
        mask = drawn(np.ones((rows, modalities), dtype=bool), rate, seed=3)
        assert 1 - mask.sum() / (rows * modalities) == pytest.approx(rate, abs=0.51 / (rows * modalities))
        assert mask.any(axis=1).all()

    def test_at_the_highest_rate_each_row_has_one_modality(self):
        mask = drawn(np.ones((90, 3), dtype=bool), 2 / 3, seed=0)
        assert (mask.sum(axis=1) == 1).all()
        assert (np.abs(mask.sum(axis=0) - 30) < 5 * np.sqrt(90 * 2 / 9)).all()  # no modality is favoured

    def test_more_than_that_cannot_be_hidden(self):
        with pytest.raises(ConfigError, match="no more than") as caught:
            drawn(np.ones((90, 3), dtype=bool), 0.7, seed=0)
        assert "0.667 of all values" in str(caught.value)
        assert "to go on: dataset.missing.rate=0.66" in str(caught.value)

    def test_modalities_lose_alike(self):
        lost = 1 - drawn(np.ones((4000, 4), dtype=bool), 0.4, seed=1).mean(axis=0)
        assert (np.abs(lost - 0.4) < 5 * np.sqrt(0.24 / 4000)).all()

    def test_same_seed_same_pattern(self):
        whole = np.ones((50, 3), dtype=bool)
        assert (drawn(whole, 0.4, seed=5) == drawn(whole, 0.4, seed=5)).all()
        assert (drawn(whole, 0.4, seed=5) != drawn(whole, 0.4, seed=6)).any()

    def test_on_top_of_what_is_missing(self, random):
        present = random.random((300, 3)) < 0.6
        mask = drawn(present, 0.25, seed=0)
        assert (present & ~mask).sum() == round(0.25 * present.sum())
        assert not (~mask & ~present).any()
        assert ((present & mask).any(axis=1) == present.any(axis=1)).all()


class TestFile:
    PATTERN = Pattern(["a", "b", "c"], ["text", "audio"], np.array([[1, 0], [0, 1], [1, 1]], dtype=bool))

    def test_rows_are_matched_by_id_and_modalities_by_name(self, tmp_path):
        self.PATTERN.save(tmp_path / "missing.npz")
        found = Pattern.load(tmp_path / "missing.npz").of(["c", "a"], ["audio", "text"])
        assert found.mask.tolist() == [[True, True], [False, True]]
        assert [file.name for file in tmp_path.iterdir()] == ["missing.npz"]

    def test_other_data_are_refused(self):
        with pytest.raises(DataError, match="no row 'x', nor 1 others of 3; its first is 'a'"):
            self.PATTERN.of(["a", "x", "y"], ["text"])
        with pytest.raises(
            ConfigError, match=r"no modality 'image'; it has text, audio\n  to go on: modalities=\[text\]"
        ):
            self.PATTERN.of(["a"], ["text", "image"])

    @pytest.mark.parametrize("content", [None, b"id,text\n1,0\n", b"PK\x03\x04"])
    def test_other_files_are_refused(self, tmp_path, content):
        if content is not None:
            (tmp_path / "rows.npz").write_bytes(content)
        with pytest.raises(ConfigError, match=r"not a pattern of missing rows(.|\n)*to go on"):
            Pattern.load(tmp_path / "rows.npz")

    def test_a_file_with_other_arrays_is_refused(self, tmp_path):
        np.savez(tmp_path / "x.npz", ids=np.array(["a"]))
        with pytest.raises(ConfigError, match="not a pattern"):
            Pattern.load(tmp_path / "x.npz")


class TestHide:
    RAGGED = Ragged(torch.arange(12.0).view(6, 2), torch.tensor([1, 2, 0, 3]))
    HIDDEN = torch.tensor([False, True, False, False])

    @pytest.mark.parametrize("streams", [False, True])
    def test_hidden_rows_have_no_step_and_the_others_theirs(self, streams):
        column = Stored(self.RAGGED)
        whole = Streamed(lambda rows: Stored(self.RAGGED, torch.as_tensor(rows)).ragged) if streams else column
        found = hide(whole, self.HIDDEN).batch(torch.tensor([3, 1, 0]))
        expected = column.batch(torch.tensor([3, 1, 0]))
        assert found.mask.tolist() == [[True] * 3, [False] * 3, [True, False, False]]
        assert torch.equal(found.data[[0, 2]], expected.data[[0, 2]])
        assert not hide(whole, self.HIDDEN).batch(torch.tensor([1])).mask.any()

    def test_rows_that_share_a_value_are_hidden_one_by_one(self):
        column = Stored(Ragged(torch.tensor([[5.0], [7.0]]), torch.ones(2, dtype=torch.long)), torch.tensor([1, 0, 1]))
        found = hide(column, torch.tensor([False, False, True]))
        assert found.batch(torch.arange(3)).mask.tolist() == [[True], [True], [False]]
        assert found.batch(torch.tensor([0, 1])).data.flatten().tolist() == [7.0, 5.0]
        assert found.ragged.present.tolist() == [True, True, False]

    def test_hidden_rows_are_not_read(self):
        asked = []

        def read(rows):
            asked.append(rows)
            return Ragged(torch.zeros(len(rows), 2), torch.ones(len(rows), dtype=torch.long))

        assert hide(Streamed(read), torch.tensor([True, False, True])).read([2, 1]).lengths.tolist() == [0, 1]
        assert asked == [[1]]


@pytest.fixture
def table(tmp_path, monkeypatch, random):
    """60 rows of two vectors."""
    monkeypatch.chdir(tmp_path)
    label = np.arange(60) % 2
    columns = {m: [json.dumps(list(random.standard_normal(2) + k)) for k in label] for m in ("pose", "gaze")}
    pd.DataFrame(columns | {"label": label, "name": [f"r{n}" for n in range(60)]}).to_csv("rows.csv", index=False)
    return [
        "dataset=table",
        "dataset.file=rows.csv",
        "dataset.modalities={pose: {kind: vector}, gaze: {kind: vector}}",
        "dataset.tasks={label: {kind: multiclass}}",
    ]


def prepared(table, *typed):
    cfg = compose([*table, *typed], Catalog())
    examples = load(cfg)
    split = divide(cfg, examples)[0][1]
    return prepare(cfg, examples, split)


def shown(prepared):
    """(N, M) what batches show."""
    rows = torch.arange(60)
    return np.stack([c.batch(rows).present.numpy() for c in prepared.columns.values()], axis=1)


class TestPrepared:
    def test_batches_hide_what_the_pattern_hides(self, table):
        found = prepared(table, "dataset.missing.rate=0.25")
        assert (shown(found) == found.pattern.mask).all()
        assert (~shown(found)).sum() == 30
        assert sum(found.missing.values()) == 30

    def test_only_in_the_splits_that_are_named(self, table):
        found = prepared(table, "dataset.missing.rate=0.5", "dataset.missing.splits=[train]")
        assert (shown(found)[found.split.train] == found.pattern.mask[found.split.train]).all()
        assert shown(found)[np.concatenate([found.split.val, found.split.test])].all()

    def test_rows_with_something_hidden_are_left_out_or_filled(self, table):
        dropped = prepared(table, "dataset.missing.rate=0.25", "dataset.missing.policy=drop")
        assert sum(len(rows) for rows in dropped.split) == 30
        assert dropped.pattern.mask[dropped.split.train].all()
        filled = prepared(table, "dataset.missing.rate=0.25", "dataset.missing.policy=fill")
        assert shown(filled).all()
        whole = prepared(table)
        poses, seen = whole.columns["pose"].ragged.data, filled.split.train
        seen = seen[filled.pattern.mask[seen, 0]]
        first = np.flatnonzero(~filled.pattern.mask[:, 0])[0]
        torch.testing.assert_close(filled.columns["pose"].ragged.data[first], poses[seen].mean(dim=0))

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            (["dataset.missing.rate=0.6"], "no more than 0.5 of all"),
            (["dataset.missing.rate=0.1", "dataset.missing.pattern=x.npz"], "one of the two"),
            (["dataset.missing.pattern=x.npz"], "not a pattern of missing rows"),
            (["dataset.missing.splits=[dev]"], "there is no 'dev'; there are train, val, test"),
        ],
    )
    def test_what_cannot_be_says_why(self, table, typed, says):
        with pytest.raises(ConfigError, match=says):
            prepared(table, *typed)


@pytest.mark.parametrize("typed", ["dataset.missing.rate=0.1", "dataset.missing.pattern=x.npz"])
def test_rows_that_stream_cannot_be_hidden_beforehand(typed):
    with pytest.raises(ConfigError, match=r"needs all training rows at hand(.|\n)*to go on: dataset.missing"):
        refuse_for_streams(compose([typed], Catalog()))


def test_a_run_keeps_its_pattern_and_another_uses_it(table, capsys):
    short = ["trainer.max_epochs=1", "bootstrap=10", "threads=1"]
    assert main(["train", *table, "dataset.missing.rate=0.25", "name=first", *short]) == 0
    (first,) = Path("outputs").glob("first*")
    pattern = Pattern.load(first / "missing.npz")
    assert (~pattern.mask).sum() == 30
    again = [f"dataset.missing.pattern={first / 'missing.npz'}", "name=second", "dataset.missing.seed=9"]
    assert main(["train", *table, *again, *short]) == 0
    (second,) = Path("outputs").glob("second*")
    assert (Pattern.load(second / "missing.npz").mask == pattern.mask).all()
    told = [json.loads((run / "manifest.json").read_text())["data"]["missing"] for run in (first, second)]
    assert told[0] == told[1]
    assert sum(told[0].values()) == 30


def test_what_frozen_encoders_said_is_hidden_row_by_row_and_kept_whole(tmp_path, monkeypatch, capsys, random):
    """Ten questions that sixty rows share: what is cached does not depend on what is hidden."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "cache"))
    poses = [json.dumps(list(random.standard_normal(2))) for _ in range(60)]
    asked = [f"is the cat {['good', 'bad'][n % 2]} {'very ' * (n % 5)}" for n in range(60)]
    pd.DataFrame({"asked": asked, "pose": poses, "label": np.arange(60) % 2}).to_csv("rows.csv", index=False)
    table = ["dataset=table", "dataset.file=rows.csv", "dataset.tasks={label: {kind: multiclass}}"]
    table += ["dataset.modalities={asked: {kind: text}, pose: {kind: vector}}", "encoder.asked=hf"]
    table += [f"encoder.asked.model={tiny.bert()}", "trainer.max_epochs=1", "bootstrap=10", "threads=1"]
    for hidden, fresh in ((15, 10), (45, 0)):
        assert main(["train", "--json", *table, f"dataset.missing.rate={hidden / 120}"]) == 0
        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [event["fresh"] for event in said if event["event"] == "encoded"] == [fresh]
        pattern = Pattern.load(Path("outputs/latest/missing.npz"))
        missing = json.loads(Path("outputs/latest/manifest.json").read_text())["data"]["missing"]
        assert list(missing.values()) == (~pattern.mask).sum(axis=0).tolist()
        assert sum(missing.values()) == hidden
