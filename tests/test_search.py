"""Searches by Optuna: planted optima are found, hopeless runs end early, and what many share is not done twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from searching import axes, drive, folder_of, left, planted, search_of

from mmfuse.cli import main
from mmfuse.errors import ConfigError
from mmfuse.metrics.direction import mode
from mmfuse.record.status import Status
from mmfuse.run.settings import watched
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.sweep import best as outcome
from mmfuse.sweep.metric import curve, direction, final, refuse_unless_validation
from mmfuse.sweep.search import is_pruned
from mmfuse.sweep.space import space, typed
from mmfuse.sweep.study import Rules, opened
from mmfuse.sweep.suggested import Suggested, corners
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.tokens import Tokens

WORKER = Path(__file__).with_name("searching.py")


@pytest.fixture(autouse=True)
def _unflushed(monkeypatch):
    """Processes die in these tests, and machines do not."""
    monkeypatch.setattr("os.fsync", lambda file: None)


def best_of(search):
    found = outcome.best(search.study, search.axes)
    assert found is not None
    return found


def worker(root: Path, storage: str, trials: int, seconds: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(root), storage, str(trials), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def states(search) -> Counter[str]:
    return Counter(trial.state.name for trial in search.study.get_trials(deepcopy=False))


class TestTheSpace:
    def test_axes_become_distributions_that_say_the_same(self):
        found = space(axes("a=tag(log,interval(1e-5,1e-1))", "b=int(interval(1,9))", "c=x,y", "d=range(16,129,16)"))
        a, b, c, d = found.values()
        assert (type(a).__name__, a.low, a.high, a.log) == ("FloatDistribution", 1e-5, 1e-1, True)
        assert (type(b).__name__, b.low, b.high) == ("IntDistribution", 1, 9)
        assert c.choices == ("x", "y")
        assert (type(d).__name__, d.low, d.high, d.step) == ("IntDistribution", 16, 128, 16)

    def test_what_is_chosen_is_typed_with_all_its_digits_and_as_it_was_typed(self):
        of = axes("a=interval(0,1)", "b=range(0.1,0.5,0.1)", "c=[x],[y]")
        assert typed(of, {"a": 0.1 + 0.2, "b": 0.1 + 0.2, "c": "[x]"}) == {
            "a": "0.30000000000000004",
            "b": of[1].values[2],
            "c": "[x]",
        }


class TestTheFigure:
    def test_is_of_validation_rows_whatever_the_test_says(self, tmp_path):
        left(tmp_path, [0.1, 0.6, 0.4], test=0.99)
        assert (
            final(tmp_path, "auto") == final(tmp_path, "val/f1_macro") == final(tmp_path, "val/digit/f1_macro") == 0.6
        )
        with pytest.raises(ConfigError, match=r"test/f1_macro.*validation"):
            refuse_unless_validation("test/f1_macro")

    def test_that_is_in_the_histories_only_is_the_mean_over_seeds_at_the_epoch_that_was_the_best(self, tmp_path):
        left(tmp_path, [0.0])
        (tmp_path / "seed-1").mkdir()
        for seed, losses in ((0, [0.5, 0.25, 0.9]), (1, [0.5, 0.75, 0.125])):
            rows = "".join(f"{n},{f},{loss}\n" for n, (f, loss) in enumerate(zip([0.1, 0.6, 0.4], losses, strict=True)))
            (tmp_path / f"seed-{seed}" / "history.csv").write_text(f"epoch,val/f1_macro,val/loss\n{rows}")
        assert final(tmp_path, "val/loss") == (0.25 + 0.75) / 2

    def test_that_there_is_not_is_refused_with_those_there_are(self, tmp_path):
        left(tmp_path, [0.5])
        with pytest.raises(ConfigError, match=r"val/f1_makro[\s\S]*did you mean 'val/f1_macro'"):
            final(tmp_path, "val/f1_makro")

    @pytest.mark.parametrize(
        ("kind", "task"),
        [
            ("multiclass", Multiclass),
            ("multilabel", Multilabel),
            ("pairs", Pairs),
            ("regression", Regression),
            ("tokens", Tokens),
        ],
    )
    def test_gets_better_the_way_that_its_task_says(self, kind, task):
        config = {
            "early_stopping": {"monitor": "auto"},
            "tasks": ["t"],
            "dataset": {"tasks": {"t": {"kind": kind}}},
        }
        assert direction("auto", config) == mode(f"val/{task.monitor}")
        config["early_stopping"]["monitor"] = "val/loss"
        assert direction("auto", config) == "min"
        assert direction("val/accuracy", config) == "max"

    def test_is_what_the_run_told_its_best_epoch_by(self):
        config = {"early_stopping": {"monitor": "auto", "patience": 3, "min_delta": 0.0}, "tasks": ["price"]}
        tasks = {"price": Regression()}
        assert watched(config, tasks, Synchronous()) == {"figure": "val/mae", "mode": "min", "settles": 0}
        config["early_stopping"]["monitor"] = "val/pearson"
        assert watched(config, tasks, Synchronous())["figure"] == "val/pearson"

    def test_of_epochs_that_only_prepare_prunes_nothing(self, tmp_path):
        left(tmp_path, [0.9, 0.1, 0.2])
        manifest = tmp_path / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"settles": 0', '"settles": 1'))
        assert curve(tmp_path, "auto") == [(2, 0.1), (3, 0.2)]


class TestSearching:
    def test_a_planted_optimum_is_found_better_than_at_random(self, tmp_path):
        missed = {}
        for sampler in ("tpe", "random"):
            missed[sampler] = 0.0
            for seed in (0, 1):
                search = search_of(tmp_path / f"{sampler}{seed}", Rules(30, sampler, seed=seed))
                drive(search, tmp_path / f"{sampler}{seed}")
                top = best_of(search)
                missed[sampler] += 1 - planted(top.differs)
                assert planted(top.differs) == max(
                    planted(typed(search.axes, trial.params)) for trial in search.study.trials
                )
                if sampler == "tpe":
                    assert top.differs["fusion"] == "gated"
                    assert 1e-3 < float(top.differs["optimizer.lr"]) < 4e-3
        assert missed["tpe"] < missed["random"] / 2

    def test_less_of_an_error_is_better(self, tmp_path):
        search = search_of(tmp_path, Rules(4, "random"), direction="min")
        for value in (0.3, 0.1, 0.4, 0.2):
            asked = search.ask()
            folder = folder_of(asked.differs, tmp_path)
            left(folder, [value], "mae", mode="min")
            Status(folder).say("done")
            search.began(asked, folder)
            search.tell(folder)
        assert best_of(search).value == 0.1

    def test_one_that_was_stopped_and_gone_on_with_tries_what_it_would_have(self, tmp_path):
        whole = drive(search_of(tmp_path / "whole", Rules(14, startup=4)), tmp_path / "whole")
        first = drive(search_of(tmp_path / "parts", Rules(6, startup=4)), tmp_path / "parts")
        rest = drive(search_of(tmp_path / "parts", Rules(14, startup=4)), tmp_path / "parts")
        assert whole == first + rest

    def test_a_value_that_fails_counts_and_is_tried_less(self, tmp_path):
        search = search_of(tmp_path, Rules(30, startup=8))
        tried = []
        while not search.done:
            asked = search.ask()
            folder = folder_of(asked.differs, tmp_path)
            tried.append(asked.differs["fusion"])
            left(folder, [planted(asked.differs)])
            Status(folder).say("failed" if tried[-1] == "gated" else "done")
            search.began(asked, folder)
            search.tell(folder, failed="memory ran out" if tried[-1] == "gated" else None)
        assert len(tried) == 30
        found = outcome.counts(search.study)
        assert found["failed"] == tried.count("gated")
        assert found["complete"] + found["failed"] == 30
        assert tried[20:].count("gated") < tried[:10].count("gated")
        assert best_of(search).differs["fusion"] != "gated"

    def test_what_mattered_is_told_and_the_line_that_runs_the_best_again(self, tmp_path):
        of = axes("a=interval(0,1)", "b=interval(0,1)")
        search = search_of(tmp_path, Rules(30, "random"), of=of)
        drive(search, tmp_path, good=lambda differs: float(differs["a"]))
        shares = outcome.importance(search.study, of)
        assert shares["a"] > 0.9
        assert sum(shares.values()) == pytest.approx(1)
        said = "\n".join(outcome.lines(search.study, of, "val/f1_macro", ["mmfuse", "train", "-e", "mine"]))
        top = best_of(search)
        assert f"mmfuse train -e mine a={top.differs['a']} b={top.differs['b']}" in said
        assert "30 complete" in said
        assert str(top.folder) in said


class TestPruning:
    @pytest.mark.parametrize("pruner", ["median", "hyperband"])
    def test_ends_bad_runs_and_not_the_best(self, tmp_path, pruner):
        rules = Rules(30, "random", pruner, startup=5, epochs=9)
        search = search_of(tmp_path, rules)
        drive(search, tmp_path, epochs=9)
        complete, pruned = (
            [planted(typed(search.axes, trial.params)) for trial in search.among(state)]
            for state in ("COMPLETE", "PRUNED")
        )
        assert len(complete) + len(pruned) == 30
        assert len(pruned) >= 8
        assert sum(pruned) / len(pruned) < sum(complete) / len(complete)
        assert max(pruned) < max(complete)
        epochs = sum(trial.last_step for trial in search.among("COMPLETE", "PRUNED"))
        assert epochs < 0.8 * 30 * 9

    def test_no_run_ends_before_the_warm_up(self, tmp_path):
        search = search_of(tmp_path, Rules(20, "random", "median", startup=3, warmup=4))
        drive(search, tmp_path, epochs=6)
        assert {trial.last_step for trial in search.among("PRUNED")} == {4}

    def test_a_pruned_run_is_not_gone_on_with(self, tmp_path):
        rules = Rules(12, "random", "median", startup=3)
        search = search_of(tmp_path, rules)
        while not any(map(is_pruned, tmp_path.iterdir())):
            asked = search.ask()
            folder = folder_of(asked.differs, tmp_path)
            left(folder, [planted(asked.differs)] * 3)
            search.began(asked, folder)
            if search.should_stop(folder):
                Status(folder).say("preempted")
                assert search.should_stop(folder)
                break  # its worker dies before it can tell
            Status(folder).say("done")
            search.tell(folder)
        again = search_of(tmp_path, rules, sole=True)
        asked = again.ask()
        assert asked.folder == folder.resolve()
        again.began(asked, folder)
        again.tell(folder)
        assert states(again)["PRUNED"] == 1


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
class TestManyWorkers:
    def where(self, storage: str, tmp_path: Path) -> str:
        return storage if storage == "journal" else f"sqlite:///{tmp_path}/study.db"

    def test_do_as_many_trials_as_were_asked_for_together(self, storage, tmp_path):
        named = self.where(storage, tmp_path)
        search_of(tmp_path, Rules(7), named)
        both = [worker(tmp_path, named, 7, 0.05) for _ in range(2)]
        said = [one.communicate(timeout=60) for one in both]
        assert [one.returncode for one in both] == [0, 0], said
        done = [int(out) for out, _ in said]
        assert sum(done) == 7
        assert min(done) >= 1  # both had a part in it
        found = search_of(tmp_path, Rules(7), named).study.get_trials()
        complete = [trial for trial in found if trial.state.name == "COMPLETE"]
        assert len(complete) == 7
        assert len({tuple(trial.params.values()) for trial in complete}) == 7
        assert all(trial.state.name in ("COMPLETE", "FAIL") for trial in found)

    def test_what_one_left_that_was_killed_is_done_by_the_others(self, storage, tmp_path):
        named = self.where(storage, tmp_path)
        search = search_of(tmp_path, Rules(4), named)
        killed = worker(tmp_path, named, 4, 0.5)
        deadline = time.monotonic() + 30
        while not any("run" in trial.user_attrs for trial in search.among("RUNNING")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        (orphan,) = search.among("RUNNING")
        asked = search.ask()
        assert asked.trial.params == orphan.params
        assert str(asked.folder) == orphan.user_attrs["run"]
        left(asked.folder, [0.5])
        Status(asked.folder).say("done")
        search.began(asked, asked.folder)
        search.tell(asked.folder)
        drive(search, tmp_path)
        assert states(search) == {"COMPLETE": 4, "FAIL": 1}


class TestTheSource:
    """What the loop of a sweep asks for runs."""

    def source(self, tmp_path, trials, of, parallel=10, compose=lambda typed: {"typed": list(typed)}):
        known = []
        search = search_of(tmp_path, Rules(trials), of=of)
        return Suggested(search, ["batch_size=8"], compose, tmp_path, parallel, known.append), known

    def ends(self, source, run, tmp_path, value=0.5):
        left(tmp_path / run.folder, [value])
        Status(tmp_path / run.folder).say("done")
        source.ended(run, tmp_path / run.folder, "done")

    def test_gives_no_more_at_once_than_leaves_something_to_learn_from(self, tmp_path):
        source, known = self.source(tmp_path, 6, axes(), parallel=2)
        first = source.more(100)
        assert len(first) == len(source.more(100)) + 2 == 2
        assert known == first
        assert all(run.overrides[0] == "batch_size=8" and len(run.overrides) == 3 for run in first)
        self.ends(source, first[0], tmp_path)
        assert len(source.more(100)) == 1
        assert not source.exhausted

    def test_what_is_asked_for_twice_is_run_once(self, tmp_path):
        source, _ = self.source(tmp_path, 8, axes("fusion=concat,gated"))
        given = []
        while not source.exhausted:
            for run in source.more(3):
                given.append(run.folder)
                if not (tmp_path / run.folder).exists():
                    self.ends(source, run, tmp_path)
                else:
                    source.ended(run, tmp_path / run.folder, "done")  # as the loop does with what is done
        assert states(source.search) == {"COMPLETE": 8}
        assert len(set(given)) == 2

    def test_values_that_cannot_be_together_count_as_failed(self, tmp_path):
        def compose(typed):
            if {"a=1", "b=1"} <= set(typed):
                raise ConfigError("a=1 is not with b=1")
            return {"typed": list(typed)}

        source, _ = self.source(tmp_path, 12, axes("a=1,2", "b=1,2"), compose=compose)
        while not source.exhausted:
            for run in source.more(1):
                assert run.differs != {"a": "1", "b": "1"}
                self.ends(source, run, tmp_path)
        found = outcome.counts(source.search.study)
        assert found["failed"] >= 1
        assert found["complete"] + found["failed"] == 12
        reasons = {trial.user_attrs["failed"] for trial in source.search.among("PRUNED")}
        assert reasons == {"a=1 b=1: a=1 is not with b=1"}

    def test_each_value_and_both_ends_are_tried_before_anything_starts(self):
        found = list(corners(axes("a=x,y", "b=interval(0,1)", "c=range(1,4)")))
        assert {(key, value) for differs in found for key, value in differs.items()} == {
            ("a", "x"),
            ("a", "y"),
            ("b", "0.0"),
            ("b", "1.0"),
            ("c", "1"),
            ("c", "2"),
            ("c", "3"),
        }


class TestSharing:
    def test_of_two_that_ask_for_the_last_one_only_one_gets_it(self, tmp_path):
        one, other = search_of(tmp_path, Rules(1)), search_of(tmp_path, Rules(1))
        ask, got = one.study.ask, []

        def slowly(space):
            got.append(other.ask())
            return ask(space)

        one.study.ask = slowly
        assert one.ask() is None
        assert got[0] is not None
        assert states(one) == {"RUNNING": 1, "FAIL": 1}

    def test_what_runs_is_left_to_whom_it_belongs(self, tmp_path):
        one, other = search_of(tmp_path, Rules(2)), search_of(tmp_path, Rules(2))
        first, second = one.ask(), other.ask()
        assert first.trial.number != second.trial.number
        assert one.ask() is None
        assert other.ask() is None

    def test_a_worker_elsewhere_is_gone_when_it_has_been_silent_for_long(self, tmp_path):
        one, other = search_of(tmp_path, Rules(1)), search_of(tmp_path, Rules(1))
        one.worker.name = f"elsewhere:{os.getpid()}:0"
        one.worker.beaten = 0.0
        first = one.ask()
        assert other.ask() is None
        one.study.set_user_attr(f"beat {one.worker.name}", time.time() - 700)
        second = other.ask()
        assert second.trial.params == first.trial.params
        folder = tmp_path / "late"
        left(folder, [0.25])
        Status(folder).say("done")
        for search, asked in ((other, second), (one, first)):  # the one that was thought dead comes after all
            search.began(asked, folder)
            search.tell(folder)
        assert states(one) == {"COMPLETE": 1, "FAIL": 1}

    def test_half_a_line_that_a_dead_machine_left_costs_nothing_else(self, tmp_path):
        drive(search_of(tmp_path, Rules(3)), tmp_path)
        with open(tmp_path / "study.journal", "a") as file:
            file.write('{"op_code":4,"wor')
        search = search_of(tmp_path, Rules(5))
        drive(search, tmp_path)
        assert states(search_of(tmp_path, Rules(5)))["COMPLETE"] == 5

    def test_a_study_of_other_axes_is_refused(self, tmp_path):
        search_of(tmp_path, Rules(3))
        with pytest.raises(ConfigError, match="other axes"):
            search_of(tmp_path, Rules(3), of=axes("fusion=concat,gated"))
        with pytest.raises(ConfigError, match="other direction"):
            search_of(tmp_path, Rules(3), direction="min")


class TestRefused:
    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            (["sweep.search=tpe"], "sweep.trials"),
            (["sweep.pruner=median"], "a grid"),
            (["sweep.search=tpe", "sweep.trials=3", "sweep.metric=test/f1_macro"], "validation rows"),
            (["sweep.search=bayes", "sweep.trials=3"], "takes grid | random | tpe"),
            (["sweep.search=tpe", "sweep.trials=3", "sweep.storage=nowhere/study.journal"], "no folder"),
            (["sweep.search=tpe", "sweep.trials=3", "fusion=gated,gatd"], "gatd"),
        ],
    )
    def test_what_cannot_be_leaves_no_folder(self, typed, said, tmp_path, capsys):
        common = ["optimizer.lr=tag(log,interval(1e-4,1e-2))"] if "median" not in typed[0] else ["fusion=gated,concat"]
        assert main(["sweep", *common, f"output_dir={tmp_path}/out", *typed]) == 2
        assert said in capsys.readouterr().err
        assert not list(tmp_path.glob("out/*"))

    @pytest.mark.parametrize(
        ("storage", "said"),
        [
            ("nowhere/study.journal", "no folder"),
            ("what://x", "what"),
            ("postgresql://me:secret@127.0.0.1:1/x", "psycopg"),
        ],
    )
    def test_storage_that_cannot_be(self, tmp_path, storage, said):
        with pytest.raises(ConfigError, match=said) as told:
            search_of(tmp_path, Rules(3), storage)
        assert "secret" not in str(told.value)

    def test_rules_that_cannot_be(self, tmp_path):
        for rules, said in (
            (Rules(0), "trials=0"),
            (Rules(3, startup=0), "startup=0"),
            (Rules(3, warmup=-1), "warmup"),
        ):
            with pytest.raises(ConfigError, match=said):
                search_of(tmp_path, rules)

    def test_without_optuna_the_line_that_installs_it_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mmfuse.sweep.study.find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"pip install 'mmfuse\[search\]'"):
            opened("mine", "journal", tmp_path, Rules(3), "max", {})
