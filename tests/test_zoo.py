"""Every fusion at every level trains on digits, with all modalities there and with three in ten missing.

Two epochs without encoders: what is asked is that the loss falls and that answers are numbers. What each can learn is
`mmfuse selftest`'s to ask.
"""

from pathlib import Path

import pytest
import torch
from fusion_facts import NOT_AT, UNALIGNED

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored
from mmfuse.encoders.log_mel import LogMel
from mmfuse.learner.fit import fit, predict
from mmfuse.listener import Listener
from mmfuse.run.build import learner
from mmfuse.run.loader import loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Frozen, divide, load, prepare
from mmfuse.run.settings import patience
from mmfuse.types import Ragged

CONFIGS = Path(__file__).parents[1] / "configs"
FUSIONS = sorted(file.stem for file in (CONFIGS / "fusion").glob("*.yaml"))
SMALL = ["trainer.max_epochs=2", "optimizer.lr=1e-2", "batch_size=32", "threads=1"]
ROWS, ASKED = 192, 64  # to train on, and to validate and test on
CAREFUL = {"block", "bottleneck", "cross_attention", "early_tokens", "mfn", "misa", "mult", "perceiver"}  # a lower rate
SHALLOW = {"mult": {"layers": 1, "memory": 1}}


class Losses(Listener):
    def __init__(self):
        self.each = []

    def epoch(self, figures):
        self.each.append(figures["train/loss"])


def composed(*typed):
    return compose([*SMALL, *typed], Catalog())


@pytest.fixture(scope="module")
def whole():
    """Digits as steps of plain features, made once: a picture's lines, a sound's mel frames, a random vector a word."""
    cfg = composed()
    examples = load(cfg)
    prepared = prepare(cfg, examples, divide(cfg, examples)[0][1])
    words = torch.randn(prepared.preparations["text"].size, 16, generator=torch.Generator().manual_seed(0))
    rows, columns = torch.arange(len(examples)), prepared.columns
    heard = LogMel(8000, mels=20)(columns["audio"].batch(rows))
    image = columns["image"].data.float().flatten(1, 2)  # (rows with one, 8, 8)
    seen = columns["image"].lengths * image.shape[1]
    steps = {
        "image": Ragged((image.flatten(0, 1) / 127.5 - 1), seen),
        "audio": Ragged((heard.data[heard.mask] + 40) / 20, heard.mask.sum(dim=1)),
        "text": Ragged(words[columns["text"].data], columns["text"].lengths),
    }
    split = prepared.split._replace(val=prepared.split.val[:ASKED], test=prepared.split.test[:ASKED])
    return prepared._replace(
        seen=prepared.seen[:ROWS],
        split=split,
        columns={m: Stored(ragged) for m, ragged in steps.items()},
        encoded={m: Frozen(ragged.data.shape[1], 0) for m, ragged in steps.items()},
    )


@pytest.fixture(scope="module")
def lacking(whole):
    """Three in ten of each modality's rows lose it."""
    dice = torch.Generator().manual_seed(0)
    columns = {}
    for modality, column in whole.columns.items():
        lost = torch.rand(len(column.lengths), generator=dice) < 0.3
        kept = (~lost).repeat_interleave(column.lengths)
        columns[modality] = Stored(Ragged(column.data[kept], column.lengths.masked_fill(lost, 0)))
    return whole._replace(columns=columns)


LEVELS = ["feature", "late", "task"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_trains_at_every_level_with_three_in_ten_missing(fusion, level, lacking, tmp_path):
    check_trains(fusion, level, lacking, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_trains_at_every_level(fusion, level, whole, tmp_path):
    check_trains(fusion, level, whole, tmp_path)


def check_trains(fusion, level, prepared, tmp_path):
    if level in NOT_AT.get(fusion, ()):
        pytest.skip(f"{fusion} is refused at that level, which its own tests hold")
    cfg = composed(
        f"fusion={fusion}", f"model={level}", *(f"fusion.{k}={v}" for k, v in UNALIGNED.get(fusion, {}).items())
    )
    heard = Losses()
    trained = learner(cfg, prepared, 0)
    trainer = fit(
        trained,
        lambda **parts: make(cfg["trainer"], "trainer", **parts),
        loader(cfg, prepared, prepared.seen, 0),
        loader(cfg, prepared, prepared.split.val, None),
        tmp_path,
        patience(cfg, prepared.tasks, trained.schedule),
        heard,
    )
    said = predict(trained, trainer, loader(cfg, prepared, prepared.split.test, None))["digit"]
    assert said.prediction.isfinite().all()
    assert heard.each[1] < heard.each[0]
