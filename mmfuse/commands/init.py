"""`mmfuse init`."""

from pathlib import Path

from mmfuse.commands.parser import Parser

ABOUT = "guess a data set's config from a table, write it, print the next command"


def run(typed: list[str]) -> int:
    parser = Parser("init", ABOUT)
    parser.add_argument(
        "place", metavar="FILE", type=Path, help=".csv, .tsv, .jsonl, .json, .parquet, or a folder of one"
    )
    parser.add_argument("--target", metavar="COL", help="the column to be told; guessed if left out")
    parser.add_argument("--name", metavar="NAME", help="what the data set is called: dataset=NAME")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: conf/dataset/NAME.yaml")
    parser.add_argument("--encoding", metavar="NAME", default="utf-8", help="of the table, such as gb18030")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog
    from mmfuse.guess.init import init as guess

    packaged = Catalog().options("dataset")
    asked = (options.place, options.target, options.name, options.output, options.force)
    written = guess(*asked, packaged, options.encoding)
    print(f"{written.said}\nwrote {written.file}\nnext: {written.command}")
    return 0
