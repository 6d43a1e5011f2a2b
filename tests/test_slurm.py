"""Jobs of Slurm's: what is submitted and what is made of its answers, by a Slurm of shell scripts; then a real one."""

import json
import os
import signal
import subprocess
import sys

import pytest
from cluster_runs import ended, in_training, left_alone, planned, status, wait_until

from mmfuse.errors import ConfigError
from mmfuse.record.status import Status
from mmfuse.sweep import slurm_queue
from mmfuse.sweep.slurm import SlurmLauncher

submitit = pytest.importorskip("submitit", reason="pip install 'mmfuse[slurm]'")


def answers():
    """Why a real Slurm cannot be asked; None where it can."""
    if not slurm_queue.here():
        return "no sinfo and sbatch here"
    try:
        return None if "debug" in slurm_queue.partitions() else "no partition debug: bash scripts/slurm_here.sh up"
    except slurm_queue.SilentError as error:
        return f"{error}: bash scripts/slurm_here.sh up"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Slurm's commands, which print what the files beside them say; sbatch keeps a copy of each script."""
    place = tmp_path / "bin"
    place.mkdir()
    for command in ("sinfo", "squeue", "sacct", "scontrol"):
        (place / command).write_text(f'#!/bin/sh\necho {command} "$@" >>{place}/asked\ncat {place}/{command}.says\n')
    (place / "scancel").write_text(f'#!/bin/sh\necho scancel "$@" >>{place}/asked\n')
    (place / "srun").write_text("#!/bin/sh\n")
    (place / "sbatch").write_text(
        f'#!/bin/sh\nn=$(ls {place} | grep -c job)\ncp "$1" {place}/job$n\necho Submitted batch job $((17 + n))\n'
    )
    for command in place.iterdir():
        command.chmod(0o755)
    says = {
        "sinfo": "cpu|2 nodes, at most infinite\ngpu|1 nodes, at most 1-00:00:00\n",
        "scontrol": "MaxArraySize = 3\n",
    }
    for command in ("sinfo", "squeue", "sacct", "scontrol"):
        (place / f"{command}.says").write_text(says.get(command, ""))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return place


def folders(place, count):
    made = [place / f"run{number}" for number in range(count)]
    for each in made:
        each.mkdir(parents=True)
        Status(each).say("created")
    return made


def launched(fake, tmp_path, count=1, **keys):
    launcher, runs = SlurmLauncher(poll_s=1e-9, **keys), folders(tmp_path / "sweep", count)
    launcher.start(runs)
    return launcher, runs


def test_an_array_of_what_is_started_together_with_what_the_keys_say(fake, tmp_path):
    _, runs = launched(
        fake, tmp_path, 2, partition="gpu", account="us", qos="long", time_min=90, cpus=3, gpus=1, mem_gb=1.5,
        array_parallelism=1, setup=["module load cuda"], signal_delay_s=45,
    )  # fmt: skip
    (script,) = fake.glob("job*")
    lines = script.read_text().splitlines()
    wanted = "array=0-1%1 partition=gpu account=us qos=long time=90 cpus-per-task=3 gpus-per-node=1 mem=1536MB nodes=1"
    for option in [*wanted.split(), "signal=USR2@45", "open-mode=append"]:
        assert f"#SBATCH --{option}" in lines, option
    assert "#SBATCH --requeue" in lines
    assert lines.index("module load cuda") < lines.index("export SUBMITIT_EXECUTOR=slurm")
    jobs = [submitit.core.utils.DelayedSubmission.load(p) for p in sorted((tmp_path / "sweep/slurm").glob("*.pkl"))]
    assert [job.function.command for job in jobs] == [
        (sys.executable, "-m", "mmfuse.worker", str(run.resolve()), "--quiet") for run in runs
    ]
    assert [json.loads((run / "job.json").read_text())["job"] for run in runs] == ["17_0", "17_1"]


