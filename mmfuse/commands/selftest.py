"""`mmfuse selftest`."""

import sys
from pathlib import Path

from mmfuse.commands.parser import Parser, add_parts, without_collection

ABOUT = "whether fusions keep their contract, and what they can learn of data whose answer is known"


def run(typed: list[str]) -> int:
    parser = Parser("selftest", ABOUT)
    parser.add_argument("names", nargs="*", metavar="FUSION", help="such as gated; none: all of them")
    parser.add_argument("--target", metavar="PACKAGE.CLASS", help="somebody's own fusion, which this runs")
    add_parts(parser)
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog

    catalog = Catalog([Path(folder) for folder in options.config_dir])
    names = options.names or ([] if options.target else catalog.options("fusion"))
    files = {name: catalog.find("fusion", name) for name in names}
    sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    with without_collection():
        from mmfuse.selftest import fusions

    return fusions.run(files, options.target)
