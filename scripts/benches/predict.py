"""What `mmfuse predict` asks of a model, against a loop by hand over the same batches that asks the model alone."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benches.held import settings
from benches.judged_model import ROWS, TASK, model
from benches.row import Row
from benches.timing import spent
from mmfuse.learner.asked import Asked, ask
from mmfuse.run.loader import loader
from mmfuse.run.make import make


def rows() -> Iterator[Row]:
    network, about = model(3)
    network.eval()
    which = np.tile(np.arange(ROWS), 20)
    batches = loader(settings(64), about, which, None)
    trainer = partial(make, {"_target_": "pytorch_lightning.Trainer", "accelerator": "cpu", "devices": 1}, "trainer")

    def by_hand() -> None:
        with torch.no_grad():
            for batch in batches:
                network(batch.signals)

    times: dict[str, list[float]] = {"ours": [], "rival": []}
    for _ in range(3):
        times["ours"].append(spent(lambda: ask(Asked(network, {"kind": TASK}, None, False), trainer, batches)))
        times["rival"].append(spent(by_hand))
    ours, rival = (len(which) / np.median(each) for each in times.values())
    yield Row("rows predicted, 3 vectors, gated, batches of 64", float(ours), float(rival), (">=", 0.9), "rows/s")
