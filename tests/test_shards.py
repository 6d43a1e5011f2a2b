"""Data beyond memory: every row of the shards once an epoch, whoever reads it, and on from any batch."""

import io
import json
import signal
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from mmfuse.cli import main
from mmfuse.data.shards import Shards
from mmfuse.data.shards_files import ShardFiles
from mmfuse.data.shards_order import Place, ShardOrder
from mmfuse.errors import ConfigError, DataError
from mmfuse.learner.learner import Learner
from mmfuse.prepare.features import Features
from mmfuse.prepare.pixels import Pixels
from mmfuse.prepare.words import Words

SIZES = (30, 17, 25, 28)  # rows of the training shards: 100 in all, numbered from 0
VECTOR, LABEL = {"x": {"kind": "vector"}}, {"label": {"kind": "multiclass"}}
SHORT = ["bootstrap=10", "threads=1", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(numbers):
    """The first feature is the row's number, and the parity of it the label."""
    numbers = list(numbers)
    return pd.DataFrame(
        {
            "x": [[float(n), float(n % 2), 1.0] for n in numbers],
            "words": [f"{'odd' if n % 2 else 'even'} one" if n % 5 else None for n in numbers],
            "label": [["no", "yes"][n % 2] for n in numbers],
        }
    )


@pytest.fixture
def parquet():
    folder = Path("parquet")
    folder.mkdir()
    ends = np.cumsum(SIZES)
    for k, (size, end) in enumerate(zip(SIZES, ends, strict=True)):
        rows(range(end - size, end)).to_parquet(folder / f"train-{k}-of-4.parquet", row_group_size=8)
    rows(range(200, 212)).to_parquet(folder / "validation-0-of-1.parquet")
    rows(range(300, 316)).to_parquet(folder / "test-0-of-1.parquet")
    return folder


def archive(path, samples):
    """A WebDataset: by sample, the contents of its files by their extensions."""
    with tarfile.open(path, "w") as tar:
        for stem, files in samples.items():
            for extension, content in files.items():
                about = tarfile.TarInfo(f"{stem}.{extension}")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))


def sample(n):
    held = io.BytesIO()
    Image.fromarray(np.full((8, 8), 255 * (n % 2), np.uint8)).save(held, "png")
    return {
        "png": held.getvalue(),
        "json": json.dumps({"label": ["no", "yes"][n % 2], "said": f"row {n}"}).encode(),
        "cls": str(n % 2).encode(),
    }


