"""A training that was stopped and goes on from its checkpoint ends as one that was not, to the last bit."""

import errno
import json
import os
import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmfuse.cli import main
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored
from mmfuse.errors import Interrupted
from mmfuse.learner import pace
from mmfuse.learner.checkpoints import AtomicCheckpoints, newest
from mmfuse.learner.fit import fit
from mmfuse.listener import Listener
from mmfuse.record.status import Status
from mmfuse.run.build import learner
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Frozen, divide, load, prepare
from mmfuse.run.settings import averaging, patience
from mmfuse.types import Ragged

BALANCERS = sorted(file.stem for file in (Path(__file__).parents[1] / "configs" / "balance").glob("*.yaml"))
NAMES = ("image", "audio")
SMALL = [
    "strategy=multi_task",
    "modalities=[image,audio]",
    "fusion=concat",
    "fusion.dim=8",
    "batch_size=16",
    "threads=1",
]
UNIMODAL = ["objectives=[unimodal]"]
NEEDS = {"gradient_blending": UNIMODAL, "mmpareto": UNIMODAL}  # what a balancer has no sense without


@pytest.fixture(scope="module")
def rows():
    """Digits whose pictures and sounds are random vectors; 64 train, four steps an epoch."""
    cfg = compose(SMALL, Catalog())
    examples = load(cfg)
    prepared = prepare(cfg, examples, divide(cfg, examples)[0][1])
    dice, n = torch.Generator().manual_seed(0), len(examples)
    columns = {m: Stored(Ragged(torch.randn(n, 12, generator=dice), torch.ones(n, dtype=torch.long))) for m in NAMES}
    return prepared._replace(
        columns=columns,
        encoded=dict.fromkeys(NAMES, Frozen(12, 0)),
        split=prepared.split._replace(val=prepared.split.val[:16]),
        seen=prepared.seen[:64],
    )


class Ends(Listener):
    """Ends training after so many steps, by a signal or as if the machine had died."""

    def __init__(self, steps, signals):
        self.left, self.signals = steps, signals

    def step(self, done, rows, loss):
        self.left -= 1
        if self.left == 0 and self.signals:
            signal.raise_signal(signal.SIGTERM)
        elif self.left == 0:
            raise DiedError


class DiedError(Exception): ...


def trained(cfg, rows, folder, epochs, resume=None, listener=None, minutes=5.0):
    """The learner after so many epochs, its best weights, its optimizer's state and what callbacks keep."""
    torch.manual_seed(len(str(folder)))  # what a process happens to have drawn before
    trains = learner(cfg, rows, seed=0)
    trainer = fit(
        trains,
        partial(make, cfg["trainer"] | {"max_epochs": epochs}, "trainer"),
        training_loader(cfg, rows, 0),
        loader(cfg, rows, rows.split.val, None),
        folder,
        patience(cfg, rows.tasks, trains.schedule),
        listener or Listener(),
        averaging(cfg),
        minutes,
        resume,
    )
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    best = {f"best/{name}": value for name, value in trains.state_dict().items()}
    marks = {f"{n}/{k}": v for n, kept in saved["callbacks"].items() for k, v in kept.items() if "path" not in k}
    return saved["state_dict"] | best | flat(trainer.optimizers[0].state_dict()) | flat({"state": marks_of(marks)})


def marks_of(marks):
    """What early stopping and the best epoch are judged by."""
    names = ("best_model_score", "wait_count", "stopped_epoch", "best_score")
    return {name: {"": value} for name, value in marks.items() if name.endswith(names) and value is not None}


@pytest.mark.parametrize("balance", BALANCERS)
def test_goes_on_as_if_it_had_not_been_stopped(balance, rows, tmp_path):
    cfg = compose([*SMALL, f"balance={balance}", *NEEDS.get(balance, ())], Catalog())
    whole = trained(cfg, rows, tmp_path / "whole", 4)
    trained(cfg, rows, tmp_path / "stopped", 2)
    rest = trained(cfg, rows, tmp_path / "stopped", 4, newest(tmp_path / "stopped"))
    assert same(rest, whole) == []


