"""Speed and memory of the data path, of frozen encoders and of fusions, each against a rival in the same run.

`python scripts/bench.py [NAME ...]`, of vectors, lengths, pictures, memory, table, mel, encoding, fusions, cached, zoo,
zoo_compiled. The last takes minutes and needs a C++ compiler; it runs only where it is named. A ratio says more than a
time does.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rivals
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmfuse import hub
from mmfuse.cache.encode import encode, halved
from mmfuse.cache.entry import Entry, Said
from mmfuse.cache.values import Distinct
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.batches import Batches
from mmfuse.data.by_length import ByLength, padded
from mmfuse.data.columns import Column, Stored, Streamed
from mmfuse.data.order import Order
from mmfuse.data.reader import Reader
from mmfuse.data.splits import Split
from mmfuse.encoders.hf_text import HFText
from mmfuse.encoders.log_mel import LogMel
from mmfuse.listener import Listener
from mmfuse.prepare.pixels import Pixels
from mmfuse.prepare.subwords import Subwords
from mmfuse.record.facts import facts
from mmfuse.record.log import to_file
from mmfuse.run.build import build, learner
from mmfuse.run.encoded import by_row, encoded
from mmfuse.run.examine import examine
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Prepared, divide, load, prepare
from mmfuse.run.settings import patience
from mmfuse.types import Examples, Fused, Fusion, Ragged, Signal

GB = 1e9
REPEATS = 5


class Row(NamedTuple):
    name: str
    ours: float
    rival: float | None
    goal: tuple[str, float] | None  # of the ratio, or of ours where there is no rival
    unit: str

    @property
    def ratio(self) -> float:
        return self.ours if self.rival is None else self.ours / self.rival

    @property
    def met(self) -> str:
        if self.goal is None:
            return ""
        sign, bound = self.goal
        return "PASS" if (self.ratio >= bound if sign == ">=" else self.ratio < bound) else "FAIL"

    def cells(self) -> list[str]:
        rival, ratio = ("", "") if self.rival is None else (f"{self.rival:,.4g}", f"{self.ratio:.2f}")
        goal = "" if self.goal is None else f"{self.goal[0]} {self.goal[1]:g}"
        return [self.name, f"{self.ours:,.4g}", rival, ratio, goal, self.met, self.unit]


# ---- vectors: batches of vectors in memory, against slicing one tensor


def vectors() -> Iterator[Row]:
    n, d = 100_000, 128
    x, y = torch.randn(n, d), torch.randint(0, 5, (n,))
    batches = {"v": Stored(Ragged(x, torch.ones(n, dtype=torch.long)))}
    for size in (64, 256):
        ours = loader(settings(size), prepared(batches, {"y": y}, n), np.arange(n), 0)
        sliced, selected, torchs, empty = (f(x, y, size) for f in (slicing, selecting, by_torch, nothing))
        rate = rates({"ours": ours, "x[rows]": sliced, "index_select": selected, "DataLoader": torchs, "empty": empty})
        for rival in ("x[rows]", "index_select"):
            name = f"vectors, batches of {size}, against {rival}"
            yield Row(name, n / rate["ours"], n / rate[rival], (">=", 0.9), "rows/s")
        steps = n / size
        yield Row(
            f"  the same by torch's DataLoader, {size}",
            n / rate["DataLoader"],
            n / rate["index_select"],
            None,
            "rows/s",
        )
        yield Row(f"  a DataLoader of nothing, {size}", 1e6 * rate["empty"] / steps, None, None, "us/batch")


class Again:
    """An iterable that starts anew each time."""

    def __init__(self, start: Callable[[], Iterator[Any]]):
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        return self.start()


def slicing(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    def start() -> Iterator[Any]:
        order = torch.randperm(len(x))
        for k in range(0, len(x), size):
            rows = order[k : k + size]
            yield x[rows], y[rows], rows

    return Again(start)


def selecting(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    def start() -> Iterator[Any]:
        for rows in torch.randperm(len(x)).split(size):
            yield x.index_select(0, rows), y.index_select(0, rows), rows

    return Again(start)


def by_torch(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    batches = Batches({"v": Stored(Ragged(x, torch.ones(len(x), dtype=torch.long)))}, {"y": y})
    return DataLoader(batches, sampler=Order(np.arange(len(x)), size, 0), batch_size=None)


class Nothing(Dataset[Any]):
    def __getitem__(self, rows: Any) -> Any:
        return rows


def nothing(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterable[Any]:
    return DataLoader(Nothing(), sampler=Order(np.arange(len(x)), size, 0), batch_size=None)


def rates(
    each: dict[str, Iterable[Any]], repeats: int = REPEATS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """The shortest time of each to be gone through, taken in turns."""
    best = dict.fromkeys(each, float("inf"))
    for _ in range(repeats):
        for name, batches in each.items():
            start = clock()
            for _ in batches:
                pass
            best[name] = min(best[name], clock() - start)
    return best


def settings(size: int, workers: int = 0, by_length: bool = False) -> dict[str, Any]:
    return {"batch_size": size, "loader": {"workers": workers, "memory_gb": 0, "by_length": by_length}}


def prepared(columns: dict[str, Column], targets: dict[str, torch.Tensor], n: int) -> Prepared:
    rows = np.arange(n)
    return Prepared(Split(rows, rows, rows), columns, {}, {}, dict(targets), {}, {}, rows)


# ---- lengths: the share of padding in batches of sequences


def lengths() -> Iterator[Row]:
    random, n = np.random.default_rng(0), 20_000

    def skewed() -> np.ndarray:
        return random.lognormal(3.4, 0.8, n).clip(5, 200).astype(np.int64)

    first = skewed()
    near = (first * random.uniform(0.8, 1.2, n)).clip(1, 200).astype(np.int64)
    for name, each in {
        "one modality": {"a": first},
        "two, as long as each other": {"a": first, "b": first},
        "two, within a fifth of each other": {"a": first, "b": near},
        "two of unrelated lengths": {"a": first, "b": skewed()},
    }.items():
        table = np.stack(list(each.values()), axis=1)
        plain, sorted_ = (padded(list(o), table) for o in (Order(range(n), 64, 0), ByLength(range(n), 64, 0, each)))
        goal = None if "unrelated" in name else ("<", 15.0)
        yield Row(f"padding by length, {name}", 100 * sorted_, None, goal, "% of steps")
        yield Row("  the same rows as they come", 100 * plain, None, None, "% of steps")


# ---- pictures: JPEG from disk at 224 pixels by two workers, against Pillow in two processes


def pictures() -> Iterator[Row]:
    for width, height in ((500, 375), (1280, 960)):
        with tempfile.TemporaryDirectory() as folder:
            files = jpegs(Path(folder), 768, width, height)
            ours = {}
            for threads in (1, 4):
                prepare_ = Pixels(size=[224, 224], color=True, threads=threads)
                prepare_.fit(files[:8])
                column = Streamed(partial(read_pictures, prepare_, files))
                held = prepared({"image": column}, {"y": torch.zeros(len(files), dtype=torch.long)}, len(files))
                ours[f"ours, {threads}"] = loader(settings(64, workers=2), held, np.arange(len(files)), 0)
            rivals = {f"Pillow{' with draft' * d}": Again(partial(by_pillow, files, d)) for d in (False, True)}
            took = rates(ours | rivals, repeats=3)
            for threads in (1, 4):
                for rival in rivals:
                    name = f"JPEG {width} x {height}, threads={threads}, against {rival}"
                    yield Row(
                        name, len(files) / took[f"ours, {threads}"], len(files) / took[rival], (">=", 0.9), "files/s"
                    )


def read_pictures(prepare_: Pixels, files: list[Path], rows: list[int]) -> Ragged:
    return prepare_([files[row] for row in rows])


def jpegs(folder: Path, n: int, width: int, height: int) -> list[Path]:
    """Pictures with as much in them as a photograph: a coarse one scaled up, and some noise."""
    random = np.random.default_rng(0)
    for k in range(n):
        coarse = Image.fromarray(random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = smooth + random.integers(-12, 13, (height, width, 1), dtype=np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{k}.jpg", quality=85)
    return [folder / f"{k}.jpg" for k in range(n)]


def by_pillow(files: list[Path], draft: bool) -> Iterator[int]:
    context = get_context("fork")
    halves = [context.Process(target=decode, args=(files[k::2], draft)) for k in (0, 1)]
    for process in halves:
        process.start()
    for process in halves:
        process.join()
        yield len(files) // 2


def decode(files: list[Path], draft: bool) -> None:
    for file in files:
        with Image.open(file) as image:
            if draft:
                image.draft("RGB", (448, 448))
            np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))


# ---- memory: 2 GB of vectors on disk, trained on by the command itself


def memory() -> Iterator[Row]:
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
        yield from trained("nothing but imports (digits)", folder, ["dataset=digits"])
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
TASK = "dataset.tasks={label: {kind: multiclass}}"
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


# ---- table: a million rows, from the file to the first batch


def table() -> Iterator[Row]:
    n, random = 1_000_000, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "million.csv"
        words, values = random.integers(0, 5000, (n, 8)), random.standard_normal((n, 4)).round(3)
        label, split = random.integers(0, 5, n), np.array(["train"] * 8 + ["val"] + ["test"])[np.arange(n) % 10]
        with open(file, "w") as out:
            out.write("id,text,value,label,split\n")
            out.writelines(
                f'r{k},{" ".join(f"word{i}" for i in w)},"{json.dumps(v)}",c{label[k]},{split[k]}\n'
                for k, (w, v) in enumerate(zip(words.tolist(), values.tolist(), strict=True))
            )
        typed = ["dataset=table", f"dataset.file={file}", "dataset.id=id", "dataset.split.column=split", TASK]
        cfg = compose([*typed, "dataset.modalities={text: {kind: text}, value: {kind: vector}}"], Catalog())
        took: dict[str, float] = {}

        def timed(name: str, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            done = do(*arguments, **named)
            took[name] = time.perf_counter() - start
            return done

        examples = timed("load", load, cfg)
        divided = timed("divide", divide, cfg, examples)
        ready = timed("prepare", prepare, cfg, examples, divided[0][1])
        timed("build", build, cfg, ready, 0)
        timed("audit of train", examine, cfg, examples, divided, ready, thorough=False)
        timed("audit of check", examine, cfg, examples, divided, ready, thorough=True)
        timed("facts", facts, examples, [s for _, s in divided], ready.missing, ready.unreadable)
        timed("first batch", lambda: next(iter(loader(cfg, ready, ready.seen, 0))))
        del examples, ready
        command = [sys.executable, "-m", "mmfuse.cli", "init", str(file), "-o", str(Path(folder) / "million.yaml")]
        timed("mmfuse init", subprocess.run, command, check=True, capture_output=True)
    yield Row("opening 1,000,000 rows", took.pop("load"), None, ("<", 10.0), "s")
    for name, seconds in took.items():
        yield Row(f"  {name}", seconds, None, ("<", 10.0) if name == "mmfuse init" else None, "s")


# ---- mel: log-mel spectrograms of 1,000 clips of half a second at 8 kHz, against librosa's


def mel() -> Iterator[Row]:
    import librosa

    clips = 0.1 * np.random.default_rng(0).standard_normal((1000, 4000), dtype=np.float32)
    signal = Signal(torch.from_numpy(clips), torch.ones(clips.shape, dtype=torch.bool))
    front = LogMel(8000)
    framed = {"n_fft": 256, "hop_length": 80, "n_mels": 40, "pad_mode": "constant"}

    def librosas() -> Iterator[np.ndarray]:
        for clip in clips:
            yield librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=8000, **framed), top_db=80).T

    def ours(size: int) -> Iterator[torch.Tensor]:
        for start in range(0, len(clips), size):
            with torch.no_grad():
                yield front(Signal(*(part[start : start + size] for part in signal))).data

    furthest = np.abs(torch.cat(list(ours(1000))).numpy() - np.stack(list(librosas()))).max()
    default = max(1, len(os.sched_getaffinity(0)))
    for threads in sorted({1, default}):
        torch.set_num_threads(threads)
        batches = {f"batches of {size}": Again(partial(ours, size)) for size in (64, 1000)}
        rate = rates({"librosa": Again(librosas)} | batches)
        for name in batches:  # all at once is for comparison: the system hands out that much memory anew each time
            about = f"log-mel, {name}, threads={threads}, against librosa"
            goal = (">=", 5.0) if name == "batches of 64" else None
            yield Row(about, len(clips) / rate[name], len(clips) / rate["librosa"], goal, "clips/s")
    torch.set_num_threads(1)
    yield Row("  furthest from librosa's", float(furthest), None, ("<", 1e-4), "dB")


# ---- encoding: a frozen MiniLM over texts of mixed lengths, against loops written by hand. One thread, CPU time: what
# ---- else the machine does matters less then, and waiting for the disk is not counted


MINILM = "sentence-transformers/all-MiniLM-L6-v2"
CPU = torch.device("cpu")


def encoding() -> Iterator[Row]:
    texts = mixed_texts(1000)
    encoder, prepare_ = HFText(Subwords(MINILM).size, MINILM).eval(), Subwords(MINILM)
    ragged = prepare_(texts)
    tokens = [row.tolist() for row in ragged.data.split(ragged.lengths.tolist())]
    longest, steps = max(map(len, tokens)), 1024
    few = tokens[:96]  # each takes as long as the longest
    yield Row("texts: mean length", float(ragged.lengths.float().mean()), None, None, f"subwords, of up to {longest}")

    def again(do: Callable[..., Any], *arguments: Any) -> Again:
        return Again(lambda: iter([do(*arguments)]))

    took: dict[str, float] = {}
    for precision, half in (("fp32", False), ("bf16", True)):
        runs = {
            f"{precision}, pass": again(encode, encoder, ragged, CPU, half),
            f"{precision}, pass by hand": again(by_hand, encoder.network, tokens, steps, half),
            f"{precision}, all": again(all_of_it, texts, prepare_, encoder, precision),
            f"{precision}, all by hand": again(
                lambda h: by_hand(encoder.network, tokenized(prepare_, texts), steps, h), half
            ),
            f"{precision}, padded": again(padded_to, encoder.network, few, longest, half),
        }
        took |= rates(runs, repeats=3, clock=time.process_time)
        for what, about in (("pass", "the pass"), ("all", "tokenizing, pass, cache")):
            ours, rival = (len(texts) / took[f"{precision}, {what}{by}"] for by in ("", " by hand"))
            yield Row(f"{precision}, {about}, against by hand", ours, rival, (">=", 0.95), "rows/s")
        rival = len(few) / took[f"{precision}, padded"]
        ours = len(texts) / took[f"{precision}, pass"]
        yield Row(f"{precision}, the pass, against padding to the longest", ours, rival, (">=", 2.5), "rows/s")
    ours, rival = (len(texts) / took[f"{precision}, pass"] for precision in ("bf16", "fp32"))
    goal = (">=", 2.0) if halved(CPU, "auto") else None
    yield Row("bf16 against fp32", ours, rival, goal, "rows/s")
    said = [encode(encoder, ragged, CPU, half).data for half in (False, True)]
    cosine = torch.nn.functional.cosine_similarity(*said).min()
    yield Row("  cosine of the two, the least", float(cosine), None, (">=", 0.9999), "")


def mixed_texts(n: int, mean: float = 2.6) -> list[str]:
    """Words that are one subword each, 1 to 126 of them (with the first and the last, 3 to 128), most texts short."""
    random = np.random.default_rng(0)
    listed = (Path(hub.located(MINILM)) / "vocab.txt").read_text(encoding="utf-8").split()
    words = np.array([word for word in listed if word.isascii() and word.isalpha() and len(word) > 2])
    lengths = (random.lognormal(mean, 0.9, n) - 2).clip(1, 126).astype(int)
    return [" ".join(words[random.integers(0, len(words), length)]) for length in lengths]


def tokenized(prepare_: Subwords, texts: list[str]) -> list[list[int]]:
    return prepare_.tokenizer(texts, truncation=True, max_length=128)["input_ids"]


def by_hand(network: Any, tokens: list[list[int]], steps: int, half: bool) -> torch.Tensor:
    """What one would write: the longest first, in batches of so many steps, mean over the subwords."""
    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    vectors = torch.empty(len(tokens), network.config.hidden_size)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        while order:
            rows = order[: max(1, steps // len(tokens[order[0]]))]
            order = order[len(rows) :]
            vectors[rows] = means(network, [tokens[row] for row in rows], len(tokens[rows[0]]))
    return vectors


def padded_to(network: Any, tokens: list[list[int]], longest: int, half: bool) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        return torch.cat([means(network, tokens[k : k + 32], longest) for k in range(0, len(tokens), 32)])


def means(network: Any, tokens: list[list[int]], longest: int) -> torch.Tensor:
    words = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in tokens])
    said = network(input_ids=words, attention_mask=mask).last_hidden_state.float()
    return (said * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)


def all_of_it(texts: list[str], prepare_: Subwords, encoder: HFText, precision: str) -> torch.Tensor:
    """As `train` does it, into an empty cache."""
    examples = Examples({"text": texts}, {"text": "text"}, {}, {}, [str(k) for k in range(len(texts))])
    cfg = {
        "encoder": {"text": {"name": "hf", "model": MINILM}},
        "trainer": {"accelerator": "cpu"},
        "encoding": {"precision": precision},
        "cache": False,  # a folder of its own, otherwise the same
    }
    return encoded(cfg, "text", Reader("text", examples, False), prepare_, encoder, Listener())[0].data


# ---- fusions: ten trainings over a frozen MiniLM, whose texts are encoded once, against two rivals. CPU time, in one
# ---- process: imports are not counted, opening the data, preparing it and building the model are


FUSIONS = [
    ["fusion=concat"],
    ["fusion=concat", "fusion.dim=32"],
    ["fusion=concat", "fusion.dropout=0.5"],
    ["fusion=gated"],
    ["fusion=gated", "fusion.dim=32"],
    ["fusion=mean"],
    ["fusion=weighted"],
    ["fusion=weighted", "fusion.dim=64"],
    ["fusion=mean", "model=late"],
    ["fusion=weighted", "model=late"],
]
EPOCHS = 20


def fusions() -> Iterator[Row]:
    before = os.environ.get("MMFUSE_CACHE")
    with tempfile.TemporaryDirectory() as name, to_file(Path(name) / "log.txt"):
        folder = Path(name)
        os.environ["MMFUSE_CACHE"] = str(folder / "cache")
        table_of_pictures(folder, mixed_texts(160, mean=3.3))
        about = [
            "dataset=table",
            f"dataset.file={folder / 'rows.csv'}",
            "dataset.modalities={text: {kind: text}, image: {kind: image}}",
            TASK,
            "encoder.text=hf",
            "encoder.image=lenet",
            f"trainer.max_epochs={EPOCHS}",
            "trainer.accelerator=cpu",
            f"early_stopping.patience={EPOCHS}",
        ]
        catalog = Catalog()
        configs = [compose([*about, *fusion], catalog) for fusion in FUSIONS]
        warm = compose([*about, "encoder.text=bag", "trainer.max_epochs=1"], catalog)
        trained_once(warm, folder / "warm", opened(warm, Listener()))  # what is imported at first use
        clock = time.process_time
        start = clock()
        given = opened(configs[0], Listener())
        encoding_ = clock() - start
        trained_once(configs[0], folder / "given0", given)
        one = clock() - start
        for k, cfg in enumerate(configs[1:], 1):
            trained_once(cfg, folder / f"given{k}", given)
        given_ = clock() - start
        os.environ["MMFUSE_CACHE"] = str(folder / "another")
        start = clock()
        for k, cfg in enumerate(configs):
            trained_once(cfg, folder / f"cached{k}", opened(cfg, Listener()))
        cached_ = clock() - start
        yield Row("ten fusions, cached, against features that are given", cached_, given_, ("<", 1.5), "s")
        yield Row("  of which opening and encoding once", encoding_, None, None, "s")
        start = clock()
        trained_once(configs[0], folder / "anew", opened(configs[0], None))
        name = f"one fusion, encoding in all {EPOCHS} epochs, against once"
        yield Row(name, clock() - start, one, (">=", 10), "s, that one pass for one fusion alone")
        os.environ.pop("MMFUSE_CACHE")
        if before is not None:
            os.environ["MMFUSE_CACHE"] = before


def table_of_pictures(folder: Path, texts: list[str]) -> None:
    random = np.random.default_rng(0)
    with open(folder / "rows.csv", "w") as out:
        out.write("text,image,label\n")
        for k, text in enumerate(texts):
            Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / f"{k}.png")
            out.write(f"{text},{k}.png,c{k % 3}\n")


def opened(cfg: dict[str, Any], listener: Listener | None) -> Prepared:
    """With a listener frozen encoders are run, as `train` does; without one they are parts of the model."""
    examples = load(cfg)
    return prepare(cfg, examples, divide(cfg, examples)[0][1], listener=listener)


def trained_once(cfg: dict[str, Any], folder: Path, ready: Prepared) -> None:
    from mmfuse.learner.fit import fit

    trained = learner(cfg, ready, 0)
    fit(
        trained,
        partial(make, cfg["trainer"], "trainer"),
        training_loader(cfg, ready, 0),
        loader(cfg, ready, ready.split.val, None),
        folder / "checkpoints",
        patience(cfg, ready.tasks, trained.schedule),
        Listener(),
    )


# ---- cached: batches of what an encoder said, mapped from the cache, against the same in memory, in CPU time


def cached() -> Iterator[Row]:
    random, dim = np.random.default_rng(0), 384
    skewed = torch.from_numpy(random.lognormal(2.6, 0.9, 2_500).clip(3, 128).astype(np.int64))
    ones = torch.ones(50_000, dtype=torch.long)
    shared = random.integers(0, 5_000, 50_000)
    for name, lengths_, which in (
        ("vectors", ones, None),
        ("vectors shared by ten", ones[:5_000], shared),
        ("subwords", skewed, None),
        ("subwords shared by two", skewed, shared[:5_000] % 2_500),
    ):
        which = np.arange(len(lengths_)) if which is None else which
        held = Ragged(torch.randn(int(lengths_.sum()), dim), lengths_)
        values = Distinct(range(len(lengths_)), which, np.arange(len(lengths_)), "")
        y = torch.zeros(len(which), dtype=torch.long)
        with tempfile.TemporaryDirectory() as folder:
            entry = Entry(Path(folder) / "entry", {"what": "bench"}, len(lengths_), len(lengths_))
            mapped = entry.made(lambda _, held=held: Said(held, []), lambda _: None).steps
            both = {"ours": by_row(mapped, values), "memory": by_row(held, values)}
            for size in (64, 256):
                epochs = {
                    k: loader(settings(size), prepared({"v": column}, {"y": y}, len(which)), np.arange(len(which)), 0)
                    for k, column in both.items()
                }
                took = rates(epochs, repeats=10, clock=time.process_time)
                ours, rival = (len(which) / took[k] for k in both)
                yield Row(f"{name}, mapped, {size}, against memory", ours, rival, (">=", 0.9), "rows/s")


# ---- zoo: forward and backward of every fusion, against the same in plain torch with the same weights (rivals.py). One
# ---- thread, CPU time: 64 rows, three modalities of 128 features, of 50 steps where the method is one of steps, all of
# ---- them there; the masks are given, for a row may lack any, and both respect them


def zoo() -> Iterator[Row]:
    for name in Catalog().options("fusion"):
        ours = fusion_of(name)
        runs = {"ours": learning(name, ours.fuse, ours)}
        if name in rivals.RIVALS:
            runs["rival"] = learning(name, rivals.rival_of(name, ours))
        rate = steps_a_second(runs)
        goal = (">=", 1.0) if "rival" in rate else None
        yield Row(f"{name}, against plain torch", rate["ours"], rate.get("rival"), goal, "steps/s")


def zoo_compiled() -> Iterator[Row]:
    for name in Catalog().options("fusion"):
        ours = fusion_of(name)
        torch.compiler.reset()
        runs = {
            "compiled": learning(name, torch.compile(ours.fuse, dynamic=False), ours),
            "eager": learning(name, ours.fuse, ours),
        }
        start = time.perf_counter()
        try:
            runs["compiled"]()
        except Exception as error:  # no compiler, say: whatever it is, the next one may do
            yield Row(f"{name}: not compiled, {type(error).__name__}", float("nan"), None, None, "steps/s")
            continue
        took = time.perf_counter() - start
        rate = steps_a_second(runs)
        about = f"steps/s, after {took:.0f} s of compilation"
        yield Row(f"{name}, torch.compile against ours", rate["compiled"], rate["eager"], None, about)


def fusion_of(name: str) -> Fusion:
    """By its config's defaults."""
    torch.manual_seed(0)
    keys = OmegaConf.to_container(OmegaConf.load(Catalog().find("fusion", name)))
    part = instantiate(keys, _partial_=True, _convert_="object")
    return part(dims={f"m{k}": rivals.D for k in range(rivals.M)})


