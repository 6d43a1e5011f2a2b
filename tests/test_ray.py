"""Tasks of Ray's: the worker in a process of its own, and what becomes of it when that which started it dies."""

import os
import signal
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest
from cluster_runs import ended, in_training, left_alone, planned, status, wait_until

from mmfuse.errors import ConfigError
from mmfuse.sweep import ray_task
from mmfuse.sweep.ray import RayLauncher

# What a worker does, in shell: it says that it began, and by SIGTERM that it saved.
WORKER = "trap 'echo saved >>SAID; exit 75' TERM; echo began >>SAID; for i in $(seq 100); do sleep 0.1; done"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_worker_is_told_when_what_started_it_is_killed(tmp_path):
    said = tmp_path / "said"
    start = (
        "import subprocess, sys, os, time; "
        "p = subprocess.Popen([sys.executable, '-m', 'mmfuse.sweep.leash', str(os.getpid()), 'sh', '-c', sys.argv[1]]);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, WORKER.replace("SAID", str(said))], stdout=subprocess.PIPE, text=True
    ) as parent:
        worker = int(parent.stdout.readline())
        wait_until(said.exists, 20)
        assert not gone(worker)
        parent.kill()
    wait_until(lambda: said.read_text().split() == ["began", "saved"], 20)


def test_a_task_hands_on_the_exit_code_and_keeps_what_was_said(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    code = ray_task.work(
        run, ["-c", "import os, mmfuse; print(os.getcwd()); exit(4)"], tmp_path, tmp_path / "ray" / "log"
    )
    assert code == 4
    assert (tmp_path / "ray" / "log").read_text().strip() == str(tmp_path)


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'mmfuse\[ray\]'"):
        RayLauncher()


@pytest.mark.parametrize(
    ("keys", "says"), [({"gpus": 1.5}, "a share of one, or a whole number"), ({"cpus": 0.0}, "of one of them")]
)
def test_shares_that_cannot_be(keys, says):
    with pytest.raises(ValueError, match=says):
        RayLauncher(**keys)


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, with a home that it should leave alone."""
    pytest.importorskip("ray", reason="pip install 'mmfuse[ray]'")
    launcher = RayLauncher()
    yield launcher
    launcher.close()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray's own, of files and sockets that it leaves open
def test_runs_whose_processes_die_in_mid_training_end_as_lone_runs_do(cluster, tmp_path):
    runs = planned(tmp_path / "sweep", 3, 30)
    expected = left_alone(runs, tmp_path / "alone")
    cluster.start(runs)
    wait_until(lambda: in_training(runs[0]))
    os.kill(ray_process(status(runs[0])["pid"]), signal.SIGKILL)  # as when a node dies: Ray tries the task again
    wait_until(lambda: in_training(runs[1]))
    os.kill(status(runs[1])["pid"], signal.SIGKILL)  # the run alone: it has failed, and the sweep tries it again
    first = ended(cluster, 1)
    assert first == {runs[1]: -9}
    assert status(runs[1])["error"] == "killed by SIGKILL"
    cluster.start([runs[1]])
    assert ended(cluster, 3) == dict.fromkeys(runs, 0)
    assert [(run / "metrics.json").read_text() for run in runs] == expected


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_stop_lets_runs_save_and_none_is_left(cluster, tmp_path):
    runs = planned(tmp_path / "sweep", cluster.room, 99)
    cluster.start(runs)
    assert cluster.room == 0
    wait_until(lambda: in_training(runs[0]))
    cluster.stop()
    assert ended(cluster, len(runs)) == dict.fromkeys(runs, 75)
    assert status(runs[0])["state"] == "preempted"
    assert gone(status(runs[0])["pid"])


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_is_given_up_saves_and_the_others_go_on(cluster, tmp_path):
    runs = planned(tmp_path / "sweep", cluster.room, 99)  # the last of which waits
    cluster.start(runs)
    wait_until(lambda: in_training(runs[0]))
    cluster.end(runs[0])
    cluster.end(runs[-1])
    assert ended(cluster, 2) == {runs[0]: 75, runs[-1]: 75}
    assert status(runs[0])["state"] == "preempted"
    assert len(cluster.given) == len(runs) - 2
    (said,) = glob(cluster.logs(tmp_path / "sweep").replace("*", runs[0].name))
    assert "saved" in Path(said).read_text()
    cluster.stop()
    ended(cluster, len(runs) - 2)


@pytest.mark.ray
def test_a_share_that_the_machine_has_not_got_is_refused_at_once():
    pytest.importorskip("ray", reason="pip install 'mmfuse[ray]'")
    code = "from mmfuse.sweep.ray import RayLauncher; RayLauncher(cpus=1000.0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "no run would ever start" in done.stderr.splitlines()[-1]


def ray_process(worker):
    """Ray's, which started the worker."""
    with open(f"/proc/{worker}/stat") as file:
        return int(file.read().split()[3])
