"""`mmfuse eval`."""

import argparse
from pathlib import Path
from typing import Any

from mmfuse.commands.asking import asked_run, asking_parser
from mmfuse.commands.parser import without_collection
from mmfuse.errors import ConfigError

ABOUT = "score a run again: on another split or file, from some of its modalities, under noise"
EXAMPLES = """examples:
  mmfuse eval outputs/latest                                     the test rows once more
  mmfuse eval outputs/latest --split val --modalities text,image
  mmfuse eval outputs/latest --split all dataset.file=later.csv  every labelled row of another table
  mmfuse eval outputs/latest --missing image=0,.25,.5,1 --missing audio+text=0,1
  mmfuse eval outputs/latest --noise image.blur=0,1,2,4 --noise text.words=0,.2,.5 --against late
  mmfuse eval outputs/latest --noise all -o curves.json           every kind of noise that fits a modality
  mmfuse eval outputs/latest -o figures.json --quiet

With --missing or --noise it draws curves and does not score again. Area is a curve's mean height; effective robustness,
the mean over noisy levels x of f(x) - (l(x) + f(0) - l(0)) for the run's figure f and the late fusion's l."""


def run(typed: list[str]) -> int:
    parser = asking_parser("eval", ABOUT, EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data or the machine: batch_size=64")
    parser.add_argument("--split", choices=("test", "val", "train", "all"), default="test", help="default: test")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="the figures as JSON, as metrics.json")
    parser.add_argument("--missing", action="append", default=[], metavar="M=0,.5,1", help="hide M's values; M+M; all")
    parser.add_argument("--noise", action="append", default=[], metavar="M.KIND=0,1,2", help="spoil M; M alone; all")
    parser.add_argument(
        "--against", choices=("late",), help="compare the curves with a late fusion's, trained if need be"
    )
    parser.add_argument("--draws", type=int, metavar="N", help="of chance; default: 5 for --missing, 3 for --noise")
    options = parser.parse_intermixed_args(typed)
    from mmfuse.atomic import write_json

    if options.output and not options.output.parent.is_dir():
        raise ConfigError(f"-o {options.output}: there is no folder {options.output.parent}")
    if options.draws is not None and options.draws < 1:
        raise ConfigError(f"--draws {options.draws}: 1 or more are needed")
    finished, hears = asked_run(options)
    if options.missing or options.noise:
        found = curves(options, finished, hears)
        if options.output:
            write_json(options.output, found)
        return 0
    if options.against or options.draws:
        raise ConfigError("--against and --draws are about curves\n  to go on: --noise all, or --missing all")
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import evaluate as evaluation
    scores = evaluation.evaluate(finished, options.split, hears, progress.listener(options.quiet, options.json))
    if options.output:
        write_json(options.output, {options.split: scores})
    return 0


def curves(options: argparse.Namespace, run: Any, hears: Any) -> dict[str, Any]:
    """What was asked for is looked at before anything is read or trained."""
    from mmfuse import progress
    from mmfuse.commands.curves import missing, noise

    listener = progress.listener(options.quiet, options.json)
    rates = missing(options.missing, run.cfg, listener.advised)
    levels = noise(options.noise, run.cfg, listener.advised)
    with without_collection():
        from mmfuse.run.missing_rates import DRAWS, missing_curves
        from mmfuse.run.robustness import late_fusion, noise_curves
    late = None
    if options.against:
        late = late_run(options, late_fusion(run, listener))
    found = {}
    if options.missing:
        found["missing"] = missing_curves(run, rates, listener, late, options.split, hears, options.draws or DRAWS)
        listener.curved("missing", found["missing"])
    if options.noise:
        about = (levels, options.split, hears, *([options.draws] if options.draws else []))
        found["noise"] = noise_curves(run, listener, late, *about)
        listener.curved("noise", found["noise"])
    return found


def late_run(options: argparse.Namespace, folder: Path) -> Any:
    """With what was typed of the data and the machine."""
    from mmfuse.config.altered import altered
    from mmfuse.run.finished import finished

    late = finished(folder, options.allow, options.seed)
    return late._replace(cfg=altered(dict(late.cfg), options.overrides))
