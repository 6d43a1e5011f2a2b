"""A training that was stopped and goes on from its checkpoint ends as one that was not, by any balancer."""

from functools import partial
from pathlib import Path

import pytest
import torch

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored
from mmfuse.learner.fit import build as build_trainer
from mmfuse.run.build import learner
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Frozen, divide, load, prepare
from mmfuse.run.settings import patience
from mmfuse.types import Listener, Ragged

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


def trained(cfg, rows, folder, epochs, stopped=None):
    """The learner and its optimizer's state after so many epochs, from the checkpoint where one is named."""
    torch.manual_seed(len(str(folder)))  # what a process happens to have drawn before
    trains = learner(cfg, rows, seed=0)
    trainer = build_trainer(
        partial(make, cfg["trainer"] | {"max_epochs": epochs}, "trainer"),
        folder,
        patience(cfg, rows.tasks, trains.schedule),
        Listener(),
    )
    trainer.fit(trains, training_loader(cfg, rows, 0), loader(cfg, rows, rows.split.val, None), ckpt_path=stopped)
    return trains, trainer.optimizers[0].state_dict()


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.parametrize("balance", BALANCERS)
def test_goes_on_as_if_it_had_not_been_stopped(balance, rows, tmp_path):
    cfg = compose([*SMALL, f"balance={balance}", *NEEDS.get(balance, ())], Catalog())
    whole, expected = trained(cfg, rows, tmp_path / "whole", 4)
    trained(cfg, rows, tmp_path / "stopped", 2)
    rest, found = trained(cfg, rows, tmp_path / "stopped", 4, str(tmp_path / "stopped" / "last.ckpt"))
    assert same(rest.state_dict(), whole.state_dict()) == []
    assert same(flat(found), flat(expected)) == []


def flat(state):
    return {f"{k}/{name}": torch.as_tensor(v) for k, kept in state["state"].items() for name, v in kept.items()}


def same(one, other):
    """What differs by a bit."""
    assert one.keys() == other.keys()
    kept = [k for k in one if isinstance(one[k], torch.Tensor)]
    return [k for k in kept if not torch.equal(one[k].nan_to_num(), other[k].nan_to_num())]
