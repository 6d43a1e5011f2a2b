"""`mmfuse export`."""

from pathlib import Path

from mmfuse.commands.asking import asked_run
from mmfuse.commands.parser import Parser, add_talk, without_collection
from mmfuse.errors import ConfigError

ABOUT = "a trained model for serving, checked against the original"
EXAMPLES = """examples:
  mmfuse export outputs/latest --format onnx                    model.onnx and model.onnx.json in the run's folder
  mmfuse export outputs/latest --format pt2 -o digits.pt2 --seed 1
  mmfuse export outputs/latest --format onnx --calibrated       probabilities tempered as metrics.json says

The file takes any number of rows, prepared as `mmfuse predict RUN DATA --prepared FILE` prepares them, and gives each
task's probabilities or values. It is run on test rows and kept only if it says what the model says. How to serve it:
docs/serving.md. ONNX needs pip install 'mmfuse[onnx]'."""


def run(typed: list[str]) -> int:
    parser = Parser("export", ABOUT, EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data: dataset.root=DIR")
    parser.add_argument("--format", choices=("onnx", "pt2"), required=True, help="pt2: by torch.export")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: RUN/model.onnx or RUN/model.pt2")
    parser.add_argument("--seed", type=int, metavar="N", help="one of the run's seeds; default: the first")
    parser.add_argument("--opset", type=int, metavar="N", help="ONNX's operators as of this version; default: torch's")
    parser.add_argument("--calibrated", action="store_true", help="divide logits by the run's temperature")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    add_talk(parser)
    options = parser.parse_intermixed_args(typed)
    refuse(options.format, options.output, options.opset)
    options.modalities = None
    finished, _ = asked_run(options)
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import export as exporting
    listener = progress.listener(options.quiet, options.json)
    exporting.export(finished, options.format, options.output, options.opset, options.calibrated, listener)
    return 0


def refuse(kind: str, output: Path | None, opset: int | None) -> None:
    """What can be told before anything is loaded."""
    from importlib.util import find_spec

    if output is not None and output.suffix != f".{kind}":
        raise ConfigError(f"-o {output}: --format {kind} makes a file that ends in .{kind}")
    if output is not None and not output.absolute().parent.is_dir():
        raise ConfigError(f"-o {output}: there is no folder {output.parent}")
    if opset is not None and kind != "onnx":
        raise ConfigError(f"--opset {opset} is of ONNX\n  to go on: --format onnx, or no --opset")
    if opset is not None and opset < 18:
        raise ConfigError(f"--opset {opset}: torch writes 18 and later\n  to go on: --opset 18")
    lacking = [name for name in ("onnx", "onnxscript", "onnxruntime") if kind == "onnx" and find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"--format onnx needs {', '.join(lacking)}: pip install 'mmfuse[onnx]'\n  to go on: --format pt2"
        )
