"""`mmfuse reproduce`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.commands.parser import Parser, add_parts, add_talk
from mmfuse.errors import ConfigError, Interrupted, TrainingError
from mmfuse.signals import handled_by, interrupt

if TYPE_CHECKING:
    from mmfuse.config.catalog import Catalog
    from mmfuse.reproduce.planned import Planned
    from mmfuse.reproduce.shown import Result
    from mmfuse.reproduce.table import Table

ABOUT = "a published table: run it, set each cell beside the paper's figure"
MISSED = 5  # exit code where a cell is FAIL
EXAMPLES = """examples:
  mmfuse reproduce --list                             which tables there are, and which have their data here
  mmfuse reproduce handwritten6 --smoke               one epoch of each row, to see that all of it runs
  mmfuse reproduce handwritten6                       what is not done of it is run; then the table
  mmfuse reproduce handwritten6 --cell tmc --seeds 10
  mmfuse reproduce --document docs/baselines.md       all tables, from what has been run

exit codes: 0 no cell is FAIL, 2 usage or config, 3 data, 4 a run failed, 5 a cell is FAIL, 75 preempted, 130 Ctrl-C"""


def run(typed: list[str]) -> int:
    with handled_by(interrupt):
        options = arguments(typed)
        from mmfuse.config.catalog import Catalog
        from mmfuse.reproduce.table import named

        catalog = Catalog([Path(folder) for folder in options.config_dir])
        if options.list:
            print("\n".join(listed(catalog, options.overrides)))
            return 0
        if options.document is not None:
            return documented(catalog, options)
        if options.name is None:
            raise ConfigError("which table?\n  see: mmfuse reproduce --list")
        return reproduced(named(options.name, catalog), catalog, options)


def arguments(typed: list[str]) -> argparse.Namespace:
    parser = Parser("reproduce", ABOUT, EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a table")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="where and by what: output_dir, threads, ...")
    parser.add_argument("--list", action="store_true", help="the tables, and which have their data here")
    parser.add_argument("--seeds", type=int, metavar="N", help="default: as many as the table says")
    parser.add_argument("--cell", action="append", default=[], metavar="ROW", help="this row only; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="one seed, one epoch, two batches; nothing is judged")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write what has been run of all tables")
    add_parts(parser)
    add_talk(parser)
    options = parser.parse_intermixed_args(typed)
    if options.name is not None and "=" in options.name:  # of --list and --document
        options.name, options.overrides = None, [options.name, *options.overrides]
    if options.seeds is not None and options.seeds < 1:
        raise ConfigError(f"--seeds {options.seeds}: at least 1 is needed")
    return options


def listed(catalog: "Catalog", typed: Sequence[str]) -> list[str]:
    from mmfuse.reproduce.planned import refuse_unless_free, runnable
    from mmfuse.sweep.composer import Composer

    refuse_unless_free(typed, "a table")
    composer, lines = Composer(catalog), []
    for table in tables(catalog):
        rows, lacks = runnable(table, without_launcher(typed), composer)
        some = f"{len(rows)} of {len(table.rows)} rows can run" if rows else "NO DATA"
        state = "can run" if len(rows) == len(table.rows) else some
        lines.append(f"{table.name:<24}  {state:<22}  {table.title}" + (f"   {lacks}" if lacks else ""))
    return lines or ["no tables"]


def tables(catalog: "Catalog") -> "list[Table]":
    from mmfuse.reproduce.table import named

    return [named(name, catalog) for name in catalog.options("baseline")]


def without_launcher(typed: Sequence[str]) -> list[str]:
    return [text for text in typed if not text.startswith("launcher")]


def planned_of(
    table: "Table",
    seeds: int,
    catalog: "Catalog",
    typed: Sequence[str],
    smoke: bool = False,
    cells: Sequence[str] = (),
) -> "list[Planned]":
    from mmfuse.reproduce.planned import chosen, planned, refuse_unless_free
    from mmfuse.sweep.composer import Composer

    refuse_unless_free(typed, table.name)
    return planned(table, chosen(table, cells), seeds, without_launcher(typed), smoke, Composer(catalog))


def documented(catalog: "Catalog", options: argparse.Namespace) -> int:
    from mmfuse.atomic import write_text
    from mmfuse.reproduce.document import document

    results = []
    for table in tables(catalog):
        planned = planned_of(table, options.seeds or table.seeds, catalog, options.overrides)
        results.append(result_of(table, planned, place_of(table, planned)))
    write_text(options.document, document(results))
    print(f"saved {os.path.relpath(options.document)}")
    return 0


def place_of(table: "Table", planned: "Sequence[Planned]", smoke: bool = False) -> Path:
    """<output_dir>/baseline-NAME, where the runs of a table lie."""
    outputs = next((each.config["output_dir"] for each in planned if each.config is not None), "outputs")
    return Path(outputs) / f"baseline-{table.name}{'-smoke' * smoke}"


def result_of(table: "Table", planned: "Sequence[Planned]", place: Path, smoke: bool = False) -> "Result":
    from mmfuse.reproduce import results
    from mmfuse.reproduce.shown import Result

    return Result(
        table,
        results.cells(table, planned, place, smoke),
        [each.row for each in planned],
        results.counts(table, planned, place),
        results.seconds(planned, place),
        results.newest(planned, place),
    )


def reproduced(table: "Table", catalog: "Catalog", options: argparse.Namespace) -> int:
    from mmfuse.reproduce import running

    planned = planned_of(table, options.seeds or table.seeds, catalog, options.overrides, options.smoke, options.cell)
    place = place_of(table, planned, options.smoke)
    waiting = running.waiting(place, planned)
    if waiting:
        driven(place, waiting, catalog, options)
    result = result_of(table, planned, place, options.smoke)
    return told(result, place, options)


def driven(place: Path, waiting: "Sequence[Planned]", catalog: "Catalog", options: argparse.Namespace) -> None:
    from mmfuse.commands.sweep import launcher_of
    from mmfuse.reproduce import running
    from mmfuse.sweep.settings import own
    from mmfuse.sweep.watcher import watcher

    launchers = [text for text in options.overrides if text.startswith("launcher")]
    launcher = launcher_of(own(launchers, catalog, []).launcher, [], running.config_of(waiting[0]))
    if not options.quiet and not options.json:
        print(f"running  {len(waiting)} rows of {os.path.relpath(place)}", flush=True)
    try:
        running.run(place, waiting, launcher, watcher(options.quiet, options.json))
    except Interrupted:
        print("\nstopped; to go on: the same command again", file=sys.stderr)
        raise


def told(result: "Result", place: Path, options: argparse.Namespace) -> int:
    """The table printed and, unless nothing of it was run, written beside its runs."""
    from mmfuse.atomic import write_json, write_text
    from mmfuse.reproduce import shown

    whole: dict[str, Any] = shown.as_json(result)
    if place.is_dir() and not options.cell:
        write_json(place / "table.json", whole)
        write_text(place / "table.md", shown.markdown(result))
    if options.json:
        print(json.dumps({"event": "table", **whole}, ensure_ascii=False))
    elif not options.quiet:
        print(shown.on_screen(result))
    verdicts = {cell.verdict for cell in result.cells}
    if "FAIL" in verdicts:
        return MISSED
    return TrainingError.exit_code if "FAILED" in verdicts else 0
