"""A table of a million rows, from the file to the first batch. Wall time."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benches.held import TASK
from benches.row import Row
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.record.facts import facts
from mmfuse.run.build import build
from mmfuse.run.examine import examine
from mmfuse.run.loader import loader
from mmfuse.run.prepare import divide, load, prepare


def rows() -> Iterator[Row]:
    n, random = 1_000_000, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "million.csv"
        words, values = random.integers(0, 5000, (n, 8)), random.standard_normal((n, 4)).round(3)
        label, split = random.integers(0, 5, n), np.array(["train"] * 8 + ["val"] + ["test"])[np.arange(n) % 10]
        with open(file, "w") as out:
            out.write("id,text,value,label,split\n")
            out.writelines(
                f'r{k},{" ".join(f"word{i}" for i in w)},"{json.dumps(v)}",c{label[k]},{split[k]}\n'
                for k, (w, v) in enumerate(zip(words.tolist(), values.tolist(), strict=True))
            )
        typed = ["dataset=table", f"dataset.file={file}", "dataset.id=id", "dataset.split.column=split", TASK]
        cfg = compose([*typed, "dataset.modalities={text: {kind: text}, value: {kind: vector}}"], Catalog())
        took: dict[str, float] = {}

        def timed(name: str, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            done = do(*arguments, **named)
            took[name] = time.perf_counter() - start
            return done

        examples = timed("load", load, cfg)
        divided = timed("divide", divide, cfg, examples)
        ready = timed("prepare", prepare, cfg, examples, divided[0][1])
        timed("build", build, cfg, ready, 0)
        timed("audit of train", examine, cfg, examples, divided, ready, thorough=False)
        timed("audit of check", examine, cfg, examples, divided, ready, thorough=True)
        timed("facts", facts, examples, [s for _, s in divided], ready.missing, ready.unreadable)
        timed("first batch", lambda: next(iter(loader(cfg, ready, ready.seen, 0))))
        del examples, ready
        command = [sys.executable, "-m", "mmfuse.cli", "init", str(file), "-o", str(Path(folder) / "million.yaml")]
        timed("mmfuse init", subprocess.run, command, check=True, capture_output=True)
    yield Row("opening 1,000,000 rows", took.pop("load"), None, ("<", 10.0), "s")
    for name, seconds in took.items():
        yield Row(f"  {name}", seconds, None, ("<", 10.0) if name == "mmfuse init" else None, "s")
