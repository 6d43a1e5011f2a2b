"""`mmfuse reproduce`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.commands.parser import Parser, add_parts, add_talk, command_line
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
  mmfuse reproduce handwritten6 easy_vqa --document docs/baselines.md    both; then a page of all that was ever run
  mmfuse reproduce --document docs/baselines.md       the page alone, from the results in output_dir

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
        if not options.names and options.document is None:
            raise ConfigError("which table?\n  see: mmfuse reproduce --list")
        named_tables = [named(name, catalog) for name in options.names]
        refuse(options, named_tables or tables(catalog))
        codes = {reproduced(table, catalog, options) for table in named_tables}
        if options.document is not None:
            documented(catalog, options)
        return max(codes, default=0)


def arguments(typed: list[str]) -> argparse.Namespace:
    parser = Parser("reproduce", ABOUT, EXAMPLES)
    parser.add_argument("words", nargs="*", metavar="NAME|KEY=VALUE", help="tables; where and by what: output_dir, ...")
    parser.add_argument("--list", action="store_true", help="the tables, and which have their data here")
    parser.add_argument("--seeds", type=int, metavar="N", help="default: as many as the table says")
    parser.add_argument("--cell", action="append", default=[], metavar="ROW", help="this row only; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="one seed, one epoch, two batches; nothing is judged")
    parser.add_argument("--document", type=Path, metavar="FILE", help="a page of all tables that have been run")
    add_parts(parser)
    add_talk(parser)
    options = parser.parse_intermixed_args(typed)
    options.names = list(dict.fromkeys(word for word in options.words if "=" not in word))
    options.overrides = [word for word in options.words if "=" in word]
    if options.seeds is not None and options.seeds < 1:
        raise ConfigError(f"--seeds {options.seeds}: at least 1 is needed")
    return options


def refuse(options: argparse.Namespace, tables: "Sequence[Table]") -> None:
    """What does not go together, before anything is run."""
    from mmfuse.reproduce.planned import chosen, refuse_unless_free

    if options.cell and len(options.names) > 1:
        raise ConfigError(f"--cell: of which table?\n  to go on: one of {', '.join(options.names)} at a time")
    if options.smoke and options.document is not None:
        raise ConfigError("--smoke --document: a smoke judges nothing that could be told\n  to go on: one of the two")
    refuse_unless_free(options.overrides, tables)
    if options.cell and options.names:
        chosen(tables[0], options.cell)


def listed(catalog: "Catalog", typed: Sequence[str]) -> list[str]:
    from mmfuse.reproduce.planned import refuse_unless_free, runnable
    from mmfuse.sweep.composer import Composer

    composer, lines, known = Composer(catalog), [], tables(catalog)
    refuse_unless_free(typed, known)
    for table in known:
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
) -> "list[Planned]":
    from mmfuse.reproduce.planned import planned
    from mmfuse.sweep.composer import Composer

    return planned(table, table.rows, seeds, without_launcher(typed), smoke, Composer(catalog))


def documented(catalog: "Catalog", options: argparse.Namespace) -> None:
    from mmfuse.atomic import write_text
    from mmfuse.reproduce.document import document
    from mmfuse.reproduce.planned import key_of, runnable
    from mmfuse.sweep.composer import Composer

    composer, typed = Composer(catalog), without_launcher(options.overrides)
    known = [(table, runnable(table, typed, composer)[1]) for table in tables(catalog)]
    outputs = composer([text for text in typed if key_of(text) == "output_dir"])["output_dir"]
    write_text(options.document, document(known, Path(outputs)))
    if not options.quiet and not options.json:
        print(f"saved {os.path.relpath(options.document)}")


def outputs_of(planned: "Sequence[Planned]") -> Path:
    return Path(next((each.config["output_dir"] for each in planned if each.config is not None), "outputs"))


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
        results.machines(planned, place),
    )


def reproduced(table: "Table", catalog: "Catalog", options: argparse.Namespace) -> int:
    from mmfuse.reproduce import running
    from mmfuse.reproduce.document import place_of

    seeds = options.seeds or table.seeds
    whole = planned_of(table, seeds, catalog, options.overrides, options.smoke)
    asked = [each for each in whole if not options.cell or each.row.name in options.cell]
    place = place_of(outputs_of(whole), table.name, options.smoke)
    waiting = running.waiting(place, asked)
    if waiting:
        driven(place, waiting, catalog, options)
    if place.is_dir():
        kept(result_of(table, whole, place, options.smoke), place)
    return told(result_of(table, asked, place, options.smoke), options)


def driven(place: Path, waiting: "Sequence[Planned]", catalog: "Catalog", options: argparse.Namespace) -> None:
    from mmfuse.commands.sweep import launcher_of
    from mmfuse.config.arguments import parse
    from mmfuse.reproduce import running
    from mmfuse.sweep.settings import own
    from mmfuse.sweep.watcher import watcher

    def line(overrides: Sequence[str]) -> str:
        own = [word for folder in options.config_dir for word in ("--config-dir", os.path.abspath(folder))]
        return command_line("train", [*own, *overrides])

    launchers = [argument for argument in parse(options.overrides) if argument.key.split(".")[0] == "launcher"]
    launcher = launcher_of(own(launchers, catalog, []).launcher, [], running.config_of(waiting[0]))
    if not options.quiet and not options.json:
        print(f"running  {len(waiting)} rows of {os.path.relpath(place)}", flush=True)
    try:
        running.run(place, waiting, launcher, watcher(options.quiet, options.json), line)
    except Interrupted:
        print("\nstopped; to go on: the same command again", file=sys.stderr)
        raise


def kept(result: "Result", place: Path) -> None:
    """The whole table, beside its runs."""
    from mmfuse.atomic import write_json, write_text
    from mmfuse.reproduce import shown

    write_json(place / "table.json", shown.as_json(result))
    write_text(place / "table.md", shown.markdown(result))


def told(result: "Result", options: argparse.Namespace) -> int:
    """What was asked for, printed."""
    from mmfuse.reproduce import shown

    if options.json:
        whole: dict[str, Any] = shown.as_json(result)
        print(json.dumps({"event": "table", **whole}, ensure_ascii=False))
    elif not options.quiet:
        print(shown.on_screen(result))
    verdicts = {cell.verdict for cell in result.cells}
    if "FAIL" in verdicts:
        return MISSED
    return TrainingError.exit_code if "FAILED" in verdicts else 0
