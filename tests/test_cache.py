"""What frozen encoders say is computed once, whoever asks again, and never when it would be something else."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_models as tiny
import torch
from filelock import FileLock
from PIL import Image
from safetensors.torch import load_file, save_file

from mmfuse.cache import place
from mmfuse.cache.encode import encode
from mmfuse.cache.entry import Entry, Said
from mmfuse.cache.values import distinct
from mmfuse.cli import main
from mmfuse.data.columns import Stored
from mmfuse.data.lazy import Lazy
from mmfuse.encoders.embedding_lstm import EmbeddingLSTM
from mmfuse.types import Encoder, Ragged, Signal, Unreadable


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "kept"


def numbers(values: range) -> Said:
    """Value n has n % 3 steps, each of them n, n; every seventh cannot be read."""
    lengths = torch.tensor([n % 3 for n in values])
    data = torch.tensor([n for n in values for _ in range(n % 3)], dtype=torch.float32)[:, None].expand(-1, 2)
    failures = [Unreadable(row, f"value {n}", "no reason") for row, n in enumerate(values) if n % 7 == 0]
    return Said(Ragged(data.contiguous(), lengths), failures)


def check_numbers(said: Said, count: int) -> None:
    whole = numbers(range(count))
    assert torch.equal(said.steps.lengths, whole.steps.lengths)
    assert torch.equal(said.steps.data, whole.steps.data)
    assert said.failures == whole.failures


class Counting:
    """Makes numbers, and remembers of which."""

    def __init__(self, stop_at: int | None = None):
        self.asked: list[int] = []
        self.stop_at = stop_at

    def __call__(self, values: range) -> Said:
        if self.stop_at in values:
            raise KeyboardInterrupt
        self.asked += values
        return numbers(values)


def silent(done: int) -> None: ...


class TestEntry:
    def entry(self, folder: Path, count: int = 40) -> Entry:
        return Entry(folder / "entry", {"what": "numbers"}, count, 2, part=8)

    def test_is_made_once(self, tmp_path):
        first, second = Counting(), Counting()
        check_numbers(self.entry(tmp_path).made(first, silent), 40)
        check_numbers(self.entry(tmp_path).made(second, silent), 40)
        assert sorted(first.asked) == list(range(40))
        assert second.asked == []
        assert not list((tmp_path / "entry").rglob("*.npz.*"))

    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_may_be_small_or_without_a_step(self, tmp_path, count):
        check_numbers(self.entry(tmp_path, count).made(numbers, silent), count)
        check_numbers(self.entry(tmp_path, count).made(numbers, silent), count)

    def test_is_mapped_and_not_read(self, tmp_path):
        said = self.entry(tmp_path).made(numbers, silent)
        mapped = Path("/proc/self/maps")
        if not mapped.exists():
            pytest.skip("only Linux says what a process has mapped")
        assert str(tmp_path / "entry" / "data.npy") in mapped.read_text()
        said.steps.data[0] = 99.0  # which reaches no file
        check_numbers(self.entry(tmp_path).made(Counting(stop_at=0), silent), 40)

    def test_goes_on_where_it_was_stopped(self, tmp_path):
        first, second, told = Counting(stop_at=20), Counting(), []
        with pytest.raises(KeyboardInterrupt):
            self.entry(tmp_path).made(first, silent)
        check_numbers(self.entry(tmp_path).made(second, told.append), 40)
        assert sorted(first.asked + second.asked) == list(range(40))
        assert first.asked == list(range(16))
        assert told[-1] == 40
        assert told == sorted(told)

    @pytest.mark.parametrize("name", ["data.npy", "index.npz", "about.json"])
    @pytest.mark.parametrize("how", ["a byte", "cut", "gone"])
    def test_what_is_damaged_is_made_again(self, tmp_path, name, how):
        self.entry(tmp_path).made(numbers, silent)
        file = tmp_path / "entry" / name
        held = file.read_bytes()
        if how == "gone":
            file.unlink()
        elif how == "cut":
            file.write_bytes(held[: len(held) // 2])
        else:
            file.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
        again = Counting()
        entry = self.entry(tmp_path)
        check_numbers(entry.made(again, silent), 40)
        assert sorted(again.asked) == list(range(40))
        check_numbers(self.entry(tmp_path).made(Counting(stop_at=0), silent), 40)

    def test_a_damaged_part_is_made_again_and_no_other(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            self.entry(tmp_path).made(Counting(stop_at=39), silent)
        part = tmp_path / "entry" / "parts" / "1.npz"
        part.write_bytes(part.read_bytes()[:100])
        again = Counting()
        check_numbers(self.entry(tmp_path).made(again, silent), 40)
        assert sorted(again.asked) == [*range(8, 16), *range(32, 40)]

    def test_two_processes_share_the_parts_out(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        workers = [context.Process(target=shared_work, args=(str(tmp_path), queue)) for _ in range(2)]
        for worker in workers:
            worker.start()
        found = [queue.get(timeout=60) for _ in workers]
        for worker in workers:
            worker.join(timeout=60)
            assert worker.exitcode == 0
        assert sorted(found[0] + found[1]) == list(range(40))  # each value once, by one of them
        assert found[0]
        assert found[1]

    def test_waits_for_another_and_takes_over_when_it_dies(self, tmp_path):
        """A lock that is held stands for another process; letting go without a part is how one dies."""
        entry = self.entry(tmp_path)
        entry.begin()
        lock = FileLock(tmp_path / "entry" / "parts" / "2.lock")
        lock.acquire()
        asked = Counting()

        def tell(done: int) -> None:
            if done == 32:
                lock.release()

        check_numbers(entry.made(asked, tell), 40)
        assert asked.asked == [*range(16), *range(24, 40), *range(16, 24)]

    def test_is_made_again_where_it_is_cleared_meanwhile(self, tmp_path):
        cleared = []

        def make(values: range) -> Said:
            if 16 in values and not cleared:
                shutil.rmtree(tmp_path / "entry")
                cleared.append(True)
            return numbers(values)

        check_numbers(self.entry(tmp_path).made(make, silent), 40)


def shared_work(folder: str, queue) -> None:
    import time

    asked = Counting()

    def slowly(values: range) -> Said:
        time.sleep(0.3)
        return asked(values)

    while not (Path(folder) / "go").exists() and len(list(Path(folder).glob("ready*"))) < 2:
        (Path(folder) / f"ready{os.getpid()}").touch()
        time.sleep(0.01)
    check_numbers(Entry(Path(folder) / "entry", {"what": "numbers"}, 40, 2, part=8).made(slowly, silent), 40)
    queue.put(asked.asked)


class TestDistinct:
    def test_what_rows_share_is_there_once_the_short_before_the_long(self):
        found = distinct(["long text", None, "ab", "long text", "abc", "ab"])
        assert list(found.values) == ["ab", "abc", "long text"]
        assert found.which.tolist() == [2, 3, 0, 2, 1, 0]
        assert found.first.tolist() == [2, 4, 0]

    def test_arrays_that_are_equal_are_one(self):
        array = np.arange(6.0)
        found = distinct([array, array.copy(), array.reshape(2, 3), array.astype(np.float32)])
        assert found.which.tolist()[0] == found.which.tolist()[1]
        assert len(found.values) == 3

    def test_a_file_is_known_by_its_place_size_and_time(self, tmp_path):
        file, other = tmp_path / "a", tmp_path / "b"
        for each in (file, other):
            each.write_text("x")
            os.utime(each, ns=(1, 1))
        before = distinct([file]).fingerprint
        assert distinct([other]).fingerprint != before
        assert distinct([file]).fingerprint == before
        os.utime(file, ns=(1, 2))
        assert distinct([file]).fingerprint != before
        file.unlink()
        assert distinct([file]).fingerprint != before

    def test_rows_on_disk_are_known_by_what_they_are_read_from(self):
        def column(name, rows):
            missing = np.array([row == 1 for row in rows])
            return Lazy(lambda wanted: [None if r == 1 else str(r) for r in wanted], rows, name, missing)

        found = distinct(column("a", [0, 1, 2]))
        assert list(found.values) == ["0", "2"]
        assert found.which.tolist() == [0, 2, 1]
        assert found.fingerprint == distinct(column("a", [0, 1, 2])).fingerprint
        assert found.fingerprint != distinct(column("b", [0, 1, 2])).fingerprint
        assert found.fingerprint != distinct(column("a", [0, 1, 3])).fingerprint


class TestShared:
    """Rows that share values come as if each had its own."""

    @pytest.mark.parametrize("lengths", [[2, 2, 2], [1, 3, 0]])
    @pytest.mark.parametrize("masked", [False, True])
    def test_is_what_each_row_would_have_by_itself(self, lengths, masked):
        steps = sum(lengths)
        mask = torch.tensor([n % 2 == 0 for n in range(steps)]) if masked else None
        ragged = Ragged(torch.randn(steps, 4), torch.tensor(lengths), mask)
        which = torch.tensor([2, 0, 0, 1, 2])
        parts = list(ragged.data.split(lengths))
        masks = None if mask is None else torch.cat([list(mask.split(lengths))[w] for w in which])
        alone = Ragged(torch.cat([parts[w] for w in which]), torch.tensor(lengths)[which], masks)
        shared = Stored(ragged, which)
        for one, other in zip(shared.ragged, alone, strict=True):
            assert (one is None and other is None) or torch.equal(one, other)
        for rows in ([0, 1, 2, 3, 4], [3], [4, 1]):
            ours, theirs = shared.batch(torch.tensor(rows)), Stored(alone).batch(torch.tensor(rows))
            assert torch.equal(ours.data, theirs.data)
            assert torch.equal(ours.mask, theirs.mask)


class Scarce(Encoder):
    """Memory for so many steps in a batch, padding included."""

    def __init__(self, steps: int):
        super().__init__()
        self.dim, self.steps, self.batches = 1, steps, []

    def forward(self, signal: Signal) -> Signal:
        if signal.mask.numel() > self.steps:
            raise torch.OutOfMemoryError("no more")
        self.batches.append(tuple(signal.mask.shape))
        return Signal(signal.data.float().unsqueeze(-1), signal.mask)


class TestEncode:
    CPU = torch.device("cpu")

    def texts(self, lengths):
        return Ragged(torch.randint(1, 30, (sum(lengths),)), torch.tensor(lengths))

    def test_says_of_each_row_what_it_would_say_alone(self):
        lengths = [3, 0, 7, 1, 1, 12, 0, 5]
        prepared, encoder = self.texts(lengths), EmbeddingLSTM(30, dim=8).eval()
        said = encode(encoder, prepared, self.CPU, half=False)
        assert said.lengths.tolist() == lengths
        for row, words in enumerate(prepared.data.split(lengths)):
            if len(words):
                alone = encoder(Signal(words[None], torch.ones(1, len(words), dtype=torch.bool))).data[0]
                torch.testing.assert_close(list(said.data.split(lengths))[row], alone)

    def test_batches_grow_smaller_where_memory_runs_out(self):
        lengths = [1] * 100 + [40, 30]
        prepared, encoder = self.texts(lengths), Scarce(50)
        said = encode(encoder, prepared, self.CPU, half=False)
        assert torch.equal(said.data[:, 0], prepared.data.float())
        assert max(rows * steps for rows, steps in encoder.batches) <= 50
        assert len(encoder.batches) < 10

    def test_a_row_that_never_fits(self):
        with pytest.raises(torch.OutOfMemoryError):
            encode(Scarce(10), self.texts([11]), self.CPU, half=False)

    def test_half_precision_is_close(self):
        if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            pytest.skip("this CPU does not compute in bfloat16")
        from mmfuse.encoders.hf_text import HFText

        encoder, prepared = HFText(28, tiny.bert()).eval(), self.texts([5, 9])
        prepared = prepared._replace(data=prepared.data.clamp(max=27))
        whole, half = (encode(encoder, prepared, self.CPU, half=h).data for h in (False, True))
        assert half.dtype == torch.float32
        assert not torch.equal(half, whole)
        assert (torch.nn.functional.cosine_similarity(half, whole) > 0.999).all()


TABLE = ["dataset=table", "dataset.file=rows.csv", "batch_size=16", "bootstrap=20", "threads=1", "trainer.max_epochs=2"]
ASKED = ["dataset.modalities={asked: {kind: text}, seen: {kind: image}}", "dataset.tasks={label: {kind: multiclass}}"]
SMALL = ("encoder.seen.dim=16", "encoder.seen.widths=[8]")


@pytest.fixture
def run(capsys, tmp_path):
    """Runs on a table of 60 rows with ten questions; says what was encoded, and what came of it."""
    random = np.random.default_rng(0)
    rows = []
    for row in range(60):
        Image.fromarray((random.random((8, 8)) * 100 + 100 * (row % 2)).astype(np.uint8)).save(f"{row}.png")
        asked = "" if row == 7 else f"is the cat {['good', 'bad'][row % 2]} {'very ' * (row % 5)}"
        rows.append({"asked": asked, "seen": f"{row}.png", "label": ["no", "yes"][row % 2]})
    pd.DataFrame(rows).to_csv("rows.csv", index=False)

    def do(*more: str, seen: Sequence[str] = SMALL) -> tuple[list[dict], dict]:
        shutil.rmtree("outputs", ignore_errors=True)
        typed = [*TABLE, *ASKED, "encoder.asked=hf", f"encoder.asked.model={tiny.bert()}", *seen, *more]
        assert main(["train", "--json", *typed]) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        metrics = json.loads(Path("outputs/latest/metrics.json").read_text())
        return [event for event in events if event["event"] == "encoded"], metrics

    return do


class TestRuns:
    def test_each_question_is_encoded_once_and_never_again(self, run):
        (first,), metrics = run()
        (key,) = [entry.key for entry in place.kept()]
        manifest = json.loads(Path("outputs/latest/manifest.json").read_text())
        assert manifest["encoded"]["asked"]["key"] == key
        assert (first["modality"], first["fresh"], first["values"]) == ("asked", 10, 10)
        again, figures = run()
        assert [event["fresh"] for event in again] == [0]
        assert figures == metrics
        again, _ = run("folds=3", "trainer.max_epochs=1", "fusion=concat", "seed=3", "encoder.asked.lr=1e-5")
        assert [event["fresh"] for event in again] == [0, 0, 0]

    @pytest.mark.parametrize("change", ["pool", "max_length", "row", "weights", "tokenizer"])
    def test_what_would_be_said_otherwise_is_encoded_anew(self, run, change, tmp_path):
        model = tmp_path / "model"
        shutil.copytree(tiny.bert(), model)
        named = f"encoder.asked.model={model}"
        run(named)
        if change == "pool":
            (again,), _ = run(named, "encoder.asked.pool=first")
        elif change == "max_length":
            (again,), _ = run(named, "encoder.asked.prepare.max_length=5")
        else:
            if change == "row":
                Path("rows.csv").write_text(Path("rows.csv").read_text().replace("very very very very", "dog", 1))
            elif change == "weights":
                weights = load_file(model / "model.safetensors")
                weights["encoder.layer.0.output.dense.bias"][0] += 1.0
                save_file(weights, model / "model.safetensors", {"format": "pt"})
            else:
                file = model / "tokenizer.json"
                known = json.loads(file.read_text())
                words = known["model"]["vocab"]
                words["good"], words["bad"] = words["bad"], words["good"]
                file.write_text(json.dumps(known))
            (again,), _ = run(named)
        assert again["fresh"] == again["values"] > 0

    def test_without_the_cache_the_figures_are_the_same_and_nothing_is_left(self, run, cache):
        (fresh,), figures = run("cache=false")
        assert fresh["place"] is None
        assert not cache.exists()
        _, kept = run()
        _, again = run()
        assert kept == figures
        assert again == figures

    def test_what_learns_or_is_augmented_is_not_kept(self, run, cache):
        for more in (["encoder.asked.freeze=false"], ["encoder.asked.freeze=1"], ["encoder.asked.unfreeze_at=1"]):
            assert run(*more)[0] == []
        vit = ["encoder.asked.freeze=0", "encoder.seen=vgg16", "encoder.seen.width=8", "encoder.seen.freeze=true"]
        assert run(*vit, "encoder.seen.augment.flip=0.5", seen=[])[0] == []
        assert not cache.exists()
        (still,), _ = run(*vit, seen=[])
        assert (still["modality"], still["fresh"]) == ("seen", 60)

    def test_missing_and_unreadable_values_are_the_same_from_the_cache(self, run, capsys):
        Path("9.png").unlink()
        torn = Path("11.png")
        torn.write_bytes(torn.read_bytes()[:60])
        typed = [*TABLE, *ASKED, "encoder.asked=bag", "encoder.seen=hf", f"encoder.seen.model={tiny.vit()}"]
        for _ in range(2):
            assert main(["train", *typed, "--quiet"]) == 3
            assert "11.png (row 11)" in capsys.readouterr().err
        for fresh in (60, 0):
            assert main(["train", *typed, "--json", "dataset.missing.unreadable=missing"]) == 0
            said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [event["fresh"] for event in said if event["event"] == "encoded"] == [fresh]
            manifest = json.loads(Path("outputs/latest/manifest.json").read_text())
            assert manifest["data"]["missing"]["seen"] == 2
            assert manifest["data"]["unreadable"]["seen"] == [9, 11]

    def test_the_listing_and_the_clearing(self, run, capsys, cache):
        run()
        run("encoder.asked.pool=first")
        (tmp := cache / "somebody's notes").mkdir()
        assert main(["cache", "list"]) == 0
        said = capsys.readouterr().out
        assert said.count("asked by hf") == 2
        key = place.kept()[0].key
        assert main(["cache", "clear", "nothing"]) == 2
        assert main(["cache", "clear", key[:12]]) == 0
        assert len(place.kept()) == 1
        assert main(["cache", "clear"]) == 0
        assert not place.kept()
        assert tmp.exists()
        capsys.readouterr()
        assert main(["cache", "list"]) == 0
        assert "holds nothing" in capsys.readouterr().out


class TestAwake:
    """An encoder that is held until an epoch, in a real run."""

    def epoch(self) -> int:
        return torch.load("outputs/latest/seed-0/checkpoints/last.ckpt", weights_only=True)["epoch"]

    def changed(self) -> list[bool]:
        """Of each weight of its last layer."""
        saved = torch.load("outputs/latest/seed-0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        start = {
            name: v for name, v in load_file(Path(tiny.bert()) / "model.safetensors").items() if ".layer.1." in name
        }
        return [not torch.equal(saved[f"model.encoders.asked.network.{name}"], v) for name, v in start.items()]

    def test_learns_from_its_epoch_on_and_not_before(self, run):
        run("encoder.asked.unfreeze_at=1", "+trainer.max_steps=3")  # an epoch
        assert self.epoch() == 0
        assert not any(self.changed())
        run("encoder.asked.unfreeze_at=1")
        assert self.epoch() == 1
        assert all(self.changed())

    def test_refuses_an_epoch_that_never_comes(self, run, capsys):
        run()  # which writes the rows
        typed = [*TABLE, *ASKED, "encoder.asked=hf", f"encoder.asked.model={tiny.bert()}"]
        assert main(["train", *typed, "encoder.asked.unfreeze_at=2"]) == 2
        assert "epochs count from 0, and trainer.max_epochs=2" in capsys.readouterr().err

    def test_a_rate_of_its_own(self, run):
        run("encoder.asked.freeze=false", "encoder.asked.lr=1e-7", "optimizer.lr=1e-3")
        state = torch.load("outputs/latest/seed-0/checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]
        rates = {part: group["lr"] for group in state["param_groups"] for part in group["name"].split("+")}
        assert rates["asked"] == 1e-7
        assert rates["fusion"] == rates["seen"] == 1e-3
