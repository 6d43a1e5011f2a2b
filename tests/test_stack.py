"""Runs that are trained as one: each is what it would be alone, and what cannot be is told and trained by itself."""

import csv
import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
import yaml

from mmfuse import cli
from mmfuse.commands import as_one as command
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.errors import Interrupted, TrainingError
from mmfuse.learner.leveled import UnstackableError
from mmfuse.learner.together import Together
from mmfuse.listener import Listener
from mmfuse.record.status import Status
from mmfuse.run import side_by_side
from mmfuse.run.train import run as train
from mmfuse.sweep import stacks
from mmfuse.sweep.drive import Drive
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.plan import Run
from mmfuse.sweep.source import Listed
from mmfuse.sweep.watcher import Watcher

CATALOG = Catalog()
SMALL = ["dataset=shared", "dataset.rows=240", "trainer.accelerator=cpu", "trainer.max_epochs=4", "bootstrap=200"]
SMALL += ["fusion.dim=16", "encoder.audio.dim=16", "encoder.text.dim=16", "threads=1"]
TALK = Namespace(allow=[], force=False, quiet=True, json=False)


def configs(common: Sequence[str], each: Sequence[Sequence[str]]) -> list[dict]:
    return [compose([*SMALL, *common, *own], CATALOG) for own in each]


def begun(folder: Path, about: Sequence[dict]) -> dict[Path, dict]:
    found = {folder / f"run-{n}": cfg for n, cfg in enumerate(about)}
    for place, cfg in found.items():
        place.mkdir(parents=True)
        (place / "config.yaml").write_text(yaml.safe_dump(cfg))
        Status(place).say("created")
    return found


def history(run: Path) -> list[dict[str, float]]:
    (file,) = run.glob("seed-*/history.csv")
    with open(file, newline="") as rows:
        return [{n: float(v) for n, v in row.items() if n != "seconds"} for row in csv.DictReader(rows)]


def figures(part: object, place: str = "") -> dict[str, float]:
    """The numbers of metrics.json by their place in it."""
    if isinstance(part, Mapping):
        parts = {f"{place}/{name}": value for name, value in part.items()}
    elif isinstance(part, list):
        parts = {f"{place}/{number}": value for number, value in enumerate(part)}
    else:
        return {place: float("nan") if part is None else float(part)} if not isinstance(part, str) else {}
    return {name: value for where, each in parts.items() for name, value in figures(each, where).items()}


def same(one: Path, other: Path) -> None:
    assert [list(row) for row in history(one)] == [list(row) for row in history(other)]
    for mine, theirs in zip(history(one), history(other), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5, nan_ok=True)
    mine, theirs = (figures(json.loads((run / "metrics.json").read_text())) for run in (one, other))
    assert mine == pytest.approx(theirs, abs=1e-5, nan_ok=True)
    assert written(one) == written(other) - {"last.ckpt", "previous.ckpt"}


def written(run: Path) -> set[str]:
    return {file.name for file in run.rglob("*") if file.is_file()} - {".lock", "output.log", "config.yaml"}


def lone(folder: Path, about: Sequence[dict]) -> list[Path]:
    found = begun(folder, about)
    for place, cfg in found.items():
        train(cfg, place, Listener())
    return list(found)


def stacked(folder: Path, about: Sequence[dict]) -> list[Path]:
    found = begun(folder, about)
    given = side_by_side.trained(found, Listener())
    for place, cfg in found.items():
        train(cfg, place, Listener(), given=given[place])
    return list(found)


