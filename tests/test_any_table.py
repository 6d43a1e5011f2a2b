"""Random tables, of any kinds, with any holes: each trains, or is refused with what the user can do about it."""

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from mmfuse.cli import main

SHORT = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "bootstrap=2", "threads=1", "--quiet"]
NAMES = ["photo", "text", "b", "type", "train", "值", "keys", "forward", "training", "data", "label"]
WORDS = ["good", "bad", "a", "the", "film", "好", "差", "New York", "7", "-", "naïve"]
PATHS = {  # by kind of modality: cells that can be read
    "image": ["p0.png", "p1.png", "p2.jpg", "grey.png"],
    "audio": ["s0.wav", "s1.wav", "s2.wav"],
    "video": ["film0", "film1"],
    "vector": ["v0.npy", "v1.npy"],
    "sequence": ["q0.npy", "q1.npy", "q2.npy"],
}
BROKEN = {"image": "broken.png", "audio": "broken.wav", "video": "film_broken", "vector": "b.npy", "sequence": "b.npy"}
HOLED = {"vector": ["v_nan.npy", "v_inf.npy"], "sequence": ["q_nan.npy", "q_inf.npy", "q_none.npy"]}
KINDS = ["text", *PATHS, "tabular"]
TASKS = ["multiclass", "multilabel", "regression", "tokens", "pairs"]
SHARES = ("accuracy", "precision", "recall", "f1", "auc", "recall_at", "exact")  # figures between 0 and 1


class Experiment(NamedTuple):
    format: str
    cells: dict[str, list[Any]]
    dataset: dict[str, Any]  # its yaml
    typed: list[str]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A handful of files, written once."""
    folder = tmp_path_factory.mktemp("media")
    random = np.random.default_rng(0)

    def picture(file: str, *shape: int) -> None:
        Path(folder, file).parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 255, shape, dtype=np.uint8)).save(folder / file)

    for file, *shape in [("p0.png", 9, 8, 3), ("p1.png", 8, 8, 3), ("p2.jpg", 7, 12, 3), ("grey.png", 8, 8)]:
        picture(file, *shape)
    for film, frames in (("film0", 2), ("film1", 3), ("film_broken", 1)):
        for frame in range(frames):
            picture(f"{film}/{frame}.png", 8, 8, 3)
    (folder / "film_broken/1.png").write_bytes((folder / "p0.png").read_bytes()[:60])
    (folder / "broken.png").write_bytes((folder / "p0.png").read_bytes()[:60])
    for k in range(3):
        soundfile.write(folder / f"s{k}.wav", random.standard_normal(400 + 100 * k) / 9, 8000)
    (folder / "broken.wav").write_bytes((folder / "s0.wav").read_bytes()[:20])
    arrays = {f"v{k}": random.standard_normal(3) for k in range(2)}
    arrays |= {f"q{k}": random.standard_normal((1 + k, 3)) for k in range(3)}
    arrays |= {"v_nan": np.array([0, np.nan, 1]), "v_inf": np.array([0, 1, -np.inf]), "q_none": np.zeros((0, 3))}
    arrays |= {"q_nan": np.full((2, 3), np.nan), "q_inf": np.array([[0, 1, 2], [-np.inf, 0, 0]])}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.astype(np.float32))
    (folder / "b.npy").write_bytes((folder / "v0.npy").read_bytes()[:50])
    return folder


def numbers(n: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(-9, 9, width=16), min_size=n, max_size=n)


def good(kind: str, form: str) -> st.SearchStrategy[Any]:
    """Cells that a modality or a column of that kind may have."""
    if kind == "text":
        return st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
    if kind == "vector" and form == "list":
        return numbers(3)
    if kind == "sequence" and form == "list":
        return st.lists(numbers(2), min_size=1, max_size=3)
    if kind == "tabular":
        return st.floats(-9, 9) if form == "number" else st.sampled_from(["Rome", "Oslo", "北京"])
    return st.sampled_from(PATHS[kind])


def bad(kind: str, form: str) -> st.SearchStrategy[Any]:
    """Cells with holes in them, of files that are broken or not there, or of another form."""
    empty = st.sampled_from([None, "", " ", "nan", float("nan")])
    if kind == "text":
        return empty | st.integers(0, 9) | st.sampled_from(["…", "\n", '"', "[]", "[1", "1.5"])
    if form == "list":
        values = [[], [float("nan"), 0, 1], [0, 1, float("-inf")], [1], ["a", 0, 1], [[0, 1], [1]], [[]], 3, "[", None]
        return empty | st.sampled_from(values)
    if kind == "tabular":
        return empty | st.sampled_from(["x", "2024-01-31", 1e300, float("inf"), True, "1,5", [1]])
    files = ["none.png", BROKEN[kind], "../up.png", ".", *HOLED.get(kind, ()), *PATHS["audio"][:1], *PATHS["image"][:1]]
    return empty | st.sampled_from(files)


def target(kind: str, form: str) -> tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]:
    """Good cells of a task's column, and others."""
    empty = st.sampled_from([None, "", " ", float("nan")])
    if kind == "multilabel":
        each = st.lists(st.sampled_from(["x", "y", "z"]), max_size=3, unique=True)
        return (each if form == "list" else each.map(",".join)), empty | st.sampled_from(["x,w", ",", "[", "x;y"])
    if kind == "regression":
        return st.floats(-3, 3), empty | st.sampled_from([1e39, float("inf"), "high", "1e400", "-inf", True])
    odd = st.sampled_from(["2024-01-31", 1.0, 1.5, True, "c", "[", "a,b"])
    return st.sampled_from(["a", "b", "c"]), empty | odd


