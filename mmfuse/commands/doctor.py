"""`mmfuse doctor`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmfuse.commands.parser import Parser

if TYPE_CHECKING:
    from mmfuse.doctor.finding import Finding

ABOUT = "versions, devices, launchers, optional parts missing and how to get them"
EXIT = "It exits with 1 where something is broken that every run needs.\n"


def run(typed: list[str]) -> int:
    parser = Parser("doctor", ABOUT, EXIT)
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout, a finding each")
    parser.add_argument("--outputs", metavar="DIR", type=Path, default=Path("outputs"), help="default: outputs")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    options = parser.parse_args(typed)
    found = findings(options.outputs)
    if options.json:
        for each in found:
            print(json.dumps(each._asdict(), ensure_ascii=False))
    else:
        print("\n".join(table(found)))
    return 1 if any(each.state == "broken" for each in found) else 0


def findings(outputs: Path) -> "list[Finding]":
    from mmfuse.doctor import devices, extras, launchers, places, traps, versions

    parts = (versions.findings(), devices.findings(), launchers.findings(), extras.findings())
    return [each for part in (*parts, places.findings(outputs), traps.findings()) for each in part]


def table(found: "Sequence[Finding]") -> list[str]:
    """What is fine in a line each, the rest with what to do."""
    width, section, lines = max(len(each.name) for each in found), "", list[str]()
    for each in found:
        if each.section != section:
            section = each.section
            lines += ["", section] if lines else [section]
        mark = {"fine": "", "missing": "", "warning": "WARNING ", "broken": "BROKEN "}[each.state]
        lines.append(f"  {each.name:<{width}}  {mark}{each.value}")
        lines += [f"  {'':<{width}}  to do: {each.advice}"] if each.advice else []
    counts = {state: sum(each.state == state for each in found) for state in ("broken", "warning")}
    said = ", ".join(f"{n} {state}{'s' * (state == 'warning' and n > 1)}" for state, n in counts.items() if n)
    return [*lines, "", said or "all is fine"]