def learning(name: str, fuse: nn.Module | Callable[..., Any], ours: Fusion | None = None) -> Callable[[], None]:
    """One step, to the gradients of weights and of what encoders said: of `ours` by `fuse`, or of a rival."""
    steps = 50 if name in rivals.STEPS else 1
    shape = (64, rivals.D) if ours is None and steps == 1 else (64, steps, rivals.D)  # rivals take vectors as they are
    data = [torch.randn(shape, requires_grad=True) for _ in range(rivals.M)]
    masks = [torch.ones(64, steps, dtype=torch.bool) for _ in data]
    signals = {f"m{k}": Signal(*signal) for k, signal in enumerate(zip(data, masks, strict=True))}
    arguments = [data, masks] if ours is None else [signals]
    learned = [*data, *(fuse if ours is None else ours).parameters()]

    def step() -> None:
        said = fuse(*arguments)
        if isinstance(said, Fused):
            loss = said.signal.data.sum() + sum(said.losses.values())
        else:
            loss = said[0].sum() + said[1] if isinstance(said, tuple) else said.sum()
        loss.backward()
        for tensor in learned:
            tensor.grad = None

    return step


def steps_a_second(runs: dict[str, Callable[[], None]], seconds: float = 0.05) -> dict[str, float]:
    """Several steps at a time, in turns, the quickest of each; in CPU time."""
    first = next(iter(runs.values()))
    for run in runs.values():
        run()
    start = time.process_time()
    first()
    number = max(1, round(seconds / (time.process_time() - start)))
    many = {name: Again(lambda run=run: (run() for _ in range(number))) for name, run in runs.items()}
    return {name: number / took for name, took in rates(many, repeats=9, clock=time.process_time).items()}


