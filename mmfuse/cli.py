"""The commands. Torch is imported when a config has been found good, and not before."""

import argparse
import gc
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from mmfuse import __version__
from mmfuse.errors import ConfigError, DataError, Interrupted, UserError, offer
from mmfuse.signals import handled_by, interrupt, interruption

COMMANDS = {
    "train": "one experiment: all its seeds and folds",
    "check": "compose, validate, audit the data, push one batch through; train nothing",
    "list": "what there is to choose from: datasets, encoders, fusion, models, ...",
    "show": "what one of them is: its paper, its keys with types and defaults, its file",
    "init": "guess a data set's config from a table, write it, print the next command",
    "selftest": "whether fusions keep their contract, and what they can learn of data whose answer is known",
    "eval": "score a run again: on another split or file, from some of its modalities",
    "predict": "what a trained run says of new rows, which need no labels",
    "cache": "list or clear what frozen encoders left on disk",
}
NOT_BUILT_YET = {
    "sweep": "many experiments: grid, random or Bayesian",
    "report": "one HTML file of a run or a sweep",
    "compare": "a table over runs, with paired tests",
    "reproduce": "a published table",
    "export": "a trained model for serving",
    "status": "what is running, waiting, done, failed",
    "doctor": "versions, devices, optional parts missing",
}
EXAMPLES = """examples:
  mmfuse train                                        the embedded data set, three modalities, gated fusion
  mmfuse train fusion=concat seeds=[0,1,2]            another fusion, three seeds
  mmfuse train modalities=[text]                      what one modality does alone
  mmfuse train model=late fusion=mean encoder.text.dim=64 optimizer.lr=1e-3
  mmfuse train dataset=table dataset.file=reviews.csv \\
      'dataset.modalities={review: {kind: text}, photo: {kind: image, column: file}}' \\
      'dataset.tasks={stars: {kind: multiclass}}'

keys: every key of `mmfuse train --dry-run`; mmfuse list, mmfuse show KIND/NAME tell what there is
exit codes: 0 done, 1 internal, 2 usage or config, 3 data, 4 training failed, 75 preempted, 130 Ctrl-C"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n  see: {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    typed = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in typed
    try:
        return dispatch(typed)
    except UserError as error:
        if debug:
            traceback.print_exc()
        complain(error.kind, str(error))
        return error.exit_code
    except (KeyboardInterrupt, Interrupted) as stop:
        code = stop.exit_code if isinstance(stop, Interrupted) else 130
        print("stopped by Ctrl-C" if code == 130 else f"stopped by {stop}", file=sys.stderr)
        return code
    except BrokenPipeError:  # the reader of our output has gone: mmfuse list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a fault of ours: no traceback on screen unless it is asked for
        if debug:
            traceback.print_exc()
        said = str(error).splitlines()[0] if str(error) else ""
        complain(
            "internal",
            f"{type(error).__name__}: {said}\n  this is a fault of mmfuse, or of a part of yours"
            "\n  to see where: --debug, or the run's logs",
        )
        return 1


def complain(kind: str, message: str) -> None:
    """At most six lines on stderr."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    print("\n".join([f"error[{kind}]: {lines[0] if lines else 'unknown'}", *lines[1:6]]), file=sys.stderr)


def dispatch(typed: list[str]) -> int:
    if not typed or typed[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    command, rest = typed[0], typed[1:]
    if command in ("--version", "-V"):
        print(f"mmfuse {__version__}")
        return 0
    if command in NOT_BUILT_YET:
        raise ConfigError(f"mmfuse {command} is not built yet\n  there are: {', '.join(COMMANDS)}")
    if command not in COMMANDS:
        raise ConfigError(f"there is no command '{command}'\n  {offer(command, COMMANDS, 'there are')}")
    commands = {"train": train, "check": check, "list": listing, "show": show, "init": init}
    commands |= {"cache": cache, "selftest": selftest, "predict": predict, "eval": evaluate}
    return commands[command](rest)


def overview() -> str:
    lines = [f"mmfuse {__version__}: experiments in multimodal fusion, composed from the shell", ""]
    lines += [f"  mmfuse {name:<10} {about}" for name, about in COMMANDS.items()]
    lines += ["", "not built yet: " + ", ".join(NOT_BUILT_YET), "", EXAMPLES]
    return "\n".join(lines)


def running_parser(command: str) -> Parser:
    parser = Parser(
        prog=f"mmfuse {command}",
        description=COMMANDS[command],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="in Hydra's grammar")
    parser.add_argument("-e", "--experiment", metavar="NAME|FILE", help="an experiment's config")
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="own configs")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts a config may name")
    parser.add_argument("--dry-run", action="store_true", help="print the composed config, and no more")
    parser.add_argument("--quiet", action="store_true", help="show errors only")
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run (not built yet)")
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep (not built yet)")
    return parser


