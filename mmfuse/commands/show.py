"""`mmfuse show`."""

from pathlib import Path

from mmfuse.commands.parser import Parser, add_parts

ABOUT = "what one of them is: its paper, its keys with types and defaults, its file"


def run(typed: list[str]) -> int:
    parser = Parser("show", ABOUT)
    parser.add_argument(
        "name", metavar="KIND/NAME", help="such as fusion/gated, dataset/table, encoder/text/embedding_lstm"
    )
    add_parts(parser)
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.describe import card

    print(card(Catalog([Path(folder) for folder in options.config_dir]), options.name))
    return 0
