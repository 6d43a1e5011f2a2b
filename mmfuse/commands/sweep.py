"""`mmfuse sweep`."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.commands.before_sweep import advise, encodes, refuse_unless_meant, refuse_unless_stackable, show, stacked
from mmfuse.commands.parser import command_line
from mmfuse.commands.running import running_parser
from mmfuse.commands.train import safe
from mmfuse.errors import ConfigError, Interrupted, TrainingError
from mmfuse.signals import handled_by, interrupt

if TYPE_CHECKING:
    from mmfuse.sweep.launcher import Launcher
    from mmfuse.sweep.plan import Run
    from mmfuse.sweep.suggested import Suggested

ABOUT = "many experiments: grid, random or searched; on this machine or a cluster"
EXAMPLES = """examples:
  mmfuse sweep fusion=concat,gated,lmf optimizer.lr=1e-3,1e-2 seeds=[0,1,2]      six runs of three seeds each
  mmfuse sweep 'optimizer.lr=tag(log, interval(1e-4,1e-1))' 'drop=choice(0,.2)' sweep.search=random sweep.trials=20
  mmfuse sweep 'optimizer.lr=tag(log, interval(1e-4,1e-1))' sweep.search=tpe sweep.trials=40 sweep.pruner=median
  mmfuse sweep fusion=concat,gated launcher=slurm launcher.partition=gpu launcher.gpus=1
  mmfuse sweep fusion=concat,gated --dry-run                                     what would be run
  mmfuse sweep --resume outputs/digits-sweep-1120-160412-7f3a                    what is not done goes on

