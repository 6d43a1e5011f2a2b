"""What a table's columns are taken for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mmfuse.cli import main
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.cells import empty
from mmfuse.data.table import SPLITS
from mmfuse.errors import UserError
from mmfuse.guess.arrays import beside
from mmfuse.guess.guess import guess
from mmfuse.guess.rows import Rows, find, read
from mmfuse.guess.split import PARTS
from mmfuse.guess.written import as_yaml

N = 60
SENTENCES = ["this is no good at all", "a rather good one it is", "better than the one before", "as bad as it gets"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(file="rows.csv", **columns):
    rows = pd.DataFrame({name: list(cells) for name, cells in columns.items()})
    if file.endswith(".csv"):
        rows.to_csv(file, index=False)
    elif file.endswith(".tsv"):
        rows.to_csv(file, index=False, sep="\t")
    elif file.endswith(".jsonl"):
        rows.to_json(file, orient="records", lines=True, force_ascii=False)
    else:
        rows.to_parquet(file)


def guessed(file="rows.csv", target=None):
    rows = read(find(Path(file)))
    return guess(rows, beside(rows.file), target)


def roles(guesses):
    return {g.source: g.role for g in guesses.each}


def why(guesses, source):
    return next(g.why for g in guesses.each if g.source == source)


def repeated(values):
    return (list(values) * N)[:N]


def names(suffix, there=True):
    files = [f"m{k}{suffix}" for k in range(N)]
    for file in files if there else []:
        Path(file).touch()
    return files


TEXT = [f"{sentence} {k}" for k, sentence in enumerate(repeated(SENTENCES))]
LABEL = repeated(["bad", "good", "good"])


def test_every_kind_of_cell_is_told(random):
    for k in range(N):
        np.save(f"pose{k}.npy", np.zeros((2 + k % 3, 4)))
    table(
        "rows.jsonl",
        key=[f"r{k}" for k in range(N)],
        part=["train"] * 30 + ["dev"] * 15 + ["test"] * 15,
        review=TEXT,
        photo=names(".jpg"),
        sound=names(".wav"),
        film=names(".mp4"),
        pose=[f"pose{k}.npy" for k in range(N)],
        scores=random.standard_normal((N, 3)).tolist(),
        steps=[[[0.5, k]] * (1 + k % 2) for k in range(N)],
        age=random.uniform(20, 60, N),
        sex=repeated(["f", "f", "m", "m", "m"]),
        mood=LABEL,
    )
    found = guessed("rows.jsonl")
    assert found.modalities == {
        "review": {"kind": "text"},
        "photo": {"kind": "image"},
        "sound": {"kind": "audio"},
        "film": {"kind": "video"},
        "pose": {"kind": "sequence"},
        "scores": {"kind": "vector"},
        "steps": {"kind": "sequence"},
        "tabular": {"kind": "tabular", "columns": ["age", "sex"]},
    }
    assert found.tasks == {"mood": {"kind": "multiclass"}}
    assert (found.first("id"), found.first("split"), found.apart) == ("key", "part", None)


@pytest.mark.parametrize("file", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.parquet"])
def test_every_format_gives_the_same_guess(file):
    table(file, review=TEXT, size=[k * 0.5 for k in range(N)], label=repeated([3, 4, 4]))
    assert roles(guessed(file)) == {"label": "task", "review": "modality", "size": "tabular"}


def test_text_in_chinese_and_names_that_are_no_identifiers():
    table(**{"评论": [f"这部电影真的很不错{k}" for k in range(N)], "Second text": TEXT, "fusion": TEXT, "标签": LABEL})
    found = guessed()
    assert found.modalities == {
        "text": {"kind": "text", "column": "评论"},
        "Second_text": {"kind": "text", "column": "Second text"},
        "fusion_text": {"kind": "text", "column": "fusion"},
    }
    assert found.tasks == {"multiclass": {"kind": "multiclass", "column": "标签"}}


def test_the_target():
    columns = {"review": TEXT, "grade": [0.5 * k for k in range(N)], "kind": repeated("abc"), "last": repeated("de")}
    table(**columns)
    assert guessed().tasks["grade"] == {"kind": "regression"}  # by its name
    assert guessed(target="kind").each[0].source == "kind"
    table(**{name: cells for name, cells in columns.items() if name != "grade"})
    assert guessed().each[0].source == "last"
    assert list(guessed().tasks) == ["last", "kind"]
    table(review=TEXT, price=[0.5 * k for k in range(N)])
    assert guessed().tasks == {"price": {"kind": "regression"}}
    table(review=TEXT, label=range(N))
    assert guessed().tasks == {"label": {"kind": "regression"}}
    table(review=TEXT, label=repeated([1, 2, 3]))
    assert guessed().tasks == {"label": {"kind": "multiclass"}}


def test_what_gives_the_target_away_is_left_out():
    answer = repeated(["cat", "dog", "hen", "cow"])
    table(
        review=TEXT,
        label=repeated([7, 1, 3, 2]),
        answer=answer,
        flies=[a == "hen" for a in answer],
        cage=[f"{a}{k // 30}" for k, a in enumerate(answer)],
        size=[0.25 * k for k in range(N)],
    )
    found = guessed()
    assert roles(found) == {
        "answer": "task",
        "review": "modality",
        "label": "left out",
        "flies": "left out",
        "cage": "left out",
        "size": "tabular",
    }
    assert why(found, "label") == "one-to-one with the target 'answer'"
    assert why(found, "flies") == "a coarser form of the target 'answer'"
    assert why(found, "cage") == "gives the target 'answer' away"
    table(review=TEXT, fahrenheit=[1.8 * k / 3 + 32 for k in range(N)], score=[k / 3 for k in range(N)])
    assert why(guessed(), "fahrenheit") == "one-to-one with the target 'score'"


def test_numbers_that_say_nothing_of_a_row_are_left_out(random):
    table(
        review=TEXT,
        row=range(N),
        segment=[k % 12 for k in range(N)],
        ticket=random.permutation(10_000)[:N],
        n_words=random.integers(0, 9, N),
        when=[f"2024-01-{1 + k % 28:02}" for k in range(N)],
        same=["x"] * N,
        nothing=[None] * N,
        code=repeated([f"c{k}" for k in range(N // 2)]),
        heat=random.standard_normal(N),
        label=LABEL,
    )
    found = guessed()
    kept = {"label": "task", "review": "modality", "heat": "tabular"}
    assert {source: role for source, role in roles(found).items() if role != "left out"} == kept
    assert why(found, "row") == "row numbers"
    assert why(found, "segment") == "counts on from row to row"
    assert why(found, "ticket") == "nearly every row has a whole number of its own"
    assert why(found, "when") == "dates"


def test_arrays_beside_the_table(random):
    table(text=TEXT, label=repeated([0, 1, 1]))
    np.savez(
        "features.npz",
        text=random.standard_normal((N, 5)),
        label=np.arange(N),
        film=random.standard_normal((N, 4, 3)),
        **{"3d view": random.integers(0, 9, (N, 7))},
        words=np.array(["a"] * N),
        more=np.zeros((N + 1, 2)),
    )
    np.savez("pictures.npz", photo=np.zeros((N, 16, 16, 3), np.uint8))
    np.save("codes.npy", np.zeros((N, 2)))
    found = guessed()
    assert found.modalities == {
        "text": {"kind": "text"},
        "codes": {"kind": "vector", "file": "codes.npy"},
        "text_vector": {"kind": "vector", "file": "features.npz", "key": "text"},
        "film": {"kind": "sequence", "file": "features.npz", "key": "film"},
        "vector_3d_view": {"kind": "vector", "file": "features.npz", "key": "3d view"},
        "photo": {"kind": "image", "file": "pictures.npz", "key": "photo"},
    }
    assert "61" in why(found, "features.npz:more")


def test_arrays_whose_row_another_column_names():
    for part, n in (("train", 20), ("test", 10)):
        np.savez(f"pictures_{part}.npz", image=np.zeros((n, 16, 16, 3), np.uint8))
    part = ["train"] * 40 + ["test"] * 20
    index = [k // 2 for k in range(40)] + [k // 2 for k in range(20)]
    table(
        split=part,
        question=TEXT,
        answer=repeated(["yes", "no"]),
        image_index=index,
        image_file=[f"pictures_{p}.npz" for p in part],
    )
    found = guessed()
    about = {"kind": "image", "file_column": "image_file", "row_column": "image_index", "key": "image"}
    assert found.modalities == {"question": {"kind": "text"}, "image": about}
    assert roles(found)["image_index"] == "used"


def test_splits():
    assert {**PARTS, "": ""} == SPLITS
    halves = {"a": ["train"] * 40 + ["test"] * 20, "b": ["Train"] * 30 + ["valid"] * 10 + ["TEST"] * 20}
    table(review=TEXT, label=LABEL, **halves)
    assert guessed().first("split") == "b"  # which has rows to validate on
    table(review=TEXT, label=LABEL, a=halves["a"], split=halves["a"])
    assert guessed().first("split") == "split"
    table(review=TEXT, label=LABEL, split=["train"] * 40 + ["val"] * 20)
    assert guessed().first("split") is None
    table(review=TEXT, label=LABEL, fold=repeated([0, 1, 2, 3, 4]))
    assert roles(guessed())["fold"] == "left out"


def test_groups_are_named_and_used_only_where_classes_are_too_rare_to_be_dealt_out():
    video = [f"v{k // 4}" for k in range(N)]
    table(review=TEXT, video_id=video, speaker=repeated("abcde"), answer=LABEL)
    found = guessed()
    assert (roles(found)["video_id"], found.apart) == ("group", None)
    assert list(found.tasks) == ["answer", "speaker"]
    rare = ["odd", *LABEL[1:]]
    table(review=TEXT, video_id=video, answer=rare)
    assert guessed().apart == "video_id"
    table(review=TEXT, answer=rare, mood=repeated(["sad", "glad"]))
    assert guessed().each[0].source == "mood"  # by whose classes rows can be dealt out
    table(review=TEXT, answer=rare, mood=repeated(["sad", "glad"]), split=repeated(["train", "train", "val", "test"]))
    assert guessed().each[0].source == "answer"


def test_init_writes_what_composes_and_trains(here, capsys, random):
    Path("my set").mkdir()
    os.chdir("my set")
    np.savez("features.npz", view=random.standard_normal((N, 4)).astype(np.float32))
    table("data.csv", no=[f"r{k}" for k in range(N)], note=TEXT, y=LABEL, speaker=repeated("vwxyz"))
    os.chdir("..")
    assert main(["init", "my set"]) == 0
    said = capsys.readouterr().out
    assert "next: mmfuse train --config-dir conf dataset=my_set" in said
    assert "written text, " in said
    text = Path("conf/dataset/my_set.yaml").read_text()
    assert "# group: speaker" in text
    written = yaml.safe_load(text)
    assert written["root"] == str(here / "my set")
    config = compose(["dataset=my_set"], Catalog([Path("conf")]))
    assert config["tasks"] == ["y"]
    assert config["dataset"]["modalities"]["view"] == {"kind": "vector", "file": "features.npz", "key": "view"}
    typed = ["--config-dir", "conf", "dataset=my_set", "trainer.max_epochs=1", "bootstrap=5", "threads=1", "--quiet"]
    assert main(["train", *typed]) == 0
    assert json.loads(Path("outputs/latest/status.json").read_text())["state"] == "done"
    assert main(["init", "my set"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["init", "my set", "--force", "--target", "speaker"]) == 0
    assert list(yaml.safe_load(Path("conf/dataset/my_set.yaml").read_text())["tasks"]) == ["speaker", "y"]
    assert main(["init", "my set", "-o", "own/dataset/mine.yaml"]) == 0
    assert "--config-dir own dataset=mine" in capsys.readouterr().out
    assert main(["init", "my set", "--name", "digits"]) == 2
    assert "comes with mmfuse" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "typed", "code", "says"),
    [
        ({}, ["nothing.csv"], 3, "nothing.csv: not found"),
        ({}, ["."], 3, "this folder holds no table"),
        ({"review": [], "label": []}, ["rows.csv"], 3, "it has no rows"),
        ({"review": TEXT, "label": LABEL}, ["rows.csv", "--target", "lable"], 2, "did you mean 'label'?"),
        ({"review": TEXT, "day": ["2024-05-01"] * N}, ["rows.csv", "--target", "day"], 3, "is dates: '2024-05-01'"),
        ({"review": TEXT, "label": ["3.4.2024"] * N}, ["rows.csv"], 3, "is dates: '3.4.2024' (row 0)"),
        ({"review": TEXT, "label": ["x"] * N}, ["rows.csv", "--target", "label"], 3, "in every row"),
        ({"review": TEXT, "label": LABEL}, ["rows.csv", "--target", "review"], 3, "60 different values in 60 rows"),
        ({"review": TEXT}, ["rows.csv"], 3, "no column looks like a target"),
        ({"photo": names(".png", there=False), "label": LABEL}, ["rows.csv"], 3, "nothing to learn 'label' from"),
        ({}, ["rows.xlsx"], 3, "not found"),
        ({"review": TEXT, "label": LABEL}, ["rows.csv", "--name", "a-b"], 2, "is no name"),
        ({}, [], 2, "FILE"),
    ],
)
def test_what_cannot_be_guessed_is_refused(capsys, columns, typed, code, says):
    if columns:
        table(**columns)
    assert main(["init", *typed]) == code
    message = capsys.readouterr().err
    assert says in message
    assert len(message.splitlines()) <= 6
    assert not Path("conf").exists()


def test_tables_that_would_be_misread_are_refused(capsys):
    for text, says in (("a,b\n1,2,3\n", "line 2: 3 cells"), ("a,a\n1,2\n", "two columns are called 'a'")):
        Path("rows.csv").write_text(text)
        assert main(["init", "rows.csv"]) == 3
        assert says in capsys.readouterr().err
    Path("rows.csv").write_bytes("文,字\n好,坏\n".encode("gb18030"))
    assert main(["init", "rows.csv"]) == 3
    said = capsys.readouterr().err
    assert "line 1 (the header): not UTF-8" in said
    assert "to go on: --encoding gb18030" in said
    Path("rows.jsonl").write_text('{"a": 1}\n{"a": \n')
    assert main(["init", "rows.jsonl"]) == 3
    assert "line 2: not JSON" in capsys.readouterr().err


def test_another_encoding_is_declared_and_kept(capsys):
    written = pd.DataFrame({"review": [f"这部电影真的很不错{k}" for k in range(N)], "label": LABEL})
    written.to_csv("rows.csv", index=False, encoding="gb18030")
    assert main(["init", "rows.csv"]) == 3
    assert "line 2 (row 0): not UTF-8" in capsys.readouterr().err
    assert main(["init", "rows.csv", "--name", "zh", "--encoding", "gb18030"]) == 0
    config = compose(["dataset=zh"], Catalog([Path("conf")]))
    assert config["dataset"]["encoding"] == "gb18030"
    assert config["dataset"]["modalities"] == {"review": {"kind": "text"}}


def test_shards_and_json_are_guessed_from(here):
    Path("parts").mkdir()
    for k in range(2):
        table(f"parts/{k}.parquet", review=TEXT, label=LABEL)
    assert read(find(Path("parts"))).columns["label"] == LABEL * 2
    pd.DataFrame({"review": TEXT, "label": LABEL}).to_json("rows.json", orient="records")
    assert guessed("rows.json").tasks == {"label": {"kind": "multiclass"}}


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["train", "test", "val", "a", "b", "no", "2024-01-31", "x.png", "y.npy", "[1, 2]", "{", "[", "."]),
    st.text(max_size=300),
    st.lists(st.integers(0, 9), max_size=2),
)


def guess_or_error(rows):
    try:
        return guess(rows, [])
    except UserError as error:
        return error


@given(st.data(), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_any_table_gives_a_guess_that_accounts_for_every_column_or_is_refused(data, n):
    column = st.lists(CELLS, min_size=n, max_size=n) | CELLS.map(lambda cell: [cell] * n)
    columns = data.draw(st.dictionaries(st.sampled_from(["id", "split", "label", "b", "", "c d"]), column, min_size=1))
    columns = {name: [None if empty(cell) else cell for cell in cells] for name, cells in columns.items()}
    rows = Rows(Path("rows.csv"), columns)
    found = guess_or_error(rows)
    if isinstance(found, UserError):
        assert len(str(found).splitlines()) <= 6
        return
    assert sorted(g.source for g in found.each) == sorted(columns)
    assert found.modalities
    assert all(name.isidentifier() for name in [*found.modalities, *found.tasks])
    written = yaml.safe_load(as_yaml(found, rows.file, n))
    assert (written["modalities"], written["tasks"]) == (found.modalities, found.tasks)


def test_guessing_does_without_torch():
    table(review=TEXT, label=LABEL)
    code = "import sys; from mmfuse.cli import main; main(['init', 'rows.csv']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


DATA = Path(os.environ.get("MMFUSE_DATA", "?"))
VECTORS = {
    key: {"kind": "vector", "file": "features.npz", "key": key} for key in ("pix", "fou", "fac", "zer", "kar", "mor")
}
REAL = {
    "av_digits/samples.csv": (
        ["label", "speaker"],
        {"audio": {"kind": "audio"}, "image": {"kind": "image"}},
        ("split", "id"),
    ),
    "easy_vqa/samples.jsonl": (
        ["answer"],
        {
            "question": {"kind": "text"},
            "image": {
                "kind": "image",
                "file_column": "image_file",
                "row_column": "image_index",
                "key": "image",
            },
        },
        ("split", "id"),
    ),
    "handwritten6/samples.csv": (["label"], VECTORS, ("split", None)),
    "mosi_bclstm/utterances.csv": (
        ["label"],
        {"text": {"kind": "text"}, "text_vector": {"kind": "vector", "file": "features.npz", "key": "text"}}
        | {key: {"kind": "vector", "file": "features.npz", "key": key} for key in ("audio", "video")},
        ("split3", "utterance_id"),
    ),
    "vqa_rad/samples.jsonl": (
        ["answer", "answer_type", "organ", "question_type", "phrase_type"],
        {"image": {"kind": "image"}, "question": {"kind": "text"}},
        ("split", "id"),
    ),
}


@pytest.mark.parametrize("file", REAL)
def test_real_tables(file):
    if not (DATA / file).is_file():
        pytest.skip(f"MMFUSE_DATA has no {file}")
    tasks, modalities, (part, name) = REAL[file]
    assert main(["init", str(DATA / file), "--name", "real"]) == 0
    found = yaml.safe_load(Path("conf/dataset/real.yaml").read_text())
    assert (list(found["tasks"]), found["modalities"]) == (tasks, modalities)
    assert (found["split"]["column"], found.get("id")) == (part, name)
    config = compose(["dataset=real"], Catalog([Path("conf")]))
    assert config["dataset"]["modalities"] == modalities
    assert config["tasks"] == tasks[:1]


def test_features_of_the_table_compose(random):
    table(age=random.uniform(20, 60, N), sex=repeated(["f", "f", "m", "m", "m"]), label=LABEL)
    assert main(["init", "rows.csv", "--name", "real"]) == 0
    config = compose(["dataset=real"], Catalog([Path("conf")]))
    assert config["dataset"]["modalities"] == {"tabular": {"kind": "tabular", "columns": ["age", "sex"]}}
