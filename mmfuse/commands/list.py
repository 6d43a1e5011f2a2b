"""`mmfuse list`."""

from pathlib import Path

from mmfuse.commands.parser import Parser, add_parts

ABOUT = "what there is to choose from: datasets, encoders, fusion, models, ..."


def run(typed: list[str]) -> int:
    parser = Parser("list", ABOUT)
    parser.add_argument("kind", nargs="?", metavar="KIND")
    add_parts(parser)
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.describe import table

    print(table(Catalog([Path(folder) for folder in options.config_dir]), options.kind))
    return 0