@st.composite
def column(draw: Any, good: Any, bad: Any, n: int, faults: bool) -> list[Any]:
    share = draw(st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.1, 0.4, 1.0])) if faults else 0.0
    if share == 1.0:  # the same in every row, such as nothing
        return [draw(bad)] * n
    pool, others = draw(st.lists(good, min_size=3, max_size=6)), draw(st.lists(bad, min_size=1, max_size=3))
    random = draw(st.randoms(use_true_random=False))
    return [random.choice(others) if random.random() < share else random.choice(pool) for _ in range(n)]


@st.composite
def experiments(draw: Any, faults: bool) -> Experiment:
    """Without `faults`: forty rows that lack nothing, evenly of their classes, and options that suit every table."""
    n = draw(st.sampled_from([40, 40, 40, 40, 20, 13, 8, 5, 2, 1])) if faults else 40
    names = draw(st.permutations(NAMES))
    cells: dict[str, list[Any]] = {}
    modalities: dict[str, dict[str, Any]] = {}
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3)):
        name, form = names.pop(), draw(st.sampled_from(["list", "path"]))
        if kind == "tabular":
            modalities[name] = {"kind": kind, "columns": [f"{name}1", f"{name}2"][: draw(st.integers(1, 2))]}
            for each in modalities[name]["columns"]:
                form = draw(st.sampled_from(["number", "word"]))
                cells[each] = draw(column(good(kind, form), bad(kind, form), n, faults))
        else:
            modalities[name] = {"kind": kind, "column": draw(st.sampled_from([name, f"{name} of 2", f"#{name}"]))}
            cells[modalities[name]["column"]] = draw(column(good(kind, form), bad(kind, form), n, faults))
    tasks: dict[str, dict[str, Any]] = {}
    for kind in draw(st.lists(st.sampled_from(TASKS), min_size=1, max_size=2)):
        texts = [m for m, about in modalities.items() if about["kind"] == "text"]
        if (kind == "tokens" and not texts) or (kind == "pairs" and len(modalities) < 2):
            continue
        name, form = names.pop(), draw(st.sampled_from(["list", "text"]))
        tasks[name] = {"kind": kind}
        if kind == "tokens":
            tasks[name]["of"] = texts[0]
            cells[name] = [
                labels(cell, draw(st.booleans()) if faults else True) for cell in cells[modalities[texts[0]]["column"]]
            ]
        elif kind == "pairs":
            tasks[name]["between"] = list(modalities)[:2]
            if faults and draw(st.booleans()):
                cells[name] = draw(column(*target(kind, form), n, faults))
        elif faults:
            cells[name] = draw(column(*target(kind, form), n, faults))
        else:
            each = {"multiclass": ["a", "b"], "multilabel": ["x", "y,x"], "regression": [0.5, 2.0, -1]}[kind]
            cells[name] = (each * n)[:n]
    if not tasks:
        tasks, cells["label"] = {"label": {"kind": "multiclass"}}, (["a", "b"] * n)[:n]
    dataset: dict[str, Any] = {"modalities": modalities, "tasks": tasks}
    typed = draw(options(modalities, tasks))
    if faults:
        split, more = draw(splits(n))
        cells |= {f"the {name}": values for name, values in split.items()}
        typed += [f"dataset.split.{name}='the {name}'" for name in split] + more + draw(odd_options())
    return Experiment(draw(st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"])), cells, dataset, typed)


def labels(cell: Any, equal: bool) -> str | None:
    if not isinstance(cell, str):
        return None
    return " ".join((["a", "b", "c"] * len(cell))[: len(cell.split()) + (not equal)])


@st.composite
def options(draw: Any, modalities: Mapping[str, Any], tasks: Mapping[str, Any]) -> list[str]:
    """Of which every table trains with each."""
    typed = [f"batch_size={draw(st.sampled_from([5, 64]))}", f"drop={draw(st.sampled_from([0.0, 0.5]))}"]
    policy = draw(st.sampled_from(["mask", "drop", "fill"]))
    typed += [f"dataset.missing.policy={policy}"] + ["dataset.missing.fill=token"] * (policy == "fill")
    if len(tasks) > 1 and draw(st.booleans()):
        typed.append(f"tasks=['{list(tasks)[1]}']")
    return typed


@st.composite
def splits(draw: Any, n: int) -> tuple[dict[str, list[Any]], list[str]]:
    """Columns for a split or groups, and options for one without a column."""
    columns = {}
    if draw(st.booleans()):
        usual = st.sampled_from(["train", "test", "val"])
        odd = st.sampled_from(["TRAIN ", "dev", "", None, "holdout", 1])
        columns["column"] = draw(column(usual, odd, n, True))
    if draw(st.integers(0, 3)) == 0:
        columns["group"] = draw(column(st.sampled_from(list("stuvwxyz")), st.sampled_from([None, "", 3, "a"]), n, True))
    ratios = draw(
        st.sampled_from([None, None, None, "[0.5,0.25,0.25]", "[1.0,0.0,0.0]", "[0.2,0.4,0.4]", "[0.5,0.5,0.0]"])
    )
    return columns, [f"dataset.split.ratios={ratios}"] if ratios else []


@st.composite
def odd_options(draw: Any) -> list[str]:
    typed = [f"dataset.missing.unreadable={draw(st.sampled_from(['error', 'missing']))}"]
    choices = [
        [],
        [f"dataset.missing.fill={draw(st.sampled_from(['zero', 'mean', 'median', 'neighbours', 'token']))}"],
        [f"dataset.missing.max_frac={draw(st.sampled_from(['0.1', '1.0']))}"],
        [f"imbalance={draw(st.sampled_from(['oversample', 'undersample', 'weights', 'focal', 'smote']))}"],
        ["dataset.align=require"],
        ["model=late"],
        ["folds=3"],
        [f"fusion={draw(st.sampled_from(['concat', 'mean', 'weighted']))}"],
        ["loader.memory_gb=0.0", "loader.workers=0"],
    ]
    for chosen in draw(st.lists(st.sampled_from(choices), max_size=3, unique_by=str)):
        typed += chosen
    return typed


def written(cells: Mapping[str, Sequence[Any]], file: str) -> None:
    """A table of these cells. Lists are JSON where a format has none, or where cells of a column are of many forms."""
    suffix = Path(file).suffix

    def plain(cell: Any, always: bool) -> Any:
        return json.dumps(cell) if isinstance(cell, list) and always else cell

    if suffix == ".jsonl":
        rows = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
        Path(file).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return
    table = pd.DataFrame({name: [plain(c, suffix != ".parquet") for c in column] for name, column in cells.items()})
    if suffix != ".parquet":
        table.to_csv(file, index=False, sep="," if suffix == ".csv" else "\t")
        return
    try:
        table.to_parquet(file)
    except (ValueError, TypeError):  # pyarrow's: a column has one type there
        pd.DataFrame({c: [None if x is None else str(plain(x, True)) for x in cells[c]] for c in cells}).to_parquet(
            file
        )


class Said(NamedTuple):
    code: int
    error: str
    metrics: dict[str, Any] | None
    left: list[str]


def ran(command: str, experiment: Experiment, media: Path) -> Said:
    """What a command does with a table in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        written(experiment.cells, f"rows{experiment.format}")
        Path("conf/dataset").mkdir(parents=True)
        about = {"defaults": ["table"], "file": f"rows{experiment.format}", "root": folder, **experiment.dataset}
        text = yaml.safe_dump(about | {"media_root": str(media)}, allow_unicode=True, sort_keys=False)
        Path("conf/dataset/mine.yaml").write_text(text, encoding="utf-8")
        said, error = io.StringIO(), io.StringIO()
        typed = [command, "--config-dir", "conf", "dataset=mine", *SHORT, *experiment.typed]
        note(f"{' '.join(typed)}\n{text}{json.dumps(experiment.cells, ensure_ascii=False)}")
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(error):
            code = main([*typed, *["--debug"] * bool(os.environ.get("MMFUSE_TEST_DEBUG"))])
        metrics = Path("outputs/latest/metrics.json")
        begun = [p.parts[1] for p in Path("outputs").glob("*/seed-0-fold-*/predictions.parquet")]  # an earlier fold's
        left = [name for name in os.listdir("outputs") if name not in begun] if os.path.isdir("outputs") else []
        return Said(code, error.getvalue(), json.loads(metrics.read_text()) if metrics.exists() else None, left)


def holds(said: Said) -> None:
    """It trained, or said why not and left nothing, unless a fold before had been trained."""
    note(said.error)
    if said.code == 0:
        return
    assert said.code in (2, 3), said.error
    assert said.error.startswith(f"error[{ {2: 'config', 3: 'data'}[said.code] }]: ")
    assert len(said.error.splitlines()) <= 6
    assert said.left == []


MANY = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@given(experiments(faults=True))
@settings(MANY, max_examples=14)
def test_any_table_trains_or_is_refused(media, experiment):
    said = ran("train", experiment, media)
    holds(said)
    assert (said.metrics is not None) == (said.code == 0)


@given(experiments(faults=True))
@settings(MANY, max_examples=8)
def test_any_table_is_checked_or_refused(media, experiment):
    said = ran("check", experiment, media)
    assert said.code in (0, 2, 3), said.error
    assert said.left == []


def shares(metrics: Mapping[str, Any]) -> list[float]:
    return [
        value
        for task in metrics["test"].values()
        for name, figure in task.items()
        if name.startswith(SHARES) and isinstance(figure, dict) and "values" in figure
        for value in figure["values"]
    ]


@given(experiments(faults=False))
@settings(MANY, max_examples=6)
def test_a_table_without_faults_trains(media, experiment):
    said = ran("train", experiment, media)
    assert (said.code, said.error) == (0, "")
    found = shares(said.metrics)
    assert all(value is None or 0 <= value <= 1 for value in found)
    kinds = {experiment.dataset["tasks"][t]["kind"] for t in said.metrics["test"]}
    assert found or kinds <= {"regression", "pairs"}  # whose figures have other names


@given(experiments(faults=False), st.sampled_from(sorted(BROKEN)), st.integers(0, 39), st.booleans())
@settings(MANY, max_examples=6)
def test_a_broken_file_is_named_by_its_row_or_counts_as_missing(media, experiment, kind, row, forgiving):
    cells = (PATHS[kind] * 40)[:40]
    experiment.cells["planted"] = [*cells[:row], BROKEN[kind], *cells[row + 1 :]]
    experiment.dataset["modalities"]["planted"] = {"kind": kind}
    experiment.typed.append(f"dataset.missing.unreadable={'missing' if forgiving else 'error'}")
    said = ran("train", experiment, media)
    holds(said)
    if forgiving:
        assert said.code == 0, said.error
    else:
        assert said.code == 3
        assert f"{BROKEN[kind]} (row {row})" in said.error
        assert "'planted'" in said.error
