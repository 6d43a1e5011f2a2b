"""Several ranks train as one process would that has all their rows a step. gloo stands in for NCCL."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ranks import sharing
from torch import multiprocessing

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.order import Order
from mmfuse.errors import ConfigError
from mmfuse.listener import Listener
from mmfuse.ranks import Place
from mmfuse.run import devices
from mmfuse.run.train import run

# 179 rows train, at the last step of an epoch 30 on the one rank and 29 on the other; 181 validate, the last one alone.
SMALL = [
    "modalities=[image,text]",
    "dataset.split.ratios=[0.1,0.1006,0.7994]",
    "encoder.text.dropout=0.0",
    "optimizer=sgd",
    "optimizer.lr=0.05",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
    "threads=1",
    "bootstrap=200",
]
CASES = {
    "plain": [],
    "sharded": ["trainer.strategy=fsdp", "trainer.gradient_clip_val=0.05"],
    "contrastive": ["objectives=[contrastive]", "encoder.image.dim=32", "encoder.text.dim=32"],
    "gradients": ["strategy=multi_task", "balance=pcgrad"],
    "gradnorm": ["strategy=multi_task", "balance=gradnorm"],
}
LONG = [*SMALL, "trainer.max_epochs=14", "early_stopping.patience=14", "batch_size=8", "drop=0.2"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TWO = ["trainer.devices=2"]

START = "spawn" if torch.cuda.is_available() or sys.platform != "linux" else "fork"  # that imports torch once only

two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a rank a core")
sizes = st.integers(1, 60)


@given(rows=sizes, batch=st.integers(1, 9), ranks=st.integers(1, 5), seed=st.none() | st.integers(0, 3))
def test_each_row_is_one_ranks(rows, batch, ranks, seed):
    orders = [Order(range(rows), batch, seed, Place(rank, ranks)) for rank in range(ranks)]
    parts = [[b.tolist() for b in order] for order in orders]
    assert {len(each) for each in parts} == {len(orders[0])}  # or one would wait for the others for ever
    whole = [b.tolist() for b in Order(range(rows), batch * ranks, seed)]
    for k, wanted in enumerate(whole):
        own = [part[k] for part, order in zip(parts, orders, strict=True) if k < order.own]
        if seed is not None and len(wanted) < ranks:
            assert own == []
            assert orders[0].left_out == len(wanted)
        else:
            assert [row for part in own for row in part] == wanted  # the rows of one process, in its order
            counts = [len(part) for part in own] + [0] * (ranks - len(own))
            assert max(counts) - min(counts) <= 1


@given(start=st.integers(0, 5))
def test_an_epoch_is_entered_by_all_ranks_at_the_same_batch(start):
    for rank in range(3):
        order = Order(range(50), 3, 0, Place(rank, 3))
        whole = list(order)
        order.enter(0, start)
        assert [b.tolist() for b in order] == [b.tolist() for b in whole[start:]]


@pytest.mark.parametrize(
    ("trainer", "says"),
    [
        ({"devices": 4000, "accelerator": "cpu"}, f"there are {len(os.sched_getaffinity(0))} CPU cores"),
        ({"devices": [0, 1], "accelerator": "cpu"}, "a number is needed"),
        ({"devices": "some", "accelerator": "cpu"}, "how many, or which"),
        ({"devices": 1, "num_nodes": -1, "accelerator": "cpu"}, "at least 1"),
    ],
)
def test_devices_that_cannot_be(trainer, says):
    with pytest.raises(ConfigError, match=r".") as error:
        devices.ranks(trainer)
    assert says in str(error.value)


def folder_of(place, keys):
    place.mkdir(parents=True)
    cfg = compose(keys, Catalog())
    (place / "config.yaml").write_text(yaml.safe_dump(cfg, sort_keys=False))
    return place


QUICK = ("plain", "sharded", "contrastive")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Runs of two ranks, by name."""
    return trained(tmp_path_factory.mktemp("two"), {name: CASES[name] for name in QUICK})


