"""What a run shows while it goes: a live bar on a terminal, a line an epoch in a log, JSON lines for programs."""

import sys

from mmfuse.listener import Listener
from mmfuse.progress.json_lines import JsonLines
from mmfuse.progress.lines import Lines
from mmfuse.progress.terminal import Terminal


def listener(quiet: bool, as_json: bool) -> Listener:
    if as_json:
        return JsonLines()
    if quiet:
        return Listener()
    return Terminal() if sys.stdout.isatty() else Lines()
