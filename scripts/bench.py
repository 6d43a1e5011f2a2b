"""Every ratio of speed and memory that mmfuse is held to, each against a rival, as a table, JSON and Markdown.

`python scripts/bench.py [NAME ...] [--quick] [--json FILE] [--markdown FILE] [--list]`. Without names all sections but
those that have to be named. `--json` keeps what the file has of other sections; `--markdown` tells all of it.
`--quick` takes a few sections and less of each; where a figure is off its goal by more than twice, it exits with 1.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from benches.row import Row
from benches.sections import ASKED_FOR, QUICK, SECTIONS, about, rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    known = QUICK if options.quick else SECTIONS
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(known)}")
    if options.list:
        for name in SECTIONS:
            print(f"{name:<14}{'quick ' if name in QUICK else '':<6}{about(name).splitlines()[0]}")
        return 0
    names = options.names or [name for name in known if name not in ASKED_FOR]
    measured = list(run(names, options.quick, options.json, options.markdown))
    return verdict(measured) if options.quick else 0


def run(names: Iterable[str], quick: bool, json: Path | None, markdown: Path | None) -> Iterator[Row]:
    """What was measured until then is on disk after every section."""
    import torch
    from benches import page, results
    from benches.machine import load

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.INFO)  # of which trainers have much
    found = results.read(json)
    print(f"{'':<62}{'ours':>12}{'rival':>12}{'ratio':>7}  {'goal':<8}")
    for name in names:
        before, began, measured = load(), time.perf_counter(), []
        print(f"-- {name}", flush=True)
        for row in rows(name, quick):
            label, ours, rival, ratio, goal, met, unit = row.cells()
            print(f"{label:<62}{ours:>12}{rival:>12}{ratio:>7}  {goal:<8}{met:<6}{unit}", flush=True)
            measured.append(row)
        yield from measured
        found = results.read(json) if json else found  # which another run may have added to
        found["sections"][name] = results.section(measured, time.perf_counter() - began, before)
        if json:
            results.write(found, json)
        if markdown:
            markdown.write_text(page.page(found))


def verdict(measured: Iterable[Row]) -> int:
    """1 where a figure is off its goal by more than twice; less may be the machine's doing."""
    far = [row for row in measured if row.far]
    for row in far:
        name, ours, _, ratio, goal, *_ = row.cells()
        print(f"{name.strip()}: {ratio or ours}, and the goal is {goal}", file=sys.stderr)
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
