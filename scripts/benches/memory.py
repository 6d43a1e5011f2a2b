"""Two gigabytes of vectors on disk, trained on by the command itself: its peak memory."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.held import TASK
from benches.row import Row


def rows() -> Iterator[Row]:
    n, d = 500_000, 1024
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split = np.array(["train"] * 8 + ["val"] + ["test"])[np.arange(n) % 10]
        label = np.arange(n) % 3
        with open(folder / "rows.csv", "w") as table:
            table.write(
                "label,split\n" + "".join(f"c{k},{s}\n" for k, s in zip(label.tolist(), split.tolist(), strict=True))
            )
        array = np.lib.format.open_memmap(folder / "big.npy", "w+", np.float32, (n, d))
        for start in range(0, n, 10_000):
            array[start : start + 10_000] = np.random.default_rng(start).standard_normal((10_000, d), dtype=np.float32)
        array.flush()
        yield from trained(
            ".npy of 2 GB",
            folder,
            ["dataset=table", f"dataset.file={folder / 'rows.csv'}", *BIG, f"dataset.root={folder}"],
        )
        yield from trained_arrow(folder, array, label, split)


FEW = [
    "trainer.limit_train_batches=50",
    "trainer.limit_val_batches=5",
    "trainer.max_epochs=1",
    "bootstrap=1",
    "batch_size=64",
]
BIG = ["dataset.modalities={vector: {kind: vector, file: big.npy}}", TASK, "dataset.split.column=split"]


def trained_arrow(folder: Path, array: np.ndarray, label: np.ndarray, split: np.ndarray) -> Iterator[Row]:
    import datasets
    import pyarrow
    from datasets.arrow_writer import ArrowWriter

    made = datasets.DatasetDict()
    names = {"train": "train", "val": "validation", "test": "test"}
    vector = datasets.Sequence(datasets.Value("float32"))
    features = datasets.Features({"vector": vector, "label": datasets.Value("string")})
    for part, name in names.items():
        rows = np.flatnonzero(split == part)
        with ArrowWriter(path=str(folder / f"{part}.arrow"), features=features) as writer:
            for some in np.array_split(rows, max(1, len(rows) // 5000)):
                ends = pyarrow.array(np.arange(len(some) + 1, dtype=np.int32) * array.shape[1])
                lists = pyarrow.ListArray.from_arrays(ends, pyarrow.array(array[some].reshape(-1)))
                writer.write_table(pyarrow.table({"vector": lists, "label": [f"c{k}" for k in label[some].tolist()]}))
            writer.finalize()
        made[name] = datasets.Dataset.from_file(str(folder / f"{part}.arrow"))
    datasets.disable_progress_bars()
    place = folder / "arrow"
    made.save_to_disk(str(place))
    about = ["dataset=hf", f"dataset.path={place}", "dataset.modalities={vector: {kind: vector}}", TASK]
    yield from trained("Arrow of 2 GB", folder, about)


def trained(name: str, folder: Path, about: list[str]) -> Iterator[Row]:
    typed = [*about, *FEW, "loader.memory_gb=0.25", f"output_dir={folder / 'out'}"]
    start = time.perf_counter()
    with open(folder / "log.txt", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", "mmfuse.cli", "train", *typed], stdout=log, stderr=log)
        peak = dict.fromkeys(("VmHWM", "RssAnon", "Pss"), 0.0)
        while process.poll() is None:
            for key, value in taken(process.pid).items():
                peak[key] = max(peak[key], value)
            time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(typed)}: exit code {process.returncode}\n{(folder / 'log.txt').read_text()[-2000:]}"
        )
    goal = ("<", 1.0)
    yield Row(
        f"{name}: peak resident memory", peak["VmHWM"], None, goal, "GB, the largest process, mapped files and all"
    )
    yield Row("  the same without files", peak["RssAnon"], None, None, "GB, RssAnon")
    yield Row("  all its processes, what they share counted once", peak["Pss"], None, goal, "GB, Pss")
    yield Row("  time, imports and all", time.perf_counter() - start, None, None, "s")


GB = 1e9


def taken(pid: int) -> dict[str, float]:
    """In GB, of a process and its children: the largest one's, and Pss of all together."""
    family = [pid]
    for one in family:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                family += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    found = {"VmHWM": 0.0, "RssAnon": 0.0, "Pss": 0.0}
    for one in family:
        try:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
            rolled = dict(line.split(":", 1) for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:])
        except (OSError, ValueError):
            continue
        if "VmHWM" in status and "Pss" in rolled:
            found["VmHWM"] = max(found["VmHWM"], kilobytes(status["VmHWM"]))
            found["RssAnon"] = max(found["RssAnon"], kilobytes(status["RssAnon"]))
            found["Pss"] += kilobytes(rolled["Pss"])
    return found


def kilobytes(said: str) -> float:
    return int(said.split()[0]) * 1024 / GB