def test_arrays_are_no_larger_than_slurm_lets_them_be(fake, tmp_path):
    _, runs = launched(fake, tmp_path, 5)  # MaxArraySize is 3
    arrays = [line for n in range(2) for line in (fake / f"job{n}").read_text().splitlines() if "--array" in line]
    assert arrays == ["#SBATCH --array=0-2%3", "#SBATCH --array=0-1%2"]
    assert [json.loads((run / "job.json").read_text())["job"] for run in runs] == [
        "17_0",
        "17_1",
        "17_2",
        "18_0",
        "18_1",
    ]


def test_cores_are_as_many_as_threads_and_the_queue_as_long_as_is_said(fake, tmp_path):
    launcher, _ = launched(fake, tmp_path, 2, at_once=5, threads=4)
    assert launcher.room == 3
    assert "#SBATCH --cpus-per-task=4" in (fake / "job0").read_text()


@pytest.mark.parametrize(
    ("squeue", "sacct", "said", "code", "error"),
    [
        ("17|RUNNING", "", "running", None, None),
        ("17|COMPLETING", "", "running", None, None),
        ("17|PENDING", "", "preempted", None, None),  # put back into the queue
        ("17|COMPLETED", "", "done", 0, None),
        ("", "17|COMPLETED", "done", 0, None),  # it ended long ago
        ("", "", "done", 0, None),
        ("17|FAILED", "", "failed", 3, "rows"),  # what the run says of itself counts
        ("17|COMPLETED", "", "preempted", 75, None),
        ("17|OUT_OF_MEMORY", "", "running", 4, "OUT_OF_MEMORY"),
        ("17|TIMEOUT", "", "running", 4, "TIMEOUT"),
        ("", "17|NODE_FAIL", "running", 4, "NODE_FAIL"),
        ("", "17|CANCELLED by 1000", "preempted", 4, "cancelled"),
        ("17|FAILED", "", None, 4, "FAILED"),  # before it said a word
        ("", "", "running", 4, "nothing is known"),
    ],
)
def test_how_a_run_ended(fake, tmp_path, squeue, sacct, said, code, error):
    launcher, (run,) = launched(fake, tmp_path)
    if said:
        codes = {"done": 0, "failed": 3, "preempted": 75}
        Status(run).say(said, exit_code=codes.get(said), error="rows" if said == "failed" else None)
    (fake / "squeue.says").write_text(squeue + "\n")
    (fake / "sacct.says").write_text(sacct + "\n")
    assert launcher.ended() == ([] if code is None else [(run, code)])
    if error:
        assert status(run)["state"] == "failed"
        assert error in status(run)["error"]
    if code is not None:
        assert launcher.ended() == []
        assert not (run / "job.json").exists()


def test_what_a_run_said_before_it_was_started_again_does_not_count(fake, tmp_path):
    (run,) = folders(tmp_path / "sweep", 1)
    Status(run).say("preempted", exit_code=75)
    launcher = SlurmLauncher(poll_s=1e-9)
    launcher.start([run])
    (fake / "squeue.says").write_text("17|NODE_FAIL\n")
    assert launcher.ended() == [(run, 4)]


