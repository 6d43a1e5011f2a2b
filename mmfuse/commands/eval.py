"""`mmfuse eval`."""

from pathlib import Path

from mmfuse.commands.asking import asked_run, asking_parser
from mmfuse.commands.parser import without_collection
from mmfuse.errors import ConfigError

ABOUT = "score a run again: on another split or file, from some of its modalities"
EXAMPLES = """examples:
  mmfuse eval outputs/latest                                     the test rows once more
  mmfuse eval outputs/latest --split val --modalities text,image
  mmfuse eval outputs/latest --split all dataset.file=later.csv  every labelled row of another table
  mmfuse eval outputs/latest -o figures.json --quiet"""


def run(typed: list[str]) -> int:
    parser = asking_parser("eval", ABOUT, EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data or the machine: batch_size=64")
    parser.add_argument("--split", choices=("test", "val", "train", "all"), default="test", help="default: test")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="the figures as JSON, as metrics.json")
    options = parser.parse_intermixed_args(typed)
    from mmfuse.atomic import write_json

    if options.output and not options.output.parent.is_dir():
        raise ConfigError(f"-o {options.output}: there is no folder {options.output.parent}")
    finished, hears = asked_run(options)
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import evaluate as evaluation
    scores = evaluation.evaluate(finished, options.split, hears, progress.listener(options.quiet, options.json))
    if options.output:
        write_json(options.output, {options.split: scores})
    return 0