def composed(command: str, typed: list[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    options = running_parser(command).parse_intermixed_args(typed)
    if options.resume:
        raise ConfigError("--resume is not built yet\n  to start again: mmfuse train with the same keys")
    if options.multirun:
        raise ConfigError("a sweep (-m) is not built yet\n  to go on: one experiment at a time; seeds=[0,1,2] are one")
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.compose import compose

    catalog = Catalog([Path(folder) for folder in options.config_dir])
    if options.allow:
        sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    return options, compose(options.overrides, catalog, options.allow, options.experiment)


def as_yaml(config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def train(typed: list[str]) -> int:
    with handled_by(interrupt):
        options, config = composed("train", typed)
        if options.dry_run:
            print(as_yaml(config), end="")
            return 0
        if config["trainer"].get("devices") not in (1, "1", "auto", [0]) or config["trainer"].get("num_nodes", 1) != 1:
            raise ConfigError("trainer.devices: more devices than one are not built yet\n  to go on: trainer.devices=1")
        if sys.stdout.isatty() and not options.quiet and not options.json:
            print("loading torch and the data ...", end="\r", flush=True)  # the run's first line takes its place
        with without_collection():
            import mmfuse.learner.fit
            import mmfuse.run.train  # noqa: F401
            from mmfuse.record import folder as folders

        folder = folders.create(
            Path(config["output_dir"]),
            safe(config["name"] or f"{config['choices']['dataset']}-{config['choices']['fusion']}"),
            as_yaml(config),
            "".join(f"{override}\n" for override in options.overrides),
            command_line("train", typed),
        )
        return supervised(config, folder, options)


def supervised(config: dict[str, Any], folder: Path, options: argparse.Namespace) -> int:
    """Runs, and leaves a true status whatever happens; a run that never began leaves nothing."""
    from mmfuse import progress
    from mmfuse.record import folder as folders
    from mmfuse.record import log
    from mmfuse.record.status import State, Status
    from mmfuse.run.train import run

    listener = progress.listener(options.quiet, options.json)

    def ended(state: State, code: int, error: BaseException) -> Path | None:
        """Where the traceback is; None where the folder is gone."""
        began = Status.read(folder) not in ("created", None)
        if not began and isinstance(error, UserError | Interrupted):
            folders.discard(folder)
            return None
        Status(folder).say(state, exit_code=code, error=str(error).split("\n")[0])
        return log.write_traceback(folder, error)

    try:
        run(config, folder, listener)
        folders.point_latest(folder)
        listener.saved(os.path.relpath(folder))
        return 0
    except BaseException as error:
        progress.close(listener)
        if stop := interruption(error):
            with handled_by(signal.SIG_IGN):
                if ended("preempted", stop.exit_code, stop):
                    print(f"\nsaved {os.path.relpath(folder)}", file=sys.stderr)
            raise stop from error
        if isinstance(error, UserError):
            where = ended("failed", error.exit_code, error)
            raise type(error)(f"{error}" + (f"\n  the traceback is in {where}" if where else "")) from error
        ended("failed", 1, error)
        raise


def check(typed: list[str]) -> int:
    options, config = composed("check", typed)
    if options.dry_run:
        print(as_yaml(config), end="")
        return 0
    with without_collection():
        from mmfuse import progress
        from mmfuse.run.check import check as check_config

    findings = check_config(config, progress.listener(options.quiet, options.json))
    return DataError.exit_code if any(finding.grade == "error" for finding in findings) else 0


EVAL_EXAMPLES = """examples:
  mmfuse eval outputs/latest                                     the test rows once more
  mmfuse eval outputs/latest --split val --modalities text,image
  mmfuse eval outputs/latest --split all dataset.file=later.csv  every labelled row of another table
  mmfuse eval outputs/latest -o figures.json --quiet"""


def evaluate(typed: list[str]) -> int:
    parser = asking_parser("eval", EVAL_EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data or the machine: batch_size=64")
    parser.add_argument("--split", choices=("test", "val", "train", "all"), default="test", help="default: test")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="the figures as JSON, as metrics.json")
    options = parser.parse_intermixed_args(typed)
    from mmfuse.atomic import write_json

    if options.output and not options.output.parent.is_dir():
        raise ConfigError(f"-o {options.output}: there is no folder {options.output.parent}")
    run, hears = asked_run(options)
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import evaluate as evaluation
    scores = evaluation.evaluate(run, options.split, hears, progress.listener(options.quiet, options.json))
    if options.output:
        write_json(options.output, {options.split: scores})
    return 0


def asking_parser(command: str, examples: str) -> Parser:
    parser = Parser(
        prog=f"mmfuse {command}",
        description=COMMANDS[command],
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, metavar="N", help="one of the run's seeds; default: all")
    parser.add_argument("--modalities", metavar="A,B", help="hear these only")
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    parser.add_argument("--quiet", action="store_true", help="show errors only")
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout")
    parser.add_argument("--debug", action="store_true", help="tracebacks on screen")
    return parser


def asked_run(options: argparse.Namespace) -> tuple[Any, Sequence[str] | None]:
    """The finished run with what was typed of its config, and the modalities to hear."""
    from mmfuse.config.altered import altered
    from mmfuse.run.finished import finished, heard

    if options.allow:
        sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
    run = finished(options.run, options.allow, options.seed)
    run = run._replace(cfg=altered(dict(run.cfg), options.overrides))
    return run, heard(run.cfg, options.modalities)


PREDICT_EXAMPLES = """examples:
  mmfuse predict outputs/latest new.csv -o said.csv                    the mean over the run's seeds
  mmfuse predict outputs/latest new.jsonl -o said.parquet --seed 0 --embeddings
  mmfuse predict outputs/latest test -o said.csv                       the run's own test rows (or val, train)
  mmfuse predict outputs/latest new.csv -o said.csv dataset.modalities.text.column=comment

DATA is a table (.csv, .tsv, .jsonl, .json, .parquet) with the columns that the run's config names; of a run on
something else, named as its modalities are. Paths in it are relative to it, or to dataset.media_root=DIR. A column that
is not there is predicted without, and a row that has nothing gets null."""


def predict(typed: list[str]) -> int:
    parser = asking_parser("predict", PREDICT_EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("data", metavar="DATA", help="a table; or test, val, train: the run's own rows")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data or the machine: batch_size=64")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True, help=".csv, .jsonl or .parquet")
    parser.add_argument("--embeddings", action="store_true", help="the vectors of modalities and their fusion, too")
    options = parser.parse_intermixed_args(typed)
    from mmfuse.record.formats import check_place
    from mmfuse.run.finished import refuse_unless_there

    check_place(options.output, "-o")
    if options.output.resolve() == Path(options.data).resolve():
        raise ConfigError(f"-o {options.output}: this would write over the rows themselves")
    refuse_unless_there(options.data)
    run, hears = asked_run(options)
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import predict as predictions
    listener = progress.listener(options.quiet, options.json)
    media = next((o.partition("=")[2] for o in options.overrides if o.startswith("dataset.media_root=")), None)
    done = predictions.predict(run, options.data, options.output, hears, options.embeddings, media, listener)
    listener.predicted(done["rows"], done["file"], done["models"])
    return 0


def listing(typed: list[str]) -> int:
    parser = Parser(prog="mmfuse list", description=COMMANDS["list"])
    parser.add_argument("kind", nargs="?", metavar="KIND")
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="own configs")
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.describe import table

    print(table(Catalog([Path(folder) for folder in options.config_dir]), options.kind))
    return 0


def show(typed: list[str]) -> int:
    parser = Parser(prog="mmfuse show", description=COMMANDS["show"])
    parser.add_argument(
        "name", metavar="KIND/NAME", help="such as fusion/gated, dataset/table, encoder/text/embedding_lstm"
    )
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="own configs")
    options = parser.parse_args(typed)
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.describe import card

    print(card(Catalog([Path(folder) for folder in options.config_dir]), options.name))
    return 0


def init(typed: list[str]) -> int:
    parser = Parser(prog="mmfuse init", description=COMMANDS["init"])
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


def cache(typed: list[str]) -> int:
    parser = Parser(
        prog="mmfuse cache", description=COMMANDS["cache"], epilog="It lies in $MMFUSE_CACHE or ~/.cache/mmfuse.\n"
    )
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


def selftest(typed: list[str]) -> int:
    parser = Parser(prog="mmfuse selftest", description=COMMANDS["selftest"])
    parser.add_argument("names", nargs="*", metavar="FUSION", help="such as gated; none: all of them")
    parser.add_argument("--target", metavar="PACKAGE.CLASS", help="somebody's own fusion, which this runs")
    parser.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="own configs")
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


@contextmanager
def without_collection() -> Iterator[None]:
    """Importing makes a million objects that all stay: looking for garbage among them takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def command_line(command: str, typed: Sequence[str]) -> str:
    """A line that does the same again, from whatever folder it is run."""
    data = os.environ.get("MMFUSE_DATA")
    place = f'PATH={shlex.quote(os.path.dirname(sys.executable))}:"$PATH" '  # the mmfuse of this environment
    variable = f"MMFUSE_DATA={shlex.quote(os.path.abspath(data))} " if data else ""
    return f"cd {shlex.quote(os.getcwd())} && {place}{variable}mmfuse {command} {shlex.join(typed)}".rstrip()


def safe(name: str) -> str:
    """
    >>> safe("my run/2")
    'my-run-2'
    """
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name) or "run"


if __name__ == "__main__":
    sys.exit(main())
