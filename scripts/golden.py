"""The losses of the first four steps of a few experiments. They guard the training loop: a change shows at once.

`python scripts/golden.py` writes tests/golden.json anew; the commit that holds the change says why it was right.
"""

import json
import tempfile
from pathlib import Path

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.listener import Listener
from mmfuse.run.train import run

FILE = Path(__file__).resolve().parent.parent / "tests" / "golden.json"
EXPERIMENTS = ["fusion=gated", "model=late fusion=mean", "fusion=concat drop=0.3 seed=1", "tasks=[magnitude]"]
FEW = [
    "trainer.limit_train_batches=4",
    "trainer.limit_val_batches=1",
    "trainer.max_epochs=1",
    "bootstrap=1",
    "threads=1",
]


class Losses(Listener):
    def __init__(self) -> None:
        self.heard: list[float] = []

    def step(self, done: int, rows: int, loss: float) -> None:
        self.heard.append(loss)


def first_losses(experiment: str) -> list[float]:
    losses = Losses()
    with tempfile.TemporaryDirectory() as folder:
        run(compose([*experiment.split(), *FEW], Catalog()), Path(folder), losses)
    return losses.heard


if __name__ == "__main__":
    FILE.write_text(json.dumps({e: first_losses(e) for e in EXPERIMENTS}, indent=2) + "\n")
    print(FILE.read_text(), end="")