@pytest.fixture
def tars():
    folder = Path("tars")
    for name, numbers in {
        "train/0": range(10),
        "train/1": range(10, 17),
        "val/0": range(20, 26),
        "test/0": range(30, 38),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        archive(folder / f"{name}.tar", {f"{n:03}": sample(n) for n in numbers})
    return folder


def stream(folder, buffer=10, batch_size=8, seed=0, rank=0, ranks=1, epoch=0, **about):
    examples = Shards(str(folder), VECTOR, LABEL, buffer=buffer, **about).load()
    plain = Features(standardise=False)
    plain.fit(examples.raw["x"])
    batches = examples.stream.batches({"x": plain}, batch_size, seed, forgiving=False, rank=rank, ranks=ranks)
    batches.set_epoch(epoch)
    return batches


def numbers(batches):
    """Of rows, batch by batch, as their first feature says."""
    return [batch.signals["x"].data[:, 0, 0].int().tolist() for batch in batches]


def flat(lists):
    return [n for part in lists for n in part]


class TestShares:
    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("ranks", [1, 2])
    def test_every_row_is_read_once_an_epoch_in_one_place(self, parquet, ranks, workers):
        found = []
        for rank in range(ranks):
            batches = stream(parquet, rank=rank, ranks=ranks, epoch=3)
            found.append(flat(numbers(DataLoader(batches, batch_size=None, num_workers=workers))))
        assert all(found)
        assert sorted(flat(found)) == list(range(100))

    def test_no_shard_is_in_two_workers_and_none_is_left_out(self, parquet):
        files = ShardFiles(sorted(parquet.glob("train*")), ["x"])
        order = ShardOrder(files, buffer=10, seed=0)
        for workers in (1, 2, 3):
            shares = [order.shards(1, Place(r, 2, w, workers)) for r in range(2) for w in range(workers)]
            assert sorted(flat(shares)) == [0, 1, 2, 3]

    def test_fewer_shards_than_ranks(self, parquet):
        with pytest.raises(ConfigError, match="4 training shards are fewer than the 5 processes"):
            stream(parquet, ranks=5)

    def test_a_worker_without_a_shard_is_idle(self, tars):
        examples = Shards(str(tars), {"png": {"kind": "image"}}, {"cls": {"kind": "multiclass"}}).load()
        picture = Pixels(size=[8, 8])
        picture.fit(examples.raw["png"])
        found = []
        for rank in range(2):  # of which each has one shard for two workers
            batches = examples.stream.batches({"png": picture}, 4, 0, forgiving=False, rank=rank, ranks=2)
            found += flat(b.rows.tolist() for b in DataLoader(batches, batch_size=None, num_workers=2))
        assert sorted(found) == [*range(10), *(2**32 + n for n in range(7))]  # the shard, and its row


class TestOrder:
    def test_a_seed_and_an_epoch_make_an_order(self, parquet):
        first = numbers(stream(parquet, epoch=1))
        assert first == numbers(stream(parquet, epoch=1))
        assert first != numbers(stream(parquet, epoch=2))
        assert first != numbers(stream(parquet, epoch=1, seed=1))

    def test_rows_are_shuffled_within_windows_of_what_is_read(self, parquet):
        lying, shuffled = (flat(numbers(stream(parquet, buffer=buffer, epoch=1))) for buffer in (1, 10))
        starts = {0: 30, 30: 17, 47: 25, 72: 28}  # by its first row's number, a shard's size
        while lying:  # shard after shard, each as it lies
            size = starts.pop(lying[0])
            assert lying[:size] == list(range(lying[0], lying[0] + size))
            lying = lying[size:]
        assert not starts
        lying = flat(numbers(stream(parquet, buffer=1, epoch=1)))
        for start in range(0, 100, 10):
            window = shuffled[start : start + 10]
            assert set(window) == set(lying[start : start + 10])
            assert window != lying[start : start + 10]

    @pytest.mark.parametrize("workers", [0, 2])
    def test_steps_are_told_before_they_are_read(self, parquet, workers):
        batches = stream(parquet)
        assert batches.steps(workers) == len(list(DataLoader(batches, batch_size=None, num_workers=workers)))


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata 0.11 on torch 2.13
class TestResuming:
    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("done", [3, 11])
    def test_the_rest_of_an_epoch_is_bit_identical(self, parquet, workers, done):
        def loader():
            return StatefulDataLoader(stream(parquet, epoch=2), batch_size=None, num_workers=workers)

        whole = list(loader())
        begun = loader()
        reading = iter(begun)
        for _ in range(done):
            next(reading)
        state = begun.state_dict()
        resumed = loader()
        resumed.load_state_dict(json.loads(json.dumps(state)) if workers == 0 else state)
        rest = list(resumed)
        assert len(rest) == len(whole) - done > 0
        for batch, expected in zip(rest, whole[done:], strict=True):
            assert torch.equal(batch.rows, expected.rows)
            assert torch.equal(batch.signals["x"].data, expected.signals["x"].data)
            assert torch.equal(batch.targets["label"], expected.targets["label"])

    def test_anywhere_without_a_loader_and_the_next_epoch_is_whole_again(self, parquet):
        whole, following = numbers(stream(parquet, epoch=2)), numbers(stream(parquet, epoch=3))
        for done in (0, 3, len(whole) - 1):
            batches = stream(parquet)
            batches.load_state_dict({"epoch": 2, "seen": 8 * done})
            assert numbers(batches) == whole[done:]
            batches.set_epoch(3)
            assert numbers(batches) == following

    def test_shards_that_are_done_are_not_opened(self, parquet, monkeypatch):
        files = ShardFiles(sorted(parquet.glob("train*")), ["x"])
        order, read = ShardOrder(files, buffer=10, seed=0), []
        shards = order.shards(0, Place())
        original = ShardFiles.read
        monkeypatch.setattr(ShardFiles, "read", lambda self, shard, *a: read.append(shard) or original(self, shard, *a))
        before = sum(SIZES[shard] for shard in shards[:3])
        list(order.rows(0, Place(), start=before + 9))
        assert read == shards[3:] or read == shards[2:]  # a window may begin in the shard before

    def test_archives_whose_rows_are_not_counted(self, tars):
        files = ShardFiles(sorted((tars / "train").glob("*")), ["json.said"])
        order = ShardOrder(files, buffer=4, seed=0)
        assert files.rows is None
        whole = [row.cells["json.said"] for row in order.rows(1, Place())]
        assert sorted(whole) == sorted(f"row {n}" for n in range(17))
        for start in range(17):
            assert [row.cells["json.said"] for row in order.rows(1, Place(), start)] == whole[start:]


class TestExamples:
    def test_rows_to_fit_on_are_of_all_shards(self, parquet):
        examples = Shards(str(parquet), VECTOR, LABEL, fit_rows=20).load()
        taken = [int(value[0]) for value in examples.raw["x"]]
        assert taken[:20] == [*range(5), *range(30, 35), *range(47, 52), *range(72, 77)]
        assert taken[20:] == [*range(200, 212), *range(300, 316)]
        assert examples.split.tolist() == ["train"] * 20 + ["val"] * 12 + ["test"] * 16
        assert examples.ids[5] == "train-1-of-4.parquet:0"
        assert examples.stream.rows == 100

    def test_a_missing_value_is_a_mask_that_is_false(self, parquet):
        pd.concat([rows([1, 3]).assign(x=None), rows([5])]).to_parquet(parquet / "train-0-of-4.parquet")
        pairs = [zip(b.rows.tolist(), b.signals["x"].present.tolist(), strict=True) for b in stream(parquet)]
        present = dict(flat(pairs))
        assert [present[n] for n in range(3)] == [False, False, True]
        assert sum(present.values()) == 71  # of 73

    def test_an_archive_by_its_extensions_and_the_fields_of_its_json(self, tars):
        examples = Shards(
            str(tars),
            {"photo": {"kind": "image", "column": "png"}, "said": {"kind": "text", "column": "json.said"}},
            {"label": {"kind": "multiclass", "column": "json.label"}, "cls": {"kind": "multiclass"}},
            id="__key__",
        ).load()
        assert [examples.raw["said"][0], examples.ids[0]] == ["row 0", "000"]
        assert (examples.tasks["label"].classes, examples.tasks["cls"].classes) == (("no", "yes"), ("0", "1"))
        assert examples.targets["label"].tolist() == examples.targets["cls"].tolist()
        assert examples.stream.rows is None

    def test_class_labels_keep_their_names(self, here):
        import datasets

        x, label = datasets.List(datasets.Value("float32")), datasets.ClassLabel(names=["z", "a"])
        features = datasets.Features({"x": x, "label": label})
        for name in ("train", "val", "test"):
            datasets.Dataset.from_dict({"x": [[1.0], [2.0]], "label": [1, 0]}, features).to_parquet(f"{name}.parquet")
        examples = Shards(".", VECTOR, LABEL).load()
        assert examples.tasks["label"].classes == ("z", "a")
        assert examples.targets["label"].tolist() == [1, 0] * 3


class TestErrors:
    def test_a_class_that_is_met_late(self, parquet):
        late = rows(range(20))
        late.loc[13, "label"] = "perhaps"
        late.to_parquet(parquet / "train-2-of-4.parquet")
        with pytest.raises(DataError, match=r"row 13 of train-2-of-4.parquet: 'perhaps' is not among the classes"):
            list(stream(parquet, fit_rows=20))

    def test_a_cell_that_is_not_what_its_column_says(self, parquet):
        rows(range(20)).assign(x=[*[[1.0]] * 19, "../secret.npy"]).astype({"x": str}).to_parquet(
            parquet / "train-2-of-4.parquet"
        )
        for k in (0, 1, 3):
            (parquet / f"train-{k}-of-4.parquet").unlink()
        with pytest.raises(DataError, match=r"row 19 of train-2-of-4.parquet: '../secret.npy' leads out"):
            list(stream(parquet, fit_rows=3))

    def test_labels_that_are_not_as_many_as_words(self, parquet):
        for file in parquet.glob("*"):
            table = pd.read_parquet(file)
            last = ["A", "B", "B"] if file.name.startswith("train-2") else ["A", "B"]
            table.assign(words="two words", tags=[*[["A", "B"]] * (len(table) - 1), last]).to_parquet(file)
        modalities, tasks = {"words": {"kind": "text"}}, {"tags": {"kind": "tokens", "of": "words"}}
        examples = Shards(str(parquet), modalities, tasks, fit_rows=8).load()
        words = Words()
        words.fit(examples.raw["words"])
        with pytest.raises(DataError, match=r"row 24 of train-2-of-4.parquet: 3 labels for the 2 steps of 'words'"):
            list(examples.stream.batches({"words": words}, 8, 0, forgiving=False))

    def test_a_broken_picture_is_named_or_missing(self, tars):
        samples = {f"{n:03}": sample(n) for n in range(10, 17)}
        archive(tars / "train" / "1.tar", samples | {"012": sample(12) | {"png": b"no"}})
        examples = Shards(str(tars), {"png": {"kind": "image"}}, {"cls": {"kind": "multiclass"}}, fit_rows=2).load()
        picture = Pixels(size=[8, 8])
        picture.fit(examples.raw["png"])
        with pytest.raises(DataError, match=r"'png'.*cannot be read: .*\(row 2 of train/1.tar\)"):
            list(examples.stream.batches({"png": picture}, 4, 0, forgiving=False))
        batches = list(examples.stream.batches({"png": picture}, 4, 0, forgiving=True))
        lost = flat(b.rows[~b.signals["png"].present].tolist() for b in batches)
        assert lost == [2**32 + 2]

    def test_a_shard_that_is_cut_short(self, parquet):
        file = parquet / "train-1-of-4.parquet"
        file.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(DataError, match=r"cannot be read|cannot be opened"):
            list(stream(parquet))

    def test_an_archive_that_is_cut_short(self, tars):
        file = tars / "train" / "1.tar"
        file.write_bytes(file.read_bytes()[:3000])
        files = ShardFiles(sorted((tars / "train").glob("*")), ["png"])
        with pytest.raises(DataError, match=r"1\.tar: row \d+ or one soon after cannot be read"):
            list(ShardOrder(files, 4, 0).rows(0, Place()))

    def test_a_column_that_is_not_there(self, parquet):
        with pytest.raises(DataError, match=r"no column 'pixels'\n.*its columns: x, words, label"):
            Shards(str(parquet), {"pixels": {"kind": "vector"}}, LABEL).load()

    def test_a_split_without_shards(self, parquet):
        (parquet / "validation-0-of-1.parquet").unlink()
        with pytest.raises(DataError, match="no shards of the val split"):
            Shards(str(parquet), VECTOR, LABEL).load()


PARQUET = [
    "dataset=shards",
    "dataset.path=parquet",
    "dataset.modalities={x: {kind: vector}, words: {kind: text}}",
    "dataset.tasks={label: {kind: multiclass}}",
    "dataset.fit_rows=40",
    "dataset.buffer=16",
    "batch_size=8",
]


class TestRun:
    def test_parquet_trains_on_all_rows_in_another_order_each_epoch(self, parquet, monkeypatch):
        seen = []
        step = Learner.training_step

        def noted(self, batch, batch_idx):
            seen.append((self.current_epoch, batch.rows.tolist()))
            return step(self, batch, batch_idx)

        monkeypatch.setattr(Learner, "training_step", noted)
        assert main(["train", *PARQUET, "trainer.max_epochs=3", "loader.workers=0", *SHORT]) == 0
        every = sorted((shard << 32) + row for shard, size in enumerate(SIZES) for row in range(size))
        epochs = [flat(rows for at, rows in seen if at == epoch) for epoch in range(3)]
        assert all(sorted(epoch) == every for epoch in epochs)
        assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
        (folder,) = [f for f in Path("outputs").iterdir() if not f.is_symlink()]
        manifest = json.loads((folder / "manifest.json").read_text())
        assert {k: manifest["data"]["stream"][k] for k in ("shards", "rows", "fitted_on")} == {
            "shards": 4,
            "rows": 100,
            "fitted_on": 40,
        }

    @pytest.mark.parametrize(("step", "workers"), [(5, 0), (18, 2)])  # of 13 an epoch, at least
    def test_a_run_that_was_stopped_goes_on_bit_identically(self, parquet, monkeypatch, step, workers):
        typed = [*PARQUET, "trainer.max_epochs=2", f"loader.workers={workers}", *SHORT]
        assert main(["train", *typed, "name=whole"]) == 0
        trains = Learner.training_step

        def stopped(self, batch, batch_idx):
            if self.global_step + 1 == step:
                signal.raise_signal(signal.SIGTERM)
            return trains(self, batch, batch_idx)

        with monkeypatch.context() as disturbed:
            disturbed.setattr(Learner, "training_step", stopped)
            assert main(["train", *typed, "name=stopped"]) == 75
        (whole,), (folder,) = Path("outputs").glob("whole-*"), Path("outputs").glob("stopped-*")
        saved = torch.load(folder / "seed-0" / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["global_step"] == step
        assert saved["place"][1] > 0  # in the midst of an epoch
        assert main(["train", "--resume", str(folder), "--quiet"]) == 0
        assert (folder / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()

    def test_archives_train_with_workers(self, tars):
        about = [
            "dataset=shards",
            "dataset.path=tars",
            "dataset.modalities={photo: {kind: image, column: png}, said: {kind: text, column: json.said}}",
            "dataset.tasks={cls: {kind: multiclass}}",
            "batch_size=4",
            "encoder.photo.prepare.size=[8,8]",
        ]
        assert main(["train", *about, "trainer.max_epochs=8", "loader.workers=2", *SHORT]) == 0
        (folder,) = [f for f in Path("outputs").iterdir() if not f.is_symlink()]
        test = json.loads((folder / "metrics.json").read_text())["test"]["cls"]
        assert len(pd.read_parquet(folder / "seed-0" / "predictions.parquet")) == 8
        assert test["accuracy"]["mean"] == 1.0  # black or white
        assert main(["check", *about, "--quiet"]) == 0

    @pytest.mark.parametrize(
        ("command", "more"), [("train", ["loader.workers=1", "trainer.max_epochs=1"]), ("check", ["batch_size=100"])]
    )
    def test_an_error_of_a_worker_is_told_as_one_of_the_data(self, parquet, capsys, command, more):
        late = rows(range(25))
        late.loc[13, "label"] = "perhaps"
        late.to_parquet(parquet / "train-2-of-4.parquet")
        assert main([command, *PARQUET, "dataset.fit_rows=20", *more, *SHORT]) == 3
        said = capsys.readouterr().err
        assert said.startswith("error[data]: column 'label', row 13 of train-2-of-4.parquet: 'perhaps' is not among")

    @pytest.mark.parametrize(
        "typed", ["folds=3", "imbalance=weights", "dataset.missing.policy=drop", "dataset.missing.policy=fill"]
    )
    def test_what_needs_all_rows_is_refused(self, parquet, capsys, typed):
        assert main(["train", *PARQUET, typed, *SHORT]) == 2
        assert "needs all training rows at hand" in capsys.readouterr().err
