"""Which models can be exported: every fusion over the default encoders, on the embedded digits, with fresh weights.

`python scripts/exports.py [--format onnx|pt2] [FUSION ...]`: a line each, the largest difference from the model itself
in two batches, or why there is none. Takes about half a minute a fusion.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.batches import Batches
from mmfuse.errors import UserError
from mmfuse.export.checked import export
from mmfuse.run.build import build
from mmfuse.run.prepare import divide, load, prepare

DECIDES = ("average", "maximum", "pdf", "product", "qmf", "stacking", "tmc", "vote")  # whose place is model=late


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("fusions", nargs="*")
    parser.add_argument("--format", choices=("onnx", "pt2"), default="onnx")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepared = None
    for fusion in options.fusions or Catalog().options("fusion"):
        level = ["model=late"] if fusion in DECIDES else []
        cfg = compose([f"fusion={fusion}", *level, *options.set], Catalog())
        if prepared is None:
            examples = load(cfg)
            prepared = prepare(cfg, examples, divide(cfg, examples)[0][1])
        rows = prepared.split.test
        batches = Batches(prepared.columns, prepared.targets)
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = build(cfg, prepared, 0).eval()
                file = Path(folder) / f"model.{options.format}"
                said = export(
                    model, prepared.tasks, None, {}, [batches[rows[:5]], batches[rows[:1]], batches[rows[5:40]]], file
                )
                fixed = {name: steps for name, steps in said.steps.items() if steps is not None}
                size = file.stat().st_size / 1e6
                print(f"{fusion:<16} {said.difference:.1e}  {size:.1f} MB  {fixed or ''}", flush=True)
            except UserError as error:
                print(f"{fusion:<16} {' | '.join(str(error).splitlines())}", flush=True)


if __name__ == "__main__":
    main()