@pytest.mark.parametrize(
    ("common", "each"),
    [
        (["fusion=gated"], [["seed=0"], ["seed=7", "optimizer.lr=0.005"], ["optimizer.weight_decay=0.3"]]),
        (  # each its own dropout, modalities hidden at random, and an end of its own
            ["fusion=concat", "drop=0.2", "early_stopping.patience=1", "optimizer=adam", "trainer.max_epochs=6"],
            [
                ["fusion.dropout=0.1"],
                ["fusion.dropout=0.5", "seed=1"],
                ["encoder.text.dropout=0.4", "rates.end=0.5"],
            ],
        ),
        (
            [
                "fusion=sum",
                "optimizer=sgd",
                "rates.warmup=0.2",
                "rates.decay=cosine",
                "objectives=[unimodal]",
                "balance.weights={task:1.0}",
            ],
            [
                ["seed=3"],
                ["objectives.unimodal.weight=0.25"],
                ["trainer.gradient_clip_val=0.1", "rates.end=0.5", "balance.weights={task:0.5}"],
            ],
        ),
    ],
    ids=["adamw", "chance", "sgd"],
)
def test_a_run_of_a_stack_is_what_it_is_alone(common, each, tmp_path):
    about = configs(common, each)
    for one, other in zip(stacked(tmp_path / "stack", about), lone(tmp_path / "lone", about), strict=True):
        same(one, other)


def test_a_run_that_diverges_ends_as_it_does_alone_and_the_others_go_on(tmp_path):
    about = configs([], [["seed=0"], ["optimizer.lr=1e30"], ["seed=2"]])
    found = begun(tmp_path / "stack", about)
    given = side_by_side.trained(found, Listener())
    said = []
    for place, cfg, options in [*((p, c, given[p]) for p, c in found.items())]:
        try:
            train(cfg, place, Listener(), given=options)
        except TrainingError as error:
            said.append((place.name, str(error)))
    alone = begun(tmp_path / "lone", about)
    for place, cfg in list(alone.items())[::2]:
        train(cfg, place, Listener())
        same(tmp_path / "stack" / place.name, place)
    with pytest.raises(TrainingError) as lost:
        train(about[1], tmp_path / "lone" / "run-1", Listener())
    assert said == [("run-1", str(lost.value))]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (
            ["dataset=shared", "trainer.accelerator=cpu", "fusion=stacking", "model=late"],
            "its fusion learns from answers of models that have not seen",
        ),
        (["dataset=digits", "modalities=[text]", "trainer.accelerator=cpu"], "its rows are not in memory, or not all"),
    ],
)
def test_what_a_model_cannot_is_told_before_anything_is_trained(typed, why, tmp_path, monkeypatch):
    monkeypatch.setattr(Together, "run", lambda self: pytest.fail("it was trained"))
    about = [compose([*typed, f"seed={seed}"], CATALOG) for seed in (0, 1)]
    with pytest.raises(UnstackableError, match=why):
        side_by_side.trained(begun(tmp_path, about), Listener())


def test_a_step_that_is_not_that_of_a_lone_run_is_refused(tmp_path, monkeypatch):
    def wrong(*args):
        return [torch.ones_like(part) for part in right(*args)]

    from mmfuse.learner import together

    right = together.drawn
    monkeypatch.setattr(together, "drawn", wrong)  # nothing is dropped
    about = configs(["fusion=concat", "fusion.dropout=0.5"], [["seed=0"], ["seed=1"]])
    with pytest.raises(UnstackableError, match="its first step is not that of a lone run"):
        side_by_side.trained(begun(tmp_path, about), Listener())


def test_runs_are_alike_by_all_but_seeds_and_floats_of_what_is_trained():
    first = stacks.kin(compose(SMALL, CATALOG))
    alike = ["seed=4", "optimizer.lr=0.1", "encoder.text.dropout=0.7", "early_stopping.patience=2", "seeds=[5]"]
    others = ["fusion.dim=8", "batch_size=8", "drop=0.1", "dataset.split.seed=1", "label_smoothing=0.1", "seeds=[0,1]"]
    assert {stacks.kin(compose([*SMALL, typed], CATALOG)) for typed in alike} == {first}
    keys = [stacks.kin(compose([*SMALL, typed], CATALOG)).key for typed in others]
    assert len({first.key, *keys}) == len(others) + 1


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("balance=mgda", "balance=mgda"),
        ("schedule=alternating", "schedule=alternating"),
        ("averaging.kind=ema", "averaging.kind=ema"),
        ("trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches=2"),
        ("+trainer.max_steps=5", "trainer.max_steps=5"),
        ("trainer.precision=bf16-mixed", "trainer.precision=bf16-mixed"),
        ("folds=3", "folds=3"),
        ("mixup=0.2", "mixup=0.2"),
        ("penalty.l2=0.1", "penalty.l2=0.1"),
    ],
)
def test_what_is_trained_by_itself_says_why(typed, why):
    assert stacks.kin(compose([*SMALL, typed], CATALOG)).alone == why