def test_a_slurm_that_does_not_answer_ends_nothing(fake, tmp_path):
    launcher, _ = launched(fake, tmp_path)
    (fake / "squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    assert launcher.ended() == []


def test_jobs_that_are_still_in_the_queue_are_not_submitted_again(fake, tmp_path):
    launched(fake, tmp_path, 2)
    (fake / "squeue.says").write_text("17_0|PENDING\n17_1|COMPLETED\n")
    again = SlurmLauncher(poll_s=1e-9)
    runs = [tmp_path / "sweep" / f"run{n}" for n in range(2)]
    again.start(runs)
    assert {folder: given.job for folder, given in again.given.items()} == {runs[0]: "17_0", runs[1]: "18"}


def test_stop_cancels_and_waits_and_what_never_began_is_not_failed(fake, tmp_path):
    launcher, (one, other) = launched(fake, tmp_path, 2)
    Status(one).say("preempted", exit_code=75)
    (fake / "squeue.says").write_text("17_0|CANCELLED\n17_1|CANCELLED\n")
    launcher.stop()
    assert "scancel 17_0 17_1" in (fake / "asked").read_text()
    assert sorted(launcher.ended()) == [(one, 75), (other, 75)]
    assert status(other)["state"] == "created"


def test_a_run_that_is_given_up_is_cancelled_and_not_failed(fake, tmp_path):
    launcher, (one, other) = launched(fake, tmp_path, 2)
    Status(one).say("preempted", exit_code=75)
    squeue = fake / "squeue"
    answers, squeue_says = squeue.read_text(), fake / "squeue.says"
    squeue_says.write_text("17_0|RUNNING\n17_1|RUNNING\n")
    launcher.end(one)
    launcher.end(tmp_path / "another's")
    squeue.write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    assert launcher.ended() == []
    squeue.write_text(answers)
    assert launcher.ended() == []
    squeue_says.write_text("17_0|CANCELLED\n17_1|CANCELLED\n")
    assert sorted(launcher.ended()) == [(one, 75), (other, 4)]  # which somebody else has cancelled
    assert {line for line in (fake / "asked").read_text().splitlines() if "scancel" in line} == {"scancel 17_0"}
    assert launcher.logs(tmp_path / "sweep").startswith(str(tmp_path / "sweep" / "slurm"))


def refusal(make):
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


def test_refuses_with_advice(fake, tmp_path, monkeypatch):
    partition = refusal(lambda: SlurmLauncher(partition="gpus"))
    assert partition == (
        "launcher.partition: Slurm has no partition 'gpus'\n  did you mean 'gpu'?   there are: cpu, gpu"
    )
    with pytest.raises(ValueError, match="signal_delay_s=60: less than the 1 minutes"):
        SlurmLauncher(time_min=1, signal_delay_s=60)
    (fake / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: Invalid account us' >&2\nexit 1\n")
    assert "Invalid account us" in refusal(lambda: launched(fake, tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no Slurm here" in refusal(SlurmLauncher)


# What a worker does, in shell: it ends by itself, or by a signal, after which it saves and says 75.
WORKER = "trap 'echo saved >>RUN/said; exit 75' TERM; echo began >>RUN/said; for i in $(seq 100); do sleep 0.1; done"
AGAIN = "test -e RUN/said && { echo ended >>RUN/said; exit 0; }; "


def job(run, shell, countdown=3):
    """The process of a job, by submitit's executor for this machine, which shares all but the queue with Slurm's."""
    from mmfuse.sweep.slurm_task import Task

    executor = submitit.LocalExecutor(run / "jobs", max_num_timeout=countdown)
    executor.update_parameters(timeout_min=1)
    return executor.submit(Task(run, ["sh", "-c", shell.replace("RUN", str(run))]))


def said(run):
    return (run / "said").read_text().split() if (run / "said").exists() else []


def test_at_its_limit_a_run_saves_and_the_job_comes_again(tmp_path):
    (run,) = folders(tmp_path, 1)
    started = job(run, AGAIN + WORKER)
    wait_until(lambda: said(run) == ["began"], 30)
    send(signal.SIGUSR2, processes(started))  # all of them get it
    assert started.result() == 0
    assert said(run) == ["began", "saved", "ended"]


def test_a_run_that_comes_to_its_limit_too_often_has_failed(tmp_path):
    (run,) = folders(tmp_path, 1)
    started = job(run, WORKER, countdown=0)
    wait_until(lambda: said(run) == ["began"], 30)
    send(signal.SIGUSR2, processes(started))  # all of them get it
    assert started.exception() is not None
    assert "max_requeues" in status(run)["error"]


def processes(started):
    """submitit's process below its watchman, and the worker that it started."""
    (task,) = children(started._process.pid)
    return task, *children(task)


def children(pid):
    return [int(p) for p in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()]


def send(number, pids):
    for pid in pids:
        os.kill(pid, number)


@pytest.mark.parametrize(("state", "last"), [("RUNNING", "ended"), ("COMPLETING", "saved")])
def test_a_job_that_is_taken_away_comes_again_unless_it_was_cancelled(state, last, fake, tmp_path, monkeypatch):
    (run,) = folders(tmp_path, 1)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    (fake / "squeue.says").write_text(f"{state}\n")
    started = job(run, AGAIN + WORKER)
    wait_until(lambda: said(run) == ["began"], 30)
    send(signal.SIGTERM, processes(started))  # all of them get it
    wait_until(lambda: said(run)[-1] == last, 30)
    wait_until(started.done, 30)
    assert said(run)[:2] == ["began", "saved"]


def test_a_worker_that_alone_is_told_to_end_does_not_come_again(tmp_path):
    (run,) = folders(tmp_path, 1)
    started = job(run, AGAIN + WORKER)
    wait_until(lambda: said(run) == ["began"], 30)
    send(signal.SIGTERM, processes(started)[1:])
    wait_until(started.done, 30)
    assert said(run) == ["began", "saved"]


def test_a_worker_that_is_killed_has_failed_by_that(tmp_path):
    (run,) = folders(tmp_path, 1)
    started = job(run, "kill -9 $$")
    wait_until(started.done, 30)
    assert (status(run)["state"], status(run)["exit_code"], status(run)["error"]) == ("failed", -9, "killed by SIGKILL")


@pytest.mark.slurm
def test_an_array_whose_jobs_are_put_back_in_mid_training_ends_as_lone_runs_do(tmp_path):
    if why := answers():
        pytest.skip(why)
    runs = planned(tmp_path / "sweep", 3, 60)
    expected = left_alone(runs, tmp_path / "alone")
    launcher = SlurmLauncher(partition="debug", time_min=5, signal_delay_s=60, poll_s=0.5)
    launcher.start(runs)
    jobs = {run: given.job for run, given in launcher.given.items()}
    wait_until(lambda: in_training(runs[0]))
    warned = ["scancel", "--signal=USR2", jobs[runs[0]]]  # what Slurm does before the limit
    wait_until(lambda: subprocess.run(warned).returncode == 0)  # a busy Slurm may say: try again later
    wait_until(lambda: in_training(runs[1]))
    subprocess.run(["scontrol", "requeue", jobs[runs[1]]], check=True)
    assert ended(launcher, 3) == dict.fromkeys(runs, 0)
    resumed = [len(json.loads((run / "manifest.json").read_text()).get("resumed", ())) for run in runs]
    assert resumed == [1, 1, 0]
    assert [(run / "metrics.json").read_text() for run in runs] == expected


@pytest.mark.slurm
def test_a_run_that_is_given_up_saves_and_its_job_does_not_come_again(tmp_path):
    if why := answers():
        pytest.skip(why)
    (run,) = planned(tmp_path / "sweep", 1, 999)
    launcher = SlurmLauncher(partition="debug", time_min=5, signal_delay_s=60, poll_s=0.5)
    launcher.start([run])
    job = launcher.given[run].job
    wait_until(lambda: in_training(run))
    launcher.end(run)
    assert ended(launcher, 1) == {run: 75}
    assert status(run)["state"] == "preempted"
    wait_until(lambda: slurm_queue.states([job]) == {job: "CANCELLED"}, 30)


@pytest.mark.slurm
def test_a_partition_that_is_not_there():
    if why := answers():
        pytest.skip(why)
    message = refusal(lambda: SlurmLauncher(partition="debgu"))
    assert message.splitlines()[0] == "launcher.partition: Slurm has no partition 'debgu'"
    assert "did you mean 'debug'?" in message.splitlines()[1]


@pytest.mark.slurm
def test_a_job_that_squeue_has_forgotten_is_known_by_sacct(tmp_path, monkeypatch):
    if why := answers():
        pytest.skip(why)
    script = [
        "sbatch",
        "--parsable",
        "--output=/dev/null",
        "--array=0-1",
        "--wrap",
        "exit $((SLURM_ARRAY_TASK_ID * 3))",
    ]
    job = subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip()
    expected = {f"{job}_0": "COMPLETED", f"{job}_1": "FAILED"}
    wait_until(lambda: slurm_queue.states(expected) == expected)
    (tmp_path / "squeue").write_text("#!/bin/sh\necho slurm_load_jobs error: Invalid job id specified >&2; exit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    wait_until(lambda: slurm_queue.states(expected) == expected, 30)