# Four steps an epoch: in the midst of the first, of the second, at its last step, at the first of the third.
@pytest.mark.parametrize("step", [1, 6, 8, 9])
def test_goes_on_after_a_signal_at_any_step(step, rows, tmp_path):
    check_goes_on("drop=0.3", step, rows, tmp_path)


@pytest.mark.parametrize(
    "about",
    [
        "balance=dwa",
        "averaging.kind=ema averaging.decay=0.8 optimizer=sgd",
        "objectives=[pmr]",
        "fusion=qmf model=late tasks=[digit,parity]",
        "trainer.accumulate_grad_batches=2 rates.warmup=0.2 rates.decay=cosine",
        "+trainer.val_check_interval=0.5",
        "schedule=alternating",
        "+trainer.max_steps=13",
    ],
)
def test_goes_on_in_the_midst_of_an_epoch_whatever_is_trained(about, rows, tmp_path):
    check_goes_on(about, 5 if "accumulate" in about else 6, rows, tmp_path)


def check_goes_on(about, step, rows, tmp_path):
    small = [key for key in SMALL if not (key.startswith("fusion") and "fusion=" in about)]
    cfg = compose([*small, *about.split()], Catalog())
    rows = rows._replace(tasks={t: rows.tasks[t] for t in cfg["tasks"]})
    whole = trained(cfg, rows, tmp_path / "whole", 4)
    with pytest.raises(Interrupted):
        trained(cfg, rows, tmp_path / "stopped", 4, listener=Ends(step, signals=True))
    stopped = newest(tmp_path / "stopped")
    assert (stopped.epoch, stopped.batches) != (0, 0)
    assert same(trained(cfg, rows, tmp_path / "stopped", 4, stopped), whole) == []


def test_a_death_costs_what_was_trained_since_the_last_checkpoint(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "DEARTH", 0)
    cfg = compose([*SMALL, "drop=0.3"], Catalog())
    whole = trained(cfg, rows, tmp_path / "whole", 3)
    with pytest.raises(DiedError):
        trained(cfg, rows, tmp_path / "died", 3, listener=Ends(7, signals=False), minutes=1e-9)
    left = newest(tmp_path / "died")
    assert (left.epoch, left.batches) == (1, 2)  # the seventh step was told of, and not yet saved
    assert same(trained(cfg, rows, tmp_path / "died", 3, left), whole) == []


@pytest.mark.parametrize("harm", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:3000] + b"x" * 40 + b[3040:]])
def test_a_torn_checkpoint_is_noticed_and_the_one_before_it_used(harm, rows, tmp_path):
    cfg = compose(SMALL, Catalog())
    whole = trained(cfg, rows, tmp_path / "whole", 3)
    trained(cfg, rows, tmp_path / "torn", 2)
    last = tmp_path / "torn" / "last.ckpt"
    last.write_bytes(harm(last.read_bytes()))
    left = newest(tmp_path / "torn")
    assert left.torn == last
    assert (left.path.name, left.epoch, left.batches) == ("previous.ckpt", 1, 0)
    assert same(trained(cfg, rows, tmp_path / "torn", 3, left), whole) == []


def test_where_nothing_is_whole_there_is_none(tmp_path):
    assert newest(tmp_path) is None
    (tmp_path / "last.ckpt").write_bytes(b"torn")
    assert newest(tmp_path) is None


def test_early_stopping_stays_said(rows, tmp_path):
    """It died after the checkpoint of its last epoch, and before what comes after."""
    cfg = compose([*SMALL, "early_stopping.patience=1", "early_stopping.min_delta=2"], Catalog())
    whole = trained(cfg, rows, tmp_path / "whole", 9)
    again = trained(cfg, rows, tmp_path / "whole", 9, newest(tmp_path / "whole"))
    assert newest(tmp_path / "whole").epoch == 2  # the first sets the mark, the second does not reach it
    assert same(again, whole) == []


