"""What checkpoints take of a training: two at each epoch's end, written beside their place and flushed to disk.

Wall time, for a disk is waited for. Those in the midst of an epoch come every five minutes, and wait until fifty times
as long has been trained as the last one took.
"""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as L

from benches.row import Row
from benches.step_models import NAMES, SETTINGS, TASKS, Setting, adamw
from mmfuse.balance.plain import Plain
from mmfuse.learner.fit import Patience, fit
from mmfuse.learner.learner import Learner
from mmfuse.listener import Listener
from mmfuse.schedules.synchronous import Synchronous

EPOCHS = 3


def rows() -> Iterator[Row]:
    for name, setting in SETTINGS.items():
        saving, whole = trained(setting)
        unit = "% of the time, in epochs of 4,096 rows"
        yield Row(f"checkpoints, two {name}", 100 * saving / whole, None, ("<", 2.0), unit)


class Watched(L.Trainer):
    """Told apart: the time that saving takes, from gathering what is saved to its being on disk."""

    saving = 0.0

    def save_checkpoint(self, *arguments: Any, **named: Any) -> None:
        began = time.perf_counter()
        super().save_checkpoint(*arguments, **named)
        self.saving += time.perf_counter() - began


def trained(setting: Setting) -> tuple[float, float]:
    """Seconds of saving, and of all."""
    learner = Learner(setting.model(), TASKS, {}, Plain(NAMES), Synchronous(), adamw)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        trainer = fit(
            learner,
            partial(Watched, accelerator="cpu", max_epochs=EPOCHS, gradient_clip_val=1.0),
            setting.rows(),
            setting.rows(),
            Path(folder) / "checkpoints",
            Patience("val/loss", "min", EPOCHS, 0.0),
            Listener(),
        )
        whole = time.perf_counter() - began
    assert isinstance(trainer, Watched)
    return trainer.saving, whole
