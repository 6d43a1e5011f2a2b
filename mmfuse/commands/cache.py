"""`mmfuse cache`."""

from mmfuse.commands.parser import Parser
from mmfuse.errors import ConfigError

ABOUT = "list or clear what frozen encoders left on disk"


def run(typed: list[str]) -> int:
    parser = Parser("cache", ABOUT, "It lies in $MMFUSE_CACHE or ~/.cache/mmfuse.\n")
    parser.add_argument("what", nargs="?", choices=("list", "clear"), default="list", help="default: list")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="of clear: as `list` prints them; none: all")
    options = parser.parse_args(typed)
    from mmfuse.cache import place

    if options.what == "list":
        if options.keys:
            raise ConfigError("mmfuse cache list takes no keys\n  to remove some: mmfuse cache clear KEY ...")
        print(place.table(place.kept()))
        return 0
    gone = place.clear(options.keys)
    print(f"removed {len(gone)} of what frozen encoders said, {place.size(sum(entry.bytes for entry in gone))}")
    return 0