def flat(state):
    return {f"{k}/{name}": torch.as_tensor(v) for k, kept in state["state"].items() for name, v in kept.items()}


def same(one, other):
    """What differs by a bit."""
    assert one.keys() == other.keys()
    kept = [k for k in one if isinstance(one[k], torch.Tensor)]
    return [k for k in kept if not torch.equal(one[k].nan_to_num(), other[k].nan_to_num())]


class Full:
    """A disk that is full from its so manyth file on."""

    def __init__(self, files):
        self.left = files

    def __call__(self, number):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_last_checkpoint_whole_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pace, "DEARTH", 0)  # so that each epoch is saved
    small = ["modalities=[image]", "fusion=concat", "batch_size=64", "threads=1", "bootstrap=200"]
    typed = ["train", *small, "trainer.max_epochs=3", "trainer.accelerator=cpu", f"output_dir={tmp_path}", "--quiet"]
    assert main([*typed, "name=whole"]) == 0
    with monkeypatch.context() as short:
        short.setattr(os, "fsync", Full(3))
        assert main([*typed, "name=full"]) == 4
    said = capsys.readouterr().err
    assert "error[training]: the disk is full: " in said
    assert "last.ckpt cannot be written (No space left on device); its last checkpoint is whole" in said
    (folder,) = tmp_path.glob("full-*")
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("failed", 4)
    assert not [file for file in folder.rglob(".*") if file.is_file()]
    left = newest(folder / "seed-0" / "checkpoints")
    assert (left.epoch, left.torn) == (1, None)
    (folder / "seed-0" / ".history.csv.4711").write_text("what a process left that died")
    assert main(["train", "--resume", str(folder), "--quiet"]) == 0
    assert not [file for file in folder.rglob(".*") if file.is_file()]
    (whole,) = tmp_path.glob("whole-*")
    assert (folder / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


def test_a_status_finds_room_on_a_full_disk_where_it_stood_before(tmp_path, monkeypatch):
    Status(tmp_path).say("running")

    def write(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mmfuse.record.status.write_text", write)
    Status(tmp_path).say("failed", exit_code=4, error="the disk is full")
    assert json.loads((tmp_path / "status.json").read_text())["error"] == "the disk is full"
    with pytest.raises(OSError, match="No space left"):
        Status(tmp_path / "new").say("running")


def test_what_is_saved_costs_no_more_than_a_share_of_what_is_trained(monkeypatch):
    clock = iter([0.0, 0.0, 0.0, 2.0, 2.0, 199.0, 201.0, 201.0, 202.5])  # seconds
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    pacing = pace.Pace()
    assert pacing.due  # at 0
    with pacing.saving():  # from 0 to 2
        pass
    assert [pacing.due, pacing.due] == [False, False]  # at 2 and at 199
    assert not pacing.due  # at 201
    assert not pacing.waited(1.0)  # at 201
    assert pacing.due  # at 202.5


def test_a_best_that_is_surpassed_is_never_written_and_one_that_is_held_stays_as_it_was(tmp_path):
    weights = torch.zeros(3)
    keeps = AtomicCheckpoints()
    keeps.save_checkpoint({"state_dict": {"w": weights}, "optimizer_states": [1]}, tmp_path / "best.ckpt")
    weights += 1
    keeps.save_checkpoint({"state_dict": {"w": weights}, "optimizer_states": [2]}, tmp_path / "best.ckpt")
    weights += 1
    assert not list(tmp_path.iterdir())
    keeps.save_checkpoint({"state_dict": {"w": weights}, "place": (1, 0)}, tmp_path / "last.ckpt")
    saved = {name: torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("best", "last")}
    assert saved["best"].keys() == {"state_dict"}
    assert saved["best"]["state_dict"]["w"].tolist() == [1, 1, 1]
    assert saved["last"]["state_dict"]["w"].tolist() == [2, 2, 2]