then: mmfuse status, mmfuse compare SWEEP, mmfuse report SWEEP
keys of the sweep: sweep.search, trials, seed, stack; of a search: sweep.metric, pruner, storage, parallel
launchers: mmfuse list launchers, mmfuse show launcher/slurm"""


def run(typed: list[str]) -> int:
    with handled_by(interrupt):
        parser = running_parser("sweep", ABOUT, EXAMPLES)
        parser.add_argument("--resume", metavar="SWEEP", type=Path, help="go on with a sweep that was stopped")
        parser.add_argument("--retries", metavar="N", type=int, default=1, help="of runs that fail; default: 1")
        parser.add_argument("--yes", action="store_true", help="though there are many runs, or none")
        parser.add_argument("--skip-invalid", action="store_true", help="leave out combinations that cannot be")
        options = parser.parse_intermixed_args(typed)
        if options.retries < 0:
            raise ConfigError(f"--retries {options.retries}: 0 or more is needed")
        if options.allow:
            sys.path.insert(0, str(Path.cwd()))  # own parts may lie where the command is typed
        if options.resume:
            return go_on(options)
        return begin(options, typed)


def begin(options: argparse.Namespace, typed: list[str]) -> int:
    from mmfuse.config.catalog import Catalog
    from mmfuse.sweep import grammar, place, searching
    from mmfuse.sweep.composer import Composer
    from mmfuse.sweep.plan import Plan, combinations, count, plan
    from mmfuse.sweep.settings import own

    catalog = Catalog([Path(folder) for folder in options.config_dir])
    read = grammar.read(options.overrides, catalog)
    settings = own(read.own, catalog, options.allow)
    search, trials = settings.sweep["search"], settings.sweep["trials"]
    searched = searching.is_searched(settings.sweep)
    asked = count(read.axes, search, trials)
    refuse_unless_meant(asked, options.yes)
    if searched:
        searching.refuse_unless_possible(settings.sweep)
    if settings.sweep["stack"] > 1:
        refuse_unless_stackable(searched, settings.name)
    composer = Composer(catalog, options.allow, options.experiment)
    if searched and asked:
        examples, planned = searching.examples(read, composer), Plan([], 0, [])
    else:
        wanted = combinations(read.axes, search, trials, settings.sweep["seed"])
        planned = plan(wanted, read.fixed, composer, options.skip_invalid)
        examples = planned.runs
    advise(planned, [axis.key for axis in read.axes], options)
    if options.dry_run:
        if searched and not options.json:
            print("\n".join(searching.shown(read, settings.sweep)))
        else:
            show(planned, composer, options.json)
        return 0
    if not examples:
        return 0
    first = composer(examples[0].overrides)
    launcher = launcher_of(settings.launcher, options.allow, first)  # told of what cannot be before a folder is made
    about = {
        "overrides": options.overrides,
        "experiment": absolute(options.experiment),
        "config_dir": [os.path.abspath(folder) for folder in options.config_dir],
        "allow": options.allow,
        "search": settings.sweep,
        "axes": [axis.state() for axis in read.axes],
        "own": [argument.text for argument in read.own],
    }
    name = first["name"] or f"{first['choices']['dataset']}-{first['choices']['fusion']}"
    if any(axis.key == "fusion" for axis in read.axes) and not first["name"]:
        name = first["choices"]["dataset"]
    folder = place.create(Path(first["output_dir"]), safe(name), about, planned.runs, command_line("sweep", typed))
    search_of = None
    if searched:
        search_of = searching.suggested(folder, read, settings.sweep, composer, examples[0], about["experiment"])
    ahead = encodes(settings.sweep, launcher, examples, composer, options.allow, options)
    stack = settings.sweep["stack"]
    return driven(folder, planned.runs, composer, launcher, common(about), options, ahead, stack, search_of)


def go_on(options: argparse.Namespace) -> int:
    from mmfuse.config.arguments import parse
    from mmfuse.config.catalog import Catalog
    from mmfuse.sweep import grammar, place, searching
    from mmfuse.sweep.composer import Composer
    from mmfuse.sweep.settings import own

    folder = options.resume
    about, runs = place.load(folder)
    catalog = Catalog([Path(each) for each in about["config_dir"]])
    read = grammar.read(options.overrides, catalog)
    others = [each.text for each in read.own if not each.key.startswith("launcher")]
    if read.axes or read.fixed or others or options.experiment or options.config_dir:
        raise ConfigError(
            f"{folder.name} was planned with its settings, and only launcher.* can be others now"
            f"\n  asked for: {' '.join([*read.fixed, *(axis.key for axis in read.axes), *others]) or '-e'}"
            "\n  to go on: without them; or a sweep of its own"
        )
    allow = list(dict.fromkeys([*about["allow"], *options.allow]))
    before = [each for each in parse(about["own"]) if not (read.own and each.key.startswith("launcher"))]
    settings = own([*before, *read.own], catalog, allow)
    composer = Composer(catalog, allow, about["experiment"])
    if options.dry_run:
        from mmfuse.sweep.plan import Plan

        show(Plan(runs, 0, []), composer, options.json)
        return 0
    search_of, examples = None, runs
    if searching.is_searched(settings.sweep):
        read = grammar.read(about["overrides"], catalog)
        examples = searching.examples(read, composer)
        search_of = searching.suggested(folder, read, settings.sweep, composer, examples[0], about["experiment"])
    launcher = launcher_of(settings.launcher, allow, composer(examples[0].overrides))
    ahead = encodes(settings.sweep, launcher, examples, composer, allow, options)
    stack = settings.sweep["stack"]
    return driven(folder, runs, composer, launcher, common(about), options, ahead, stack, search_of)


def driven(
    folder: Path,
    runs: "Sequence[Run]",
    composer: Any,
    launcher: "Launcher",
    common: Sequence[str],
    options: argparse.Namespace,
    ahead: "Callable[[Path], None]",
    stack: int = 1,
    search_of: "Callable[[], Suggested] | None" = None,
) -> int:
    """Once nobody else can be at the folder, `ahead` is done, and `search_of` opens the search that runs come from.

    `stack` is how many runs may be trained as one.
    """
    from mmfuse.atomic import clear
    from mmfuse.record import folder as folders
    from mmfuse.record.status import Status
    from mmfuse.sweep import place, stacks
    from mmfuse.sweep.drive import Drive
    from mmfuse.sweep.outcome import lines
    from mmfuse.sweep.source import Listed, Source
    from mmfuse.sweep.watcher import Watcher, watcher

    def begun(run: "Run") -> Path:
        return place.begin(folder, run, composer(run.overrides), common)

    shown = os.path.relpath(folder)
    if not options.quiet and not options.json:
        about = (
            f"{len(runs)} run{'s' if len(runs) != 1 else ''}" if search_of is None else "runs as a search asks for them"
        )
        done = sum(Status.read(folder / run.folder) == "done" for run in runs)
        print(f"sweep    {shown}   {about}{f', {done} of them done before' if done else ''}", flush=True)
    kin, runs = stacked(runs, composer, stack, options.quiet or options.json)
    watching = Watcher()
    try:
        with folders.held(folder):
            clear(folder, deep=False)
            source: Source = Listed(runs) if search_of is None else search_of()
            ahead(folder)
            watching = watcher(options.quiet, options.json)
            tally = Drive(folder, source, begun, launcher, options.retries, watching, stack, kin).run()
    except Interrupted:
        watching.close()
        print(f"\nstopped {shown}      to go on: mmfuse sweep --resume {shown}", file=sys.stderr)
        raise
    finally:
        watching.close()
    if not options.quiet and not options.json:
        print("\n".join(lines(folder, place.load(folder)[1])))
        for line in [*source.lines(["mmfuse", "train", *common]), *stacks.refused(folder)]:
            print(line)
    if tally["failed"]:
        print(f"to try again: mmfuse sweep --resume {shown} --retries {options.retries + 1}", file=sys.stderr)
    return TrainingError.exit_code if tally["failed"] else 0


def launcher_of(config: Mapping[str, Any], allow: Sequence[str], cfg: Mapping[str, Any]) -> "Launcher":
    """With what its runs need: `threads` each on so many `devices`, by the first of them."""
    from mmfuse.config import target
    from mmfuse.run.make import make

    trainer = cfg["trainer"]
    asked = trainer["devices"] if isinstance(trainer["devices"], int) else 1
    on_cpu = trainer["accelerator"] == "cpu"
    given = {
        "allow": list(allow),
        "threads": (cfg["threads"] or 1) * (asked if on_cpu else 1),
        "devices": 0 if on_cpu else asked,
    }
    about = target.read(config["_target_"])
    return make(config, "launcher", **{k: v for k, v in given.items() if about is None or k in about.parameters})


def common(about: Mapping[str, Any]) -> list[str]:
    """The options of `mmfuse train` that make the same of a run's overrides."""
    words = ["-e", about["experiment"]] if about["experiment"] else []
    words += [word for folder in about["config_dir"] for word in ("--config-dir", folder)]
    return words + [word for package in about["allow"] for word in ("--allow", package)]


def absolute(experiment: str | None) -> str | None:
    """A file is found from anywhere then."""
    if experiment is None or not experiment.endswith((".yaml", ".yml")):
        return experiment
    return os.path.abspath(experiment)