PARTS = {
    part.__name__: part
    for part in (vectors, lengths, pictures, memory, table, mel, encoding, fusions, cached, zoo, zoo_compiled)
}
ASKED_FOR = {"zoo_compiled"}


def machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    load_average = " ".join(f"{load:.1f}" for load in os.getloadavg())
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{model.partition(': ')[2]}, {os.cpu_count()} cores, load {load_average}, {versions}"


def main(parts: Mapping[str, Callable[[], Iterator[Row]]], about: str | None, asked_for: Collection[str] = ()) -> None:
    """Runs the parts that are named, or all but those that have to be."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(parts))
    names = parser.parse_args().names or [name for name in parts if name not in asked_for]
    if unknown := [name for name in names if name not in parts]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(parts)}")
    torch.set_num_threads(1)
    print(f"{'':<60}{'ours':>12}{'rival':>12}{'ratio':>7}  {'goal':<8}")
    for name in names:
        print(f"-- {name}: {machine()}", flush=True)
        for row in parts[name]():
            label, ours, rival, ratio, goal, met, unit = row.cells()
            print(f"{label:<60}{ours:>12}{rival:>12}{ratio:>7}  {goal:<8}{met:<6}{unit}", flush=True)


if __name__ == "__main__":
    main(PARTS, __doc__, ASKED_FOR)
