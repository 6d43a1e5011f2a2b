"""Many runs: what is planned, that each is what it would be alone, and what becomes of them when things die."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import tiny_models as tiny
import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from mmfuse import cli
from mmfuse.cache.place import kept as cached
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.errors import ConfigError, Interrupted, TrainingError
from mmfuse.listener import Listener
from mmfuse.record import folder as folders
from mmfuse.record.status import Status
from mmfuse.run.ahead import encode_ahead
from mmfuse.run.identity import decides, digest
from mmfuse.run.train import run as train
from mmfuse.sweep import drive, encodings, failures, grammar, place
from mmfuse.sweep.composer import Composer
from mmfuse.sweep.drive import Drive
from mmfuse.sweep.launcher import Launcher
from mmfuse.sweep.plan import Run, combinations, count, plan
from mmfuse.sweep.source import Listed
from mmfuse.sweep.standing import groups
from mmfuse.sweep.watcher import Watcher

CATALOG = Catalog()


def planned(*typed, search="grid", trials=None, seed=0, skip=False, composer=None):
    read = grammar.read(typed, CATALOG)
    wanted = combinations(read.axes, search, trials, seed)
    return plan(wanted, read.fixed, composer or Composer(CATALOG), skip)


# --- what is typed


@pytest.mark.parametrize(
    "typed",
    [
        "fusion=concat,gated optimizer.lr=1e-4,1e-3 batch_size=8",
        "batch_size=choice(8,16,32) drop=0.0",
        "fusion.dim=range(8,40,8) label_smoothing=range(0,0.5,0.1)",
        "modalities=[text],[text,image] seeds=[0,1]",
        "\"name='a,b'\" 'dataset.root=\"x,y\",z'",
        "batch_size=8,16 batch_size=32 drop=0.1,0.2",
        "batch_size=8 batch_size=16,32",
        "+trainer.max_steps=5,10 ++optimizer.lr=1,2 ~early_stopping",
        "batch_size=sort(32,8,16) seed=sort(range(0,4),reverse=true)",
    ],
)
def test_combinations_are_those_of_hydras_own_sweeper(typed):
    import shlex

    words = shlex.split(typed)
    hydras = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)[0]
    read = grammar.read(words, CATALOG)
    ours = [{*read.fixed, *(f"{k}={v}" for k, v in each.items())} for each in combinations(read.axes, "grid", None, 0)]

    def alike(words):  # ~key has no value, and 'a,b' is written without quotes
        return sorted(word.removesuffix("=null").replace("'", "").replace('"', "") for word in words)

    assert sorted(map(alike, ours)) == sorted(map(alike, hydras))
    assert count(read.axes, "grid", None) == len(hydras)


def test_a_glob_is_of_a_groups_options():
    (axis,) = grammar.read(["balance=glob([p*,*grad], exclude=pcgrad)"], CATALOG).axes
    options = {file.stem for file in (Path(cli.__file__).parents[1] / "configs" / "balance").glob("*.yaml")}
    assert set(axis.values) == {o for o in options if o.startswith("p") or o.endswith("grad")} - {"pcgrad"}


def test_a_count_of_ten_millions_makes_none_of_them():
    began = time.perf_counter()
    read = grammar.read(["seed=range(0,10000)", "optimizer.lr=range(0,1,0.001)"], CATALOG)
    assert count(read.axes, "grid", None) == 10_000_000
    assert time.perf_counter() - began < 1


def test_more_random_trials_begin_with_the_fewer_ones():
    typed = ["fusion=concat,gated", "optimizer.lr=tag(log,interval(1e-4,1e-1))", "fusion.dim=int(interval(8,16))"]
    axes = grammar.read(typed, CATALOG).axes
    many = list(combinations(axes, "random", 400, 3))
    assert list(combinations(axes, "random", 10, 3)) == many[:10] != list(combinations(axes, "random", 10, 4))
    rates = [float(each["optimizer.lr"]) for each in many]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert 0.4 < sum(rate < 10**-2.5 for rate in rates) / len(rates) < 0.6  # the middle of the logarithms
    assert {int(each["fusion.dim"]) for each in many} == set(range(8, 17))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["optimizer.lr=interval(0,1)"], "a grid has no step through an interval"),
        (["optimizer.lr=1,2", "sweep.trials=3"], "a grid has as many runs as it has"),
        (["optimizer.lr=1,2", "sweep.search=random"], "needs to know how many runs"),
        (["sweep.search=random", "sweep.trials=3"], "nothing varies"),
        (
            ["optimizer.lr=1,2", "sweep.trails=3"],
            "unknown key 'sweep.trails'   (command line, argument 2)\n  did you mean",
        ),
        (
            ["optimizer.lr=1,2", "swep.trials=3"],
            "unknown key 'swep.trials'   (command line, argument 2)\n  did you mean",
        ),
        (["sweep.trials=3", "optimizer.lr=1", "launcher.slots=1,2"], "several values   (command line, argument 3)"),
        (["optimizer.lr=1,2", "sweep.trials=0"], "sweep.trials takes int >= 1, not 0   (command line, argument 2)"),
        (["optimizer.lr=1,2", "launcher=slrum"], "there is no launcher called 'slrum'"),
        (["optimizer.lr=1,2", "launcher.slots=0"], "launcher.slots takes int >= 1"),
        (["optimizer.lr=range(0,0)"], "the sweep has 0 runs"),
        (["optimizer.lr=range(0,1,0.0001)", "seed=0,1"], "the sweep has 20,000 runs"),
        (["optimizer.lr=interval(1,0)", "sweep.search=random"], "takes a lower and a higher number"),
        (["batch_size=range(0,5,0)"], "has no end"),
        (["fusion.dim=glob(*)"], "fusion.dim is none"),
        (["output_dir=a,b"], "output_dir cannot be swept over"),
        (["fusion=concat,gated", "fusion.rank=2,3"], "fusion=concat fusion.rank=2: unknown key 'fusion.rank'"),
        (["optimizer.lr=1e-3,fast"], "optimizer.lr=fast: optimizer.lr takes"),
        (["fusion=gatd,concat"], "did you mean 'gated'?"),
        (["fusion=a,(b"], "cannot be read"),
        (["--resume", "nowhere"], "is not the folder of a sweep"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(typed, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", *typed]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) <= 6
    assert not list(tmp_path.iterdir())


def test_train_m_is_sweep_and_a_sweeps_keys_are_none_of_trains(capsys):
    assert cli.main(["train", "-m", "fusion=concat,gated", "--dry-run"]) == 0
    assert "2 runs" in capsys.readouterr().out
    assert cli.main(["train", "launcher=local"]) == 2
    assert "a key of sweeps" in capsys.readouterr().err


def test_a_dry_run_shows_each_whole_config(capsys):
    assert cli.main(["sweep", "fusion=concat,gated", "drop=0.1", "--dry-run", "--json"]) == 0
    shown = [json.loads(line)["config"] for line in capsys.readouterr().out.splitlines()]
    assert shown == [compose([f"fusion={name}", "drop=0.1"], CATALOG) for name in ("concat", "gated")]


# --- the plan

AXES = [
    ["fusion=concat", "fusion=gated", "fusion=lmf"],
    ["balance=plain", "balance=pcgrad"],
    ["fusion.dim=8", "fusion.dim=16"],
    ["optimizer=adamw", "optimizer=sgd"],
    ["optimizer.lr=1e-3", "optimizer.lr=1"],
]
OTHERS = [
    ["strategy=single_task", "strategy=multi_task"],
    ["encoder.text=bag", "encoder.text=embedding_lstm"],
    ["encoder.text.dim=16", "++encoder.text.dim=32"],
    ["seeds=[0,1]", "seed=3"],
    ["objectives=[]", "objectives=[contrastive]"],
    ["name=2024", "name=x"],
    ["+trainer.max_steps=5", "trainer.gradient_clip_val=null"],
]


@pytest.mark.parametrize("axes", [AXES, OTHERS], ids=["apart", "together"])
def test_a_config_of_a_plan_is_the_one_that_train_would_compose(axes, random):
    composer = Composer(CATALOG)
    every = list(itertools.product(*axes))
    for number in random.permutation(len(every))[:5]:
        assert composer(every[number]) == compose(every[number], CATALOG), every[number]


def test_what_differs_in_values_only_is_composed_once(monkeypatch):
    """Under the packaged configs: one file in which a key follows from another would have each run composed in full."""
    composer, whole = Composer(CATALOG), []
    monkeypatch.setattr(composer, "whole", lambda typed: whole.append(typed) or Composer.whole(composer, typed))
    for lr in ("1e-3", "1e-2", "1e-1"):
        assert composer([f"optimizer.lr={lr}"])["optimizer"]["lr"] == float(lr)
    assert whole == [["optimizer.lr=1e-3"]]


def test_a_key_that_follows_from_another_is_never_left_behind(tmp_path):
    (tmp_path / "fusion").mkdir()
    text = "_target_: mmfuse.fusion.concat.ConcatFusion\ndim: ${batch_size}  # int >= 1: as wide as a batch is long\n"
    (tmp_path / "fusion" / "wide.yaml").write_text(text)
    composer = Composer(Catalog([tmp_path]))
    assert [composer(["fusion=wide", f"batch_size={n}"])["fusion"]["dim"] for n in (8, 16)] == [8, 16]


def test_an_invalid_combination_can_be_left_out():
    found = planned("fusion=concat,lmf,gated", "fusion.rank=2,3", skip=True)
    assert [run.differs["fusion"] for run in found.runs] == ["lmf", "lmf"]
    assert len(found.invalid) == 4


def test_runs_that_are_alike_are_run_once():
    found = planned("fusion=gated", "batch_size=32,64,32", "threads=1,2")
    assert [run.differs["batch_size"] for run in found.runs] == ["32", "64"]
    assert found.alike == 4


def test_an_identity_tells_apart_what_decides_a_result_and_nothing_else():
    def identity(*typed):
        return digest(decides(compose(typed, CATALOG)))

    assert identity() == identity("fusion=gated") == identity("seeds=[0]") == identity("optimizer.lr=2e-3")
    aside = ["name=x", "output_dir=y", "threads=1", "loader.workers=0", "cache=false", "baselines=true"]
    assert identity() == identity(*aside)
    changes = ["seed=1", "optimizer.lr=3e-3", "fusion=concat", "batch_size=63", "loader.by_length=true", "folds=3"]
    assert len({identity(), *(identity(change) for change in changes)}) == 7


# --- the loop


class Fake(Launcher):
    """Ends runs by a script: by name, an exit code for each time that it is started; done at once without one."""

    def __init__(self, slots=2, script=None, hook=lambda folder: None):
        self.slots, self.script, self.hook = slots, {k: list(v) for k, v in (script or {}).items()}, hook
        self.running, self.started, self.stopped, self.closed = [], [], 0, 0

    @property
    def room(self):
        return self.slots - len(self.running)

    def start(self, folders):
        assert len(folders) <= self.room
        for folder in folders:
            self.hook(folder)
            self.started.append(folder.name)
            self.running.append(folder)

    def ended(self):
        found, self.running = [], self.running
        for folder in self.running:
            codes = self.script.get(folder.name)
            code = codes.pop(0) if codes else (75 if self.stopped else 0)
            state = {0: "done", 75: "preempted", 4: "failed"}.get(code)
            if state:
                Status(folder).say(state, exit_code=code, error="loss is nan" if code == 4 else None)
            found.append((folder, code))
        self.running = []
        return found

    def stop(self):
        self.stopped += 1

    def close(self):
        self.closed += 1


def runs(*names):
    return [Run(name, (), {}, name) for name in names]


def driven(folder, names, launcher, retries=1, watcher=None):
    return drive_of(folder, Listed(runs(*names)), launcher, retries, watcher).run()


def drive_of(folder, source, launcher, retries=1, watcher=None):
    def begin(run):
        (folder / run.folder).mkdir(exist_ok=True)
        if Status.read(folder / run.folder) is None:
            Status(folder / run.folder).say("created")
        return folder / run.folder

    return Drive(folder, source, begin, launcher, retries, watcher or Watcher())


def test_what_fails_is_tried_again_and_the_rest_goes_on(tmp_path):
    launcher = Fake(script={"b": [4, 0], "c": [-9, -9], "d": [2]})
    assert driven(tmp_path, "abcdef", launcher) == Counter(done=4, failed=2)
    assert Counter(launcher.started) == Counter("abbccdef")  # what is wrong with d's config stays wrong
    assert launcher.closed == 1
    assert (Status.read(tmp_path / "c"), len(failures.of(tmp_path / "c"))) == ("failed", 2)
    assert "SIGKILL" in json.loads((tmp_path / "c" / "status.json").read_text())["error"]
    again = Fake(script={"c": [0]})  # whose failures are counted in its folder
    assert driven(tmp_path, "abcdef", again) == Counter(done=5, failed=1)
    assert driven(tmp_path, "abcdef", again, retries=2) == Counter(done=6)
    assert again.started == ["d", "c"]


def test_three_that_fail_alike_from_the_start_end_a_sweep(tmp_path):
    launcher = Fake(slots=1, script={name: [4, 4] for name in "abcdef"})
    with pytest.raises(TrainingError, match=r"the first 3 runs failed alike.*loss is nan"):
        driven(tmp_path, "abcdef", launcher)
    assert launcher.started == ["a", "b", "c"]
    other = tmp_path / "other"
    other.mkdir()
    fine = Fake(slots=1, script={name: [4, 4] for name in "bcdef"})
    assert driven(other, "abcdef", fine) == Counter(done=1, failed=5)


class Choosy(Listed):
    """Gives up a run by its name."""

    def __init__(self, runs, hopeless):
        super().__init__(runs)
        self.hopeless, self.became = hopeless, {}

    def gives_up(self, folder):
        return folder.name == self.hopeless

    def ended(self, run, folder, state):
        self.became[run.folder] = state


def test_the_launcher_is_asked_to_end_what_the_search_gives_up(tmp_path, monkeypatch):
    class Patient(Fake):
        asked = ()

        def end(self, folder):
            self.asked += (folder.name,)

        def ended(self):
            waiting = [folder for folder in self.running if folder.name == "b" and not self.asked]
            self.running = [folder for folder in self.running if folder not in waiting]
            found = super().ended()
            self.running = waiting
            return found

    monkeypatch.setattr(drive, "EVERY", 0.0)
    launcher, source = Patient(script={"b": [75]}), Choosy(runs(*"abc"), "b")
    assert drive_of(tmp_path, source, launcher).run() == Counter(done=2, pruned=1)
    assert launcher.asked == ("b",)
    assert source.became == {"a": "done", "b": "pruned", "c": "done"}


def test_where_the_logs_are_is_the_launchers_to_say(tmp_path):
    launcher = Fake(script={name: [4, 4] for name in "abc"})
    launcher.logs = lambda sweep: f"{sweep}/elsewhere"
    with pytest.raises(TrainingError, match=f"the logs are in {tmp_path}/elsewhere"):
        driven(tmp_path, "abc", launcher)


def test_what_is_preempted_goes_on(tmp_path):
    launcher = Fake(script={"a": [75, 75, 0]})
    assert driven(tmp_path, "ab", launcher) == Counter(done=2)
    assert launcher.started.count("a") == 3
    assert failures.of(tmp_path / "a") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_lets_runs_save_and_starts_no_more(number, code, tmp_path):
    launcher = Fake(hook=lambda folder: folder.name == "b" and signal.raise_signal(number))
    launcher.script = {"a": [75], "b": [75]}
    with pytest.raises(Interrupted) as caught:
        driven(tmp_path, "abcdef", launcher)
    assert caught.value.exit_code == code
    assert (launcher.started, launcher.stopped, launcher.closed) == (["a", "b"], 1, 1)
    again = Fake()
    assert driven(tmp_path, "abcdef", again) == Counter(done=6)


def test_a_second_signal_does_not_wait(tmp_path):
    class Slow(Fake):
        def stop(self):
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("it waited")

    launcher = Slow(hook=lambda folder: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted):
        driven(tmp_path, "abc", launcher)
    assert launcher.closed == 1


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path):
    (tmp_path / "a").mkdir()
    launcher = Fake(slots=3)
    lock = folders.held(tmp_path / "a")
    lock.__enter__()

    class Ends(Watcher):
        def ended(self, run, folder, state, error):
            if run.folder == "c":  # meanwhile, the other one has done it
                Status(tmp_path / "a").say("done", exit_code=0)
                lock.__exit__(None, None, None)

    assert driven(tmp_path, "abc", launcher, watcher=Ends()) == Counter(done=3)
    assert launcher.started == ["b", "c"]


# --- what stands in folders


def test_status_tells_what_folders_tell(tmp_path, capsys):
    dead = subprocess.Popen(["true"])
    dead.wait()

    def say(folder, state, **about):
        folder.mkdir()
        Status(folder).say(state)
        told = json.loads((folder / "status.json").read_text()) | about
        (folder / "status.json").write_text(json.dumps(told))

    sweep = tmp_path / "s-sweep"
    sweep.mkdir()
    place.save(sweep, {"overrides": []}, runs(*"abcdefgh"))
    say(sweep / "a", "running")
    say(sweep / "b", "running", pid=dead.pid)
    say(sweep / "c", "failed", error="loss is nan")
    say(sweep / "d", "done")
    say(sweep / "e", "preempted")
    say(sweep / "f", "running", host="elsewhere", heartbeat="2020-01-01T00:00:00+00:00")
    say(sweep / "g", "preempted")
    about = {"trial": 1, "pruner": "median", "epochs": 2, "metric": "val/f1_macro", "value": 0.25}
    (sweep / "g" / "pruned.json").write_text(json.dumps(about))
    (sweep / "latest").symlink_to(sweep / "d")  # as a run that ends leaves it
    say(tmp_path / "alone", "done")
    (tmp_path / "latest").symlink_to(tmp_path / "alone")
    (of_sweep, of_runs) = groups(tmp_path)
    counts = {"running": 1, "stale": 2, "failed": 1, "preempted": 1, "pruned": 1, "waiting": 1, "done": 1}
    assert of_sweep.counts == counts
    assert [run.name for run in of_runs.runs] == ["alone"]
    assert cli.main(["status", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "8 runs: 1 running, 2 stale, 1 failed, 1 preempted, 1 pruned, 1 waiting, 1 done" in said
    assert "loss is nan" in said
    assert cli.main(["status", str(sweep), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    states = [run["state"] for run in told]
    assert states == ["running", "stale", "failed", "done", "preempted", "stale", "pruned", "waiting"]
    assert told[6]["error"] == "by median after 2 epochs, val/f1_macro 0.25"
    assert cli.main(["status", str(tmp_path / "nowhere")]) == 2


def test_a_sweep_that_another_process_is_at_is_refused(tmp_path, capsys):
    assert begun(tmp_path, "--dry-run") == 0
    sweep = tmp_path / "s"
    sweep.mkdir()
    about = {"overrides": [], "experiment": None, "config_dir": [], "allow": [], "own": []}
    place.save(sweep, about, planned(*TINY).runs)
    with folders.held(sweep):
        assert cli.main(["sweep", "--resume", str(sweep)]) == 2
    assert "another process is at this" in capsys.readouterr().err
    assert cli.main(["sweep", "--resume", str(sweep), "fusion=sum,mean"]) == 2
    assert "only launcher.* can be others now\n  asked for: fusion" in capsys.readouterr().err


def test_a_config_file_that_has_changed_since_is_noticed(tmp_path):
    run = planned(*TINY).runs[0]
    with pytest.raises(ConfigError, match="a config file has changed"):
        place.begin(tmp_path, run, compose([*run.overrides, "batch_size=3"], CATALOG), [])


# --- for real

TINY = ["fusion=concat,sum", "trainer.max_epochs=2,3", "modalities=[text]", "threads=1", "bootstrap=200"]


def begun(outputs, *more):
    return cli.main(["sweep", *TINY, f"output_dir={outputs}", "trainer.accelerator=cpu", *more])


@pytest.mark.slow
def test_a_sweep_that_died_is_gone_on_with_and_each_run_is_what_it_is_alone(tmp_path):
    typed = [*TINY, "trainer.accelerator=cpu", "launcher.slots=2", f"output_dir={tmp_path}", "name=x"]
    command = [sys.executable, "-m", "mmfuse.cli", "sweep"]

    def states():
        found = {}
        for status in tmp_path.glob("x-sweep-*/*-*/status.json"):
            about = json.loads(status.read_text())
            found.setdefault(about["state"], []).append(about["pid"])
        return found

    first = subprocess.Popen([*command, *typed, "--quiet"])
    wait_until(lambda: states().get("running"))
    os.kill(states()["running"][0], signal.SIGKILL)  # a run that dies is tried again
    wait_until(lambda: states().get("done"))
    first.kill()
    first.wait()
    (sweep,) = tmp_path.glob("x-sweep-*")
    assert len(states()["done"]) < 4
    ended = {s: s.stat().st_mtime for s in sweep.glob("*-*/status.json") if Status.read(s.parent) == "done"}
    assert ended
    code = subprocess.run([*command, "--resume", str(sweep), "--quiet"], check=False).returncode
    assert code == 0
    assert len(states()["done"]) == 4
    assert all(file.stat().st_mtime == before for file, before in ended.items())  # what is done is not done again
    about = json.loads((sweep / "sweep.json").read_text())
    assert len(about["runs"]) == 4
    for run in about["runs"]:
        config = yaml.safe_load((sweep / run["folder"] / "config.yaml").read_text())
        assert config == compose([*run["overrides"]], CATALOG)
        alone = tmp_path / "alone" / run["folder"]
        alone.mkdir(parents=True)
        train(config, alone, Listener())
        assert (alone / "metrics.json").read_bytes() == (sweep / run["folder"] / "metrics.json").read_bytes()


# --- frozen encoders


def frozen_runs(*typed, model="/nowhere"):
    about = ["encoder.text=hf", f"encoder.text.model={model}", "modalities=[text]", "threads=1", "bootstrap=200"]
    return [Composer(CATALOG)([*about, "trainer.max_epochs=1", *each.split()]) for each in typed]


def test_what_runs_ask_of_frozen_encoders_is_found_once():
    runs = frozen_runs(
        *("fusion=concat", "fusion=sum optimizer.lr=1", "encoder.text.lr=1e-5", "seeds=[0,1]"),
        *("encoder.text.pool=first", "folds=3"),  # whose rows to learn from are others
    )
    assert [(runs.index(job.config), job.modalities) for job in encodings.needed(runs)] == [
        (0, ["text"]),
        (4, ["text"]),
        (5, ["text"]),
    ]
    assert not encodings.needed(
        frozen_runs("encoder.text.freeze=false", "encoder.text.freeze=1", "cache=false", "encoder.text.unfreeze_at=1")
    )


class Encodings(Listener):
    def __init__(self):
        self.fresh = []

    def encoded(self, modality, fresh, values, seconds, place, mended):
        self.fresh.append(fresh)


def test_what_is_encoded_ahead_is_all_that_runs_ask_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "kept"))
    runs = frozen_runs("fusion=concat", "fusion=sum seed=3", model=tiny.bert())
    (job,) = encodings.needed(runs)
    ahead, later = Encodings(), Encodings()
    encode_ahead(job.config, job.modalities, ahead)
    assert len(ahead.fresh) == 1
    assert ahead.fresh[0] > 0
    for number, config in enumerate(runs):
        (tmp_path / f"{number}").mkdir()
        train(config, tmp_path / f"{number}", later)
    assert later.fresh == [0, 0]
    (folds,) = frozen_runs("folds=3", model=tiny.bert())
    encode_ahead(folds, ["text"], later)
    assert later.fresh == [0] * 5


@pytest.mark.parametrize(("more", "alike", "jobs"), [([], True, 2), (["sweep.encode=false"], True, 0), ([], False, 0)])
def test_frozen_encoders_are_asked_before_the_first_run_starts(more, alike, jobs, tmp_path, monkeypatch):
    events = []
    launcher = Fake(hook=lambda folder: events.append(folder))
    launcher.alike = alike
    monkeypatch.setattr("mmfuse.commands.sweep.launcher_of", lambda *_: launcher)
    monkeypatch.setattr(encodings, "make", lambda folder, jobs, *_: events.append(len(jobs)) or 0)
    assert begun(tmp_path, "encoder.text=hf", "encoder.text.pool=first,mean", *more) == 0
    assert [event for event in events if isinstance(event, int)] == [jobs] * (jobs > 0)
    assert events[0] == jobs or not jobs
    assert len(launcher.started) == 8


def test_an_encoder_that_cannot_be_asked_is_left_to_its_runs(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "kept"))
    jobs = [encodings.Job(run, ["text"]) for run in (*frozen_runs(""), *frozen_runs("", model=tiny.bert()))]
    assert encodings.make(tmp_path, jobs, [], quiet=False, as_json=True) == 4
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["event"] for event in said if event["event"] in ("advised", "encoded")] == ["advised", "encoded"]
    assert "/nowhere" in (tmp_path / "encoding.log").read_text()
    assert len(cached()) == 1


def wait_until(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_runs_side_by_side_share_baselines_that_are_trained_once(tmp_path):
    typed = ["fusion=concat,sum", "modalities=[image,text]", "baselines=true", "trainer.max_epochs=1"]
    more = ["threads=1", "bootstrap=200", "trainer.accelerator=cpu", "launcher.slots=2", f"output_dir={tmp_path}"]
    command = [sys.executable, "-m", "mmfuse.cli", "sweep", *typed, *more, "name=x", "--quiet"]
    subprocess.run(command, check=True)
    (sweep,) = tmp_path.glob("x-sweep-*")
    logs = [log for log in sweep.glob("*/output.log") if not log.parent.is_symlink()]
    said = [line for log in logs for line in log.read_text().splitlines()]
    told = [line for line in said if line.startswith("baseline ")]
    assert len(told) == 6  # each modality alone, and all concatenated, of each run
    assert sorted(line.split()[2] for line in told if "(from before)" not in line) == ["concat", "image", "text"]
    folders = [folder for folder in (tmp_path / "baselines").iterdir() if folder.is_dir() and not folder.is_symlink()]
    assert sorted(folder.name.split("-")[0] for folder in folders) == ["concat", "image", "text"]
    assert not any("resumed" in json.loads((folder / "manifest.json").read_text()) for folder in folders)
    for run in sweep.glob("*/metrics.json"):
        table = json.loads(run.read_text())["baselines"]
        assert {name: tmp_path / "baselines" / about["run"] for name, about in table.items()} == {
            folder.name.split("-")[0]: folder for folder in folders
        }


def test_a_sweeps_process_and_status_import_no_torch(tmp_path):
    code = (
        "import sys; from mmfuse import cli; from mmfuse.sweep import drive, local, outcome, watcher;"
        f"cli.main(['sweep', 'fusion=concat,sum', '--dry-run']); cli.main(['status', {str(tmp_path)!r}]);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
