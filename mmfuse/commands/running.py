"""What the commands share that compose an experiment."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mmfuse.commands.parser import Parser, add_parts, add_talk
from mmfuse.errors import ConfigError

EXAMPLES = """examples:
  mmfuse train                                        the embedded data set, three modalities, gated fusion
  mmfuse train fusion=concat seeds=[0,1,2]            another fusion, three seeds
  mmfuse train modalities=[text]                      what one modality does alone
  mmfuse train model=late fusion=mean encoder.text.dim=64 optimizer.lr=1e-3
  mmfuse train dataset=table dataset.file=reviews.csv \\
      'dataset.modalities={review: {kind: text}, photo: {kind: image, column: file}}' \\
      'dataset.tasks={stars: {kind: multiclass}}'

keys: every key of `mmfuse train --dry-run`; mmfuse list, mmfuse show KIND/NAME tell what there is
exit codes: 0 done, 1 internal, 2 usage or config, 3 data, 4 training failed, 75 preempted, 130 Ctrl-C"""


def running_parser(command: str, about: str, examples: str = EXAMPLES) -> Parser:
    parser = Parser(command, about, examples)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="in Hydra's grammar")
    parser.add_argument("-e", "--experiment", metavar="NAME|FILE", help="an experiment's config")
    add_parts(parser)
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts a config may name")
    parser.add_argument("--dry-run", action="store_true", help="print the composed config, and no more")
    add_talk(parser)
    parser.add_argument("-m", "--multirun", action="store_true", help="of train: a sweep, as mmfuse sweep is")
    return parser


def composed(parser: Parser, typed: list[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    options = parser.parse_intermixed_args(typed)
    return options, config_of(options)


def config_of(options: argparse.Namespace) -> dict[str, Any]:
    if options.multirun:
        raise ConfigError("-m is of mmfuse train, and the same as mmfuse sweep\n  here: one experiment at a time")
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.compose import compose

    catalog = Catalog([Path(folder) for folder in options.config_dir])
    if options.allow:
        sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    return compose(options.overrides, catalog, options.allow, options.experiment)


def as_yaml(config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