@pytest.fixture(scope="module")
def slowly(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("slow"), {name: CASES[name] for name in CASES if name not in QUICK})


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A run of two ranks that nothing stops."""
    return trained(tmp_path_factory.mktemp("long"), {}, long=LONG)["long"]


def trained(root, cases, **whole):
    found = {name: folder_of(root / name, [*SMALL, *keys, *TWO, "batch_size=30"]) for name, keys in cases.items()}
    found |= {name: folder_of(root / name, [*keys, *TWO]) for name, keys in whole.items()}
    ranks = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = Path(__file__).with_name("rank_runs.py")
    subprocess.run([*ranks, script, *found.values()], check=True, env=ENVIRONMENT, timeout=240)
    return found


def history(place):
    with open(place / "seed-0" / "history.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def answers(place):
    with np.load(place / "seed-0" / "answers.npz") as arrays:
        return dict(arrays)


@two_cores
@pytest.mark.parametrize("name", QUICK)
def test_two_ranks_are_one_process(name, together, tmp_path):
    check_is_one_process(name, together, tmp_path)


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("name", [name for name in CASES if name not in QUICK])
def test_two_ranks_are_one_process_whatever_is_done_to_gradients(name, slowly, tmp_path):
    check_is_one_process(name, slowly, tmp_path)


def check_is_one_process(name, together, tmp_path):
    one = folder_of(tmp_path / "one", [*SMALL, *CASES[name], "batch_size=60"])
    run(compose([*SMALL, *CASES[name], "batch_size=60"], Catalog()), one, Listener())
    for here, there in zip(history(one), history(together[name]), strict=True):
        assert here == pytest.approx(there, abs=1e-5)
    ours, theirs = answers(one), answers(together[name])
    for part, values in ours.items():
        np.testing.assert_allclose(values, theirs[part], atol=1e-5)
        if "|rows" in part:
            told = theirs[part].tolist()
            assert len(told) == len(set(told)) == {"val": 181, "test": 1437}[part.split("|")[0]]


@two_cores
def test_each_rank_has_its_half_of_sharded_weights(tmp_path):
    """Halves of the rows of each, of which the first rank has the larger; together they say what the whole says."""
    multiprocessing.start_processes(sharing, (tmp_path / "store", tmp_path), nprocs=2, start_method=START)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first["own"] == {"0.weight": (3, 4), "0.bias": (3,), "1.weight": (2, 5), "1.bias": (2,)}
    assert second["own"] == {"0.weight": (2, 4), "0.bias": (2,), "1.weight": (1, 5), "1.bias": (1,)}
    for name, whole in first["before"].items():
        assert torch.equal(first["loaded"][name], whole)
        assert torch.equal(second["loaded"][name], whole)


class Going:
    """A run that has been typed in a shell of its own."""

    def __init__(self, *typed):
        typed = [sys.executable, "-m", "mmfuse.cli", "train", *typed]
        self.process = subprocess.Popen(
            typed, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def after_epochs(self, count):
        for line in self.process.stdout:
            count -= line.startswith("epoch")
            if not count:
                return self
        raise AssertionError(self.process.stderr.read())

    def ranks(self):
        """Their processes, in the order of their ranks."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                about = (place / "environ").read_text().split("\0")
                if f"MMFUSE_LEADER={self.process.pid}" in about:
                    found[next(v for v in about if v.startswith("RANK="))] = int(place.name)
            except (OSError, StopIteration):
                continue
        return [found[name] for name in sorted(found)]

    def ended(self):
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def gone(pids):
    until = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def status(place):
    about = json.loads((place / "status.json").read_text())
    return about["state"], about["exit_code"]


@pytest.mark.slow
@two_cores
def test_ends_with_its_first_dead_rank_and_goes_on_to_the_same_end(long, tmp_path):
    going = Going(*LONG, *TWO, f"output_dir={tmp_path}", "name=run").after_epochs(2)
    (place,) = tmp_path.glob("run-*")
    ranks = going.ranks()
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    code, said = going.ended()
    assert (code, status(place)) == (4, ("failed", 4))
    assert "rank 1 was ended by SIGKILL" in said
    assert "Traceback" not in said
    assert gone(ranks)

    going = Going("--resume", str(place)).after_epochs(3)
    ranks = going.ranks()
    going.process.send_signal(signal.SIGTERM)
    code, said = going.ended()
    assert (code, status(place)) == (75, ("preempted", 75))
    assert "--resume" in said
    assert gone(ranks)
    assert len(history(place)) < 14

    code, said = Going("--resume", str(place)).ended()
    assert (code, status(place)) == (0, ("done", 0)), said
    assert (place / "metrics.json").read_text() == (long / "metrics.json").read_text()
    assert history(place) == history(long)
    ours, theirs = answers(place), answers(long)
    assert all(np.array_equal(values, theirs[part]) for part, values in ours.items())
