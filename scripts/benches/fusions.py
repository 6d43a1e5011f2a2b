"""Ten trainings over a frozen MiniLM, whose texts are encoded once, against features that are given. CPU time.

All in one process: imports are not counted; opening the data, preparing it and building the model are.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benches.held import TASK
from benches.mixed_texts import mixed_texts
from benches.row import Row
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.learner.fit import fit
from mmfuse.listener import Listener
from mmfuse.record.log import to_file
from mmfuse.run.build import learner
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Prepared, divide, load, prepare
from mmfuse.run.settings import patience

FUSIONS = [
    ["fusion=concat"],
    ["fusion=concat", "fusion.dim=32"],
    ["fusion=concat", "fusion.dropout=0.5"],
    ["fusion=gated"],
    ["fusion=gated", "fusion.dim=32"],
    ["fusion=mean"],
    ["fusion=weighted"],
    ["fusion=weighted", "fusion.dim=64"],
    ["fusion=mean", "model=late"],
    ["fusion=weighted", "model=late"],
]
EPOCHS, FEW = 20, 5


def rows() -> Iterator[Row]:
    before = os.environ.get("MMFUSE_CACHE")
    with tempfile.TemporaryDirectory() as name, to_file(Path(name) / "log.txt"):
        folder = Path(name)
        os.environ["MMFUSE_CACHE"] = str(folder / "cache")
        table_of_pictures(folder, mixed_texts(160, mean=3.3))
        about = [
            "dataset=table",
            f"dataset.file={folder / 'rows.csv'}",
            "dataset.modalities={text: {kind: text}, image: {kind: image}}",
            TASK,
            "encoder.text=hf",
            "encoder.image=lenet",
            f"trainer.max_epochs={EPOCHS}",
            "trainer.accelerator=cpu",
            f"early_stopping.patience={EPOCHS}",
        ]
        catalog = Catalog()
        configs = [compose([*about, *fusion], catalog) for fusion in FUSIONS]
        warm = compose([*about, "encoder.text=bag", "trainer.max_epochs=1"], catalog)
        trained_once(warm, folder / "warm", opened(warm, Listener()))  # what is imported at first use
        clock = time.process_time
        start = clock()
        given = opened(configs[0], Listener())
        encoding_ = clock() - start
        trained_once(configs[0], folder / "given0", given)
        one = clock() - start
        for k, cfg in enumerate(configs[1:], 1):
            trained_once(cfg, folder / f"given{k}", given)
        given_ = clock() - start
        os.environ["MMFUSE_CACHE"] = str(folder / "another")
        start = clock()
        for k, cfg in enumerate(configs):
            trained_once(cfg, folder / f"cached{k}", opened(cfg, Listener()))
        cached_ = clock() - start
        yield Row("ten fusions, cached, against features that are given", cached_, given_, ("<", 1.5), "s")
        yield Row("  of which opening and encoding once", encoding_, None, None, "s")
        start = clock()
        few = compose([*about, *FUSIONS[0], f"trainer.max_epochs={FEW}"], catalog)
        trained_once(few, folder / "anew", opened(few, None))
        name = f"one fusion, encoding in all {EPOCHS} epochs ({FEW} of them, scaled), against once"
        yield Row(name, (clock() - start) * EPOCHS / FEW, one, (">=", 10), "s, that one pass for one fusion alone")
        os.environ.pop("MMFUSE_CACHE")
        if before is not None:
            os.environ["MMFUSE_CACHE"] = before


def table_of_pictures(folder: Path, texts: list[str]) -> None:
    random = np.random.default_rng(0)
    with open(folder / "rows.csv", "w") as out:
        out.write("text,image,label\n")
        for k, text in enumerate(texts):
            Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / f"{k}.png")
            out.write(f"{text},{k}.png,c{k % 3}\n")


def opened(cfg: dict[str, Any], listener: Listener | None) -> Prepared:
    """With a listener frozen encoders are run, as `train` does; without one they are parts of the model."""
    examples = load(cfg)
    return prepare(cfg, examples, divide(cfg, examples)[0][1], listener=listener)


def trained_once(cfg: dict[str, Any], folder: Path, ready: Prepared) -> None:
    trained = learner(cfg, ready, 0)
    fit(
        trained,
        partial(make, cfg["trainer"], "trainer"),
        training_loader(cfg, ready, 0),
        loader(cfg, ready, ready.split.val, None),
        folder / "checkpoints",
        patience(cfg, ready.tasks, trained.schedule),
        Listener(),
    )
