"""`mmfuse compare`."""

import argparse
from pathlib import Path

from mmfuse.commands.parser import Parser
from mmfuse.errors import ConfigError

ABOUT = "a table over finished runs, folded over seeds, with paired tests; raters' sheets"
FORMATS = ("table", "md", "csv", "tex", "html", "json")
EXAMPLES = """examples:
  mmfuse compare outputs/                                     every finished run in it
  mmfuse compare outputs/ --ref outputs/latest --metric accuracy,ece
  mmfuse compare outputs/a outputs/b --format tex -o table.tex
  mmfuse compare outputs/ --format html -o compare.html       sortable, with the settings' effects
  mmfuse compare outputs/latest --review 100 --blind -o sheet.csv         rows for people to judge
  mmfuse compare outputs/latest --ratings ann.csv bob.csv                 what they said, and how far they agree

Runs that differ only in seeds are one row, and only settings that differ are columns.
Runs on other data or other rows are told apart and not tested."""


def run(typed: list[str]) -> int:
    parser = Parser("compare", ABOUT, EXAMPLES)
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="a run's folder, or one that holds some")
    parser.add_argument("--ref", metavar="RUN", help="the run, or its name, that the others are tested against")
    parser.add_argument("--metric", metavar="A,B", help="figures to show; default: each task's two main ones")
    parser.add_argument("--task", metavar="T", help="one of the tasks; default: all")
    parser.add_argument("--sort", metavar="COL", help="a figure, a setting, run, or given; default: the best first")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--format", choices=FORMATS, help="default: by the suffix of -o, else table")
    parser.add_argument("--samples", metavar="N", type=int, help="bootstrap resamples; default: as the runs have it")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: on screen")
    parser.add_argument("--review", metavar="N", type=int, help="draw N predictions of a run into a sheet to be judged")
    parser.add_argument("--blind", action="store_true", help="of --review: without the target and the prediction")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of --review: which rows; default: 0")
    parser.add_argument("--ratings", metavar="CSV", nargs="+", type=Path, help="sheets filled in: agreement of raters")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    options = parser.parse_intermixed_args(typed)
    if options.output and not options.output.parent.is_dir():
        folder = options.output.parent
        raise ConfigError(f"-o {options.output}: there is no folder {folder}\n  to go on: mkdir -p {folder}")
    if options.samples is not None and options.samples < 1:
        raise ConfigError(f"--samples {options.samples}: at least 1 is needed")
    if options.ratings:
        return rate(options)
    if not options.runs:
        raise ConfigError("no runs are named\n  to go on: mmfuse compare outputs/\n  see: mmfuse compare --help")
    if options.review is not None:
        return review(options)
    from mmfuse.compare.comparison import comparison
    from mmfuse.compare.formats.written import kind_of, written

    metrics = [name.strip() for name in options.metric.split(",") if name.strip()] if options.metric else None
    kind = options.format or kind_of(options.output)
    asked = (options.runs, options.ref, metrics, options.task, options.sort, options.reverse, options.samples)
    return say(written(comparison(*asked), kind), options.output)


def review(options: argparse.Namespace) -> int:
    if options.output is None:
        raise ConfigError("--review: where to?\n  to go on: -o sheet.csv")
    from mmfuse.compare.predicted import one_run
    from mmfuse.compare.sheet import sheet

    table, notes = sheet(one_run(options.runs, "--review"), options.review, options.blind, options.seed, options.task)
    say(table.to_csv(index=False), options.output)
    for note in notes:
        print(note)
    return 0


def rate(options: argparse.Namespace) -> int:
    import json

    from mmfuse.atomic import finite
    from mmfuse.compare.predicted import one_run
    from mmfuse.compare.ratings import in_words, ratings

    found = ratings(options.ratings, one_run(options.runs, "--ratings") if options.runs else None, options.task)
    as_json = options.format == "json" or (options.output and options.output.suffix == ".json")
    text = json.dumps(finite(found), indent=2, ensure_ascii=False) + "\n" if as_json else in_words(found)
    return say(text, options.output)


def say(text: str, file: Path | None) -> int:
    from mmfuse.atomic import write_text

    if file is None:
        print(text, end="")
        return 0
    try:
        write_text(file, text)
    except OSError as error:
        raise ConfigError(f"-o {file} cannot be written: {error.strerror or error}") from error
    print(f"wrote {file}")
    return 0