class Fake(Launcher):
    def __init__(self, slots):
        self.slots, self.running, self.started = slots, [], []

    @property
    def room(self):
        return self.slots - len(self.running)

    def start(self, folders):
        for folder in folders:
            self.start_as_one([folder])

    def start_as_one(self, folders):
        assert self.room
        self.running.append(folders)
        self.started.append([folder.name for folder in folders])

    def ended(self):
        found, self.running = [(folder, 4) for folders in self.running for folder in folders], []
        for folder, _ in found:
            fails = folder.name == "b1" and sum("b1" in names for names in self.started) == 1
            Status(folder).say(
                "failed" if fails else "done", exit_code=4 if fails else 0, error="nan" if fails else None
            )
        return found

    def stop(self): ...

    def close(self): ...


def test_a_sweep_fills_stacks_with_what_is_alike_and_tries_a_failed_run_by_itself(tmp_path):
    names = ["a0", "b0", "a1", "b1", "a2", "b2", "alone", "a3"]
    launcher = Fake(2)

    def begin(run):
        (tmp_path / run.folder).mkdir(exist_ok=True)
        return tmp_path / run.folder

    source = Listed([Run(name, (), {}, name) for name in names])
    kin = lambda run: None if run.folder == "alone" else run.folder[0]  # noqa: E731
    tally = Drive(tmp_path, source, begin, launcher, 1, Watcher(), stack=3, kin=kin).run()
    assert tally == {"done": 8}  # each by its own word, whatever the stack's exit code
    assert launcher.started[:2] == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]
    assert sorted(launcher.started[2:]) == [["a3"], ["alone"], ["b1"]]


def test_a_stack_that_was_stopped_begins_anew_and_comes_to_the_same(tmp_path, monkeypatch):
    about = configs([], [["seed=0"], ["seed=1"]])
    found, judge = list(begun(tmp_path / "stack", about)), Together.judge

    def stopping(self, epoch, began):
        if epoch == 2:
            raise Interrupted(15)
        judge(self, epoch, began)

    with monkeypatch.context() as at:
        at.setattr(Together, "judge", stopping)
        with pytest.raises(Interrupted):
            command.as_one(found, TALK, cli.guarded)
    assert [Status.read(folder) for folder in found] == ["preempted", "preempted"]
    assert command.as_one(found, TALK, cli.guarded) == 0
    assert [Status.read(folder) for folder in found] == ["done", "done"]
    for one, other in zip(found, lone(tmp_path / "lone", about), strict=True):
        same(one, other)


def test_what_cannot_be_stacked_is_trained_one_by_one_and_the_sweep_is_told_once(tmp_path, monkeypatch):
    def refused(*_):
        raise UnstackableError("no reason")

    monkeypatch.setattr(Together, "rehearse", refused)
    about = configs(["trainer.max_epochs=1"], [["seed=0"], ["seed=1"]])
    found = list(begun(tmp_path, about))
    assert command.as_one(found, TALK, cli.guarded) == 0
    assert [Status.read(folder) for folder in found] == ["done", "done"]
    assert stacks.refused(tmp_path) == ["2 runs were trained by themselves: no reason"]


@pytest.mark.parametrize(
    "typed",
    [["sweep.stack=0"], ["sweep.stack=2", "launcher=ray"], ["sweep.stack=2", "sweep.search=tpe", "sweep.trials=3"]],
)
def test_a_stack_that_cannot_be_is_told_at_once(typed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", "optimizer.lr=0.1,0.2", *typed]) == 2
    assert "sweep.stack" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
