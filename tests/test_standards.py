"""The field's standard data sets: each config reads the layout in which its data set is published.

The five that are at hand are read for real, where $MMFUSE_DATA has them. Of the others a test writes a few rows in the
published layout. What is expected of them stands beside what is written, row by row.
"""

import json
import os
import pickle
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.io import savemat

from mmfuse.config.catalog import Catalog, packaged
from mmfuse.config.compose import compose
from mmfuse.data.splits import split
from mmfuse.errors import ConfigError, DataError
from mmfuse.run.prepare import load
from mmfuse.types import Examples

SHARED = Path(os.environ.get("MMFUSE_DATA", "data"))
AT_HAND = ("av_digits", "easy_vqa", "handwritten6", "mosi_bclstm", "mosi_bclstm_videos", "vqa_rad")
GENERAL = (
    "table",
    "hf",
    "shards",
    "folder",
    "feature_pickle",
    "split_tables",
    "digits",
    "shared",
)  # what others are made with, and what needs no files
STANDARDS = [f.stem for f in sorted((packaged() / "dataset").glob("*.yaml")) if f.stem not in GENERAL]
CATALOG = Catalog()


class Read(NamedTuple):
    """What a layout of a few rows is read as: paths by name under the root, arrays as lists, in the config's order."""

    raw: dict[str, list[Any]]
    targets: dict[str, list[Any]]
    classes: dict[str, list[str]]
    split: list[str] | None
    ids: list[str]
    groups: list[str] | None = None


LAYOUTS: dict[str, Callable[[Path], Read]] = {}


def layout(*names: str) -> Callable:
    def register(write: Callable[[Path], Read]) -> Callable[[Path], Read]:
        LAYOUTS.update(dict.fromkeys(names, write))
        return write

    return register


@cache
def composed(name: str, *typed: str) -> dict[str, Any]:
    return compose([f"dataset={name}", "strategy.tasks=all", *typed], CATALOG)


def examples(name: str, root: Path, *typed: str, **split: str) -> Examples:
    """The rows as run.py loads them; `split` are the keys column and group of dataset.split."""
    config = composed(name, *typed)
    about = config["dataset"]
    return load(config | {"dataset": about | {"root": str(root), "split": about["split"] | split}})


def write(root: Path, **files: str) -> None:
    """Files by their paths, / as __ and . as _DOT_ in the keys."""
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def saved(root: Path, file: str, content: Any) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(pickle.dumps(content, 4))


def steps(*values: float, width: int = 2) -> np.ndarray:
    """(T, width), each step the value throughout."""
    return np.repeat(np.array(values, np.float32)[:, None], width, axis=1)


PARTS = {"train": [0, 1], "valid": [2], "test": [3]}  # of the four rows of each pickle
SPLIT = ["train", "train", "val", "test"]


def each(*values: float, width: int = 2) -> list[list[float]]:
    return steps(*values, width=width).tolist()


def by_part(**columns: Any) -> dict[str, dict[str, Any]]:
    """A pickle's content from four values a column."""
    return {part: {k: v[rows[0] : rows[-1] + 1] for k, v in columns.items()} for part, rows in PARTS.items()}


def masks(*lengths: int) -> np.ndarray:
    """(N, 3, 4) of word ids, masks and segments, as BERT takes them."""
    return np.stack([[[101, 7, 102, 0], [float(n < k) for n in range(4)], [0] * 4] for k in lengths])


@layout("mosi", "mosei")
def written_aligned(root: Path) -> Read:
    """BERT says something of its padding, too: what is real is told by its mask, for all three alike."""
    columns = by_part(
        raw_text=np.array(["A", "B", "C", "D"]),
        text=np.stack([steps(1, 2, 3, 9, width=3)] * 4),
        text_bert=masks(3, 4, 2, 1),
        audio=np.stack([steps(1, -np.inf, 3, 0)] * 4),
        vision=np.stack([steps(0, 5, 6, 7)] * 4),
        id=["a_d$_$0", "a_d$_$1", "b_d$_$0", "-c$_$10"],
        regression_labels=np.array([-1.5, 3.0, 0.0, 0.75], np.float32),
        classification_labels=np.array([0.0, 2.0, 1.0, 2.0]),
        annotations=["Negative", "Positive", "Neutral", "Positive"],
    )
    columns["train"]["classification_labels"] = [0, 2]
    saved(root, "aligned_50.pkl", columns)
    return Read(
        raw={
            "text": [each(1, 2, 3, width=3), each(1, 2, 3, 9, width=3), each(1, 2, width=3), each(1, width=3)],
            "audio": [each(1, -np.inf, 3), each(1, -np.inf, 3, 0), each(1, -np.inf), each(1)],
            "vision": [each(0, 5, 6), each(0, 5, 6, 7), each(0, 5), None],
        },
        targets={"sentiment": [-1.5, 3.0, 0.0, 0.75], "polarity": [0, 1, 2, 1]},
        classes={"polarity": ["0", "2", "(not in training)"]},  # no training row is neutral
        split=SPLIT,
        ids=["a_d$_$0", "a_d$_$1", "b_d$_$0", "-c$_$10"],
    )


@layout("sims")
def written_unaligned(root: Path) -> Read:
    one = {"audio_lengths": [2, 3, 0, 1], "vision_lengths": [1, 1, 2, 2]}
    columns = by_part(
        raw_text=np.array(["好", "坏", "好", "坏"]),
        text=np.stack([steps(1, 2, 3, 9, width=3)] * 4),
        text_bert=masks(3, 3, 3, 4),
        audio=np.stack([steps(1, 0, 3, 0, 0)] * 4),
        vision=np.stack([steps(4, 5, 0, 0, 0, 0)] * 4),
        id=["video_0001$_$0001", "video_0001$_$0002", "video_0002$_$0001", "video_0003$_$0001"],
        regression_labels=[-0.8, 1.0, 0.0, 0.2],
        regression_labels_T=[-0.2, 0.0, 0.0, 0.4],
        regression_labels_A=[-0.4, 0.2, 0.0, 0.6],
        regression_labels_V=[-0.6, 0.4, 0.0, 0.8],
        classification_labels=[0, 2, 0, 2],
        **one,
    )
    saved(root, "unaligned_39.pkl", columns)
    return Read(
        raw={
            "text": [each(1, 2, 3, width=3)] * 3 + [each(1, 2, 3, 9, width=3)],
            "audio": [each(1, 0), each(1, 0, 3), None, each(1)],
            "vision": [each(4), each(4), each(4, 5), each(4, 5)],
        },
        targets={
            "sentiment": [-0.8, 1.0, 0.0, 0.2],
            "sentiment_text": [-0.2, 0.0, 0.0, 0.4],
            "sentiment_audio": [-0.4, 0.2, 0.0, 0.6],
            "sentiment_vision": [-0.6, 0.4, 0.0, 0.8],
            "polarity": [0, 1, 0, 1],
        },
        classes={"polarity": ["0", "2"]},
        split=SPLIT,
        ids=["video_0001$_$0001", "video_0001$_$0002", "video_0002$_$0001", "video_0003$_$0001"],
    )


FRONT = {  # padded in front: two words, three, none, one
    "text": np.stack([steps(0, 0, 1, 2), steps(0, 1, 2, 3), steps(0, 0, 0, 0), steps(0, 0, 0, 1)]),
    "audio": np.stack([steps(0, 0, 0, 2), steps(0, 1, -np.inf, 0), steps(0, 0, 0, 0), steps(0, 0, 0, 4)]),
    "vision": np.stack([steps(9, 9, 7, 8), steps(0, 0, 0, 0), steps(0, 0, 6, 0), steps(0, 0, 0, 5)]),
}
WITHOUT_FRONT = {
    "text": [each(1, 2), each(1, 2, 3), None, each(1)],
    "audio": [each(0, 2), each(1, -np.inf, 0), None, each(4)],
    "vision": [each(7, 8), None, each(6), each(5)],  # each row as long as its words, and its own without any
}


@layout("mosi_multibench", "mosei_multibench")
def written_multibench(root: Path) -> Read:
    names = [[b"v1", b"0.5", b"2.0"], [b"v1", b"2.0", b"4.5"], [b"v2", b"0.0", b"1.0"], [b"v3", b"0.0", b"9.0"]]
    labels = np.array([-1.5, 3.0, 0.0, 0.75], np.float32).reshape(4, 1, 1)
    for file in ("mosi_raw.pkl", "mosei_senti_data.pkl"):
        saved(root, file, by_part(**FRONT, labels=labels, id=np.array(names)))
    return Read(
        raw=WITHOUT_FRONT,
        targets={"sentiment": [-1.5, 3.0, 0.0, 0.75]},
        classes={},
        split=SPLIT,
        ids=["v1 0.5 2.0", "v1 2.0 4.5", "v2 0.0 1.0", "v3 0.0 9.0"],
    )


@layout("ur_funny_multibench", "mustard_multibench")
def written_multibench_classes(root: Path) -> Read:
    for file in ("humor.pkl", "sarcasm.pkl"):
        saved(root, file, by_part(**FRONT, labels=np.array([[1], [0], [0], [1]]), id=np.array([[7], [8], [9], [10]])))
    task = "humor" if root.name == "ur_funny_multibench" else "sarcasm"
    return Read(
        raw=WITHOUT_FRONT,
        targets={task: [1, 0, 0, 1]},
        classes={task: ["0", "1"]},
        split=SPLIT,
        ids=["7", "8", "9", "10"],
    )


@layout("iemocap")
def written_iemocap(root: Path) -> Read:
    no, yes = [1, 0], [0, 1]
    labels = np.array([[yes, no, no, no], [no, yes, no, no], [no, no, no, no], [no, no, yes, yes]])
    saved(root, "iemocap_data.pkl", by_part(**FRONT, labels=labels))
    return Read(
        raw=WITHOUT_FRONT,
        targets={"emotions": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]},
        classes={"emotions": ["neutral", "happy", "sad", "angry"]},
        split=SPLIT,
        ids=["train-0", "train-1", "val-0", "test-0"],
    )


@layout("ur_funny")
def written_ur_funny(root: Path) -> Read:
    saved(root, "data_folds.pkl", {"train": [3, 1], "dev": [2], "test": [4]})
    saved(root, "humor_label_sdk.pkl", {1: 0, 2: 1, 3: 1, 4: 0, 5: 1})
    said = {i: {"punchline_sentence": f"line {i}", "context_sentences": ["a", f"b {i}"]} for i in (1, 2, 3)}
    said[4] = {"punchline_sentence": ["in", "words"], "context_sentences": [["c"], ["d", "e"]]}
    saved(root, "language_sdk.pkl", said)
    for file in ("covarep", "openface"):
        words = {i: {"punchline_features": [[i, i]] * i, "context_features": [[[0, 0]]]} for i in (1, 2, 3)}
        saved(root, f"{file}_features_sdk.pkl", words | {4: {"punchline_features": [], "context_features": []}})
    heard = [each(3, 3, 3), each(1), each(2, 2), None]
    return Read(
        raw={"text": ["line 3", "line 1", "line 2", "in words"], "audio": heard, "vision": heard},
        targets={"humor": [1, 0, 1, 0]},
        classes={"humor": ["0", "1"]},
        split=SPLIT,
        ids=["3", "1", "2", "4"],
    )


@layout("mosi_bclstm_csv")
def written_bclstm(root: Path) -> Read:
    """transcripts.csv opens with an empty line, as published; its rows are not in the order of the features'."""
    spoken = ["v_1_1,GOOD,9,1", "v_1_2,,9,0", "w_10,WELL SAID,4,1", "w_2,BAD,4,0"]
    write(root, transcripts_DOT_csv="\n" + "".join(",".join(f'"{c}"' for c in s.split(",")) + "\n" for s in spoken))
    write(root, text_train_DOT_csv='"2","0.1"\n"0","0.2"\n"3","0.3"\n', text_test_DOT_csv='"1","0.4"\n')
    for number, kind in enumerate(("text", "audio", "video")):
        write(
            root, **{f"{kind}__{kind}_train0_DOT_csv": f'"2.5","{number}","1"\n"0.5","{number}","1"\n"3.5","7","0"\n'}
        )
        write(root, **{f"{kind}__{kind}_test0_DOT_csv": f'"1.5","{number}","0"\n'})
    vectors = [[[2.5, n], [0.5, n], [3.5, 7.0], [1.5, n]] for n in (0.0, 1.0, 2.0)]
    return Read(
        raw=dict(zip(("text", "audio", "video"), vectors, strict=True)),
        targets={"sentiment": [1, 1, 0, 0]},
        classes={"sentiment": ["0", "1"]},
        split=["train", "train", "train", "test"],
        ids=["w_10", "v_1_1", "w_2", "v_1_2"],
        groups=["w", "v_1", "w", "v_1"],
    )


@layout("mustard")
def written_mustard(root: Path) -> Read:
    about = [("1_60", "A privilege.", "SHELDON", "BBT", True), ("2_3", "Oh.", "ROSS", "FRIENDS", False)]
    rows = {
        i: {"utterance": text, "speaker": who, "context": ["one", "two"], "context_speakers": ["A", "B"]}
        | {"show": show, "sarcasm": label}
        for i, text, who, show, label in about
    }
    write(root, sarcasm_data_DOT_json=json.dumps(rows))
    saved(root, "audio_features.p", {"1_60": np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])})  # (D, T)
    return Read(
        raw={"text": ["A privilege.", "Oh."], "audio": [each(1, 2, 3), None]},
        targets={"sarcasm": [1, 0]},
        classes={"sarcasm": ["False", "True"]},
        split=None,
        ids=["1_60", "2_3"],
    )


@layout("meld")
def written_meld(root: Path) -> Read:
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
    train = '1,"Oh my God, he’s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"\n'
    train += '2,What?,Monica,surprise,positive,0,1,4,7,"00:21:01,927","00:21:03,261"\n'
    line = '1,Hey!,All,{},positive,0,0,4,4,"0:12:44,074","0:12:45,189"\n'
    write(root, train_sent_emo_DOT_csv=header + train, dev_sent_emo_DOT_csv=header + line.format("surprise"))
    write(root, test_sent_emo_DOT_csv=header + line.format("joy"))
    return Read(
        raw={
            "text": ["Oh my God, he’s lost it.", "What?", "Hey!", "Hey!"],
            "video": [
                "train_splits/dia0_utt0.mp4",
                "train_splits/dia0_utt1.mp4",
                "dev_splits_complete/dia0_utt0.mp4",
                "output_repeated_splits_test/dia0_utt0.mp4",
            ],
        },
        targets={"emotion": [0, 1, 1, 2], "sentiment": [0, 1, 1, 1]},
        classes={"emotion": ["sadness", "surprise", "(not in training)"], "sentiment": ["negative", "positive"]},
        split=SPLIT,
        ids=["train-0", "train-1", "val-0", "test-0"],
    )


@layout("hateful_memes")
def written_memes(root: Path) -> Read:
    lines = [{"id": 42953, "img": "img/42953.png", "label": 0, "text": "its their character"}]
    lines += [{"id": 23058, "img": "img/23058.png", "label": 1, "text": "don't"}]
    both = "".join(json.dumps(line) + "\n" for line in lines)
    write(root, train_DOT_jsonl=both, dev_seen_DOT_jsonl=both.partition("\n")[0] + "\n")
    write(root, test_seen_DOT_jsonl=json.dumps({"id": 1, "img": "img/00001.png", "text": ""}) + "\n")
    return Read(
        raw={
            "image": ["img/42953.png", "img/23058.png", "img/42953.png", "img/00001.png"],
            "text": ["its their character", "don't", "its their character", None],
        },
        targets={"hateful": [0, 1, 0, -1]},
        classes={"hateful": ["0", "1"]},
        split=SPLIT,
        ids=["42953", "23058", "42953", "1"],
    )


@layout("food101")
def written_food(root: Path) -> Read:
    train = 'apple_pie_0.jpg,"Grandma\'s pie, the best",apple_pie\nramen_7.jpg,,ramen\n'
    write(root, texts__train_titles_DOT_csv=train, texts__test_titles_DOT_csv="ramen_9.jpg,Ramen | Soup,ramen\n")
    return Read(
        raw={
            "image": [
                "images/train/apple_pie/apple_pie_0.jpg",
                "images/train/ramen/ramen_7.jpg",
                "images/test/ramen/ramen_9.jpg",
            ],
            "text": ["Grandma's pie, the best", None, "Ramen | Soup"],
        },
        targets={"dish": [0, 1, 1]},
        classes={"dish": ["apple_pie", "ramen"]},
        split=["train", "train", "test"],
        ids=["train-0", "train-1", "test-0"],
    )


@layout("easy_vqa_json")
def written_easy_vqa(root: Path) -> Read:
    asked = [["what shape does the image contain?", "triangle", 0], ["is there a red shape?", "no", 12]]
    write(root, train__questions_DOT_json=json.dumps(asked), test__questions_DOT_json=json.dumps(asked[:1]))
    return Read(
        raw={
            "image": ["train/images/0.png", "train/images/12.png", "test/images/0.png"],
            "question": [asked[0][0], asked[1][0], asked[0][0]],
        },
        targets={"answer": [1, 0, 1]},
        classes={"answer": ["no", "triangle"]},
        split=["train", "train", "test"],
        ids=["train-0", "train-1", "test-0"],
    )


@layout("esc50")
def written_esc50(root: Path) -> Read:
    lines = "filename,fold,target,category,esc10,src_file,take\n1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    lines += "2-7-A-36.wav,2,36,vacuum_cleaner,False,7,A\n5-9-B-1.wav,5,1,rooster,True,9,B\n"
    write(root, meta__esc50_DOT_csv=lines)
    return Read(
        raw={"audio": ["audio/1-100032-A-0.wav", "audio/2-7-A-36.wav", "audio/5-9-B-1.wav"]},
        targets={"sound": [0, 2, 1]},
        classes={"sound": ["dog", "rooster", "vacuum_cleaner"]},
        split=None,
        ids=["1-100032-A-0.wav", "2-7-A-36.wav", "5-9-B-1.wav"],
        groups=["1", "2", "5"],
    )


@layout("esc10")
def written_esc10(root: Path) -> Read:
    written_esc50(root)
    return Read(
        raw={"audio": ["audio/1-100032-A-0.wav", "audio/5-9-B-1.wav"]},
        targets={"sound": [0, 1]},
        classes={"sound": ["dog", "rooster"]},
        split=None,
        ids=["1-100032-A-0.wav", "5-9-B-1.wav"],
        groups=["1", "5"],
    )


GENRES = [
    "Drama", "Comedy", "Romance", "Thriller", "Crime", "Action", "Adventure", "Horror",
    "Documentary", "Mystery", "Sci-Fi", "Fantasy", "Family", "Biography", "War", "History",
    "Music", "Animation", "Musical", "Western", "Sport", "Short", "Film-Noir",
]  # fmt: skip


@layout("mmimdb")
def written_mmimdb(root: Path) -> Read:
    write(root, split_DOT_json=json.dumps({"train": ["0000012", "0000005"], "dev": ["0000008"], "test": ["0000091"]}))
    films = {
        "0000012": {"plot": ["A train.", "A train comes in."], "genres": ["Documentary", "Short"], "title": "Arrivée"},
        "0000005": {"plot": ["Three men hammer."], "genres": ["Short", "News"]},
        "0000008": {"genres": ["Talk-Show"]},
        "0000091": {"plot": ["A bat."], "genres": ["Horror", "Drama", "Film-Noir"]},
    }
    for i, film in films.items():
        write(root, **{f"dataset__{i}_DOT_json": json.dumps(film)})
    hot = [[float(g in film["genres"]) for g in GENRES] for film in films.values()]
    assert [sum(row) for row in hot] == [2, 1, 0, 3]
    return Read(
        raw={
            "image": [f"dataset/{i}.jpeg" for i in films],
            "text": ["A train comes in.", "Three men hammer.", None, "A bat."],
        },
        targets={"genres": hot},
        classes={"genres": GENRES},
        split=SPLIT,
        ids=list(films),
    )


@layout("mvsa_single")
def written_mvsa(root: Path) -> Read:
    lines = ["ID\ttext,image", "1\tpositive,positive", "2\tneutral,negative", "3\tpositive,negative"]
    lines += ["4\tneutral,neutral", "10\tpositive,neutral"]
    write(
        root, labelResultAll_DOT_txt="\n".join(lines) + "\n", data__1_DOT_txt="How I feel today \n", data__2_DOT_txt=""
    )
    write(root, data__4_DOT_txt="RT ☺")
    (root / "data/10.txt").write_bytes(b"caf\xe9")  # in an older code
    return Read(
        raw={
            "text": ["How I feel today", None, "RT ☺", "café"],
            "image": ["data/1.jpg", "data/2.jpg", "data/4.jpg", "data/10.jpg"],
        },
        targets={"sentiment": [2, 0, 1, 2], "text_sentiment": [1, 0, 0, 1], "image_sentiment": [2, 0, 1, 1]},
        classes={
            "sentiment": ["negative", "neutral", "positive"],
            "text_sentiment": ["neutral", "positive"],
            "image_sentiment": ["negative", "neutral", "positive"],
        },
        split=None,
        ids=["1", "2", "4", "10"],
    )


@layout("flickr8k")
def written_flickr(root: Path) -> Read:
    lines = ["1000_a.jpg#0\tA child .", "1000_a.jpg#1\tA girl , out .", "22_b.jpg#0\tTwo dogs", "3_c.jpg#0\tA car"]
    lines += ["2258277193_586949ec62.jpg.1#0\tNot a picture"]
    write(root, Flickr8k_DOT_token_DOT_txt="\n".join(lines) + "\n")
    (root / "Flicker8k_Dataset").mkdir()
    for part, file in (("train", "1000_a.jpg"), ("dev", "22_b.jpg"), ("test", "9_x.jpg")):
        write(root, **{f"Flickr_8k_DOT_{part}Images_DOT_txt": file + "\n"})
    return Read(
        raw={
            "image": [f"Flicker8k_Dataset/{f}.jpg" for f in ("1000_a", "1000_a", "22_b", "3_c")],
            "text": ["A child .", "A girl , out .", "Two dogs", "A car"],
        },
        targets={"match": [0, 0, 1, 2]},
        classes={},
        split=["train", "train", "val", ""],
        ids=["1000_a.jpg#0", "1000_a.jpg#1", "22_b.jpg#0", "3_c.jpg#0"],
        groups=["1000_a.jpg", "1000_a.jpg", "22_b.jpg", "3_c.jpg"],
    )


@layout("avmnist")
def written_avmnist(root: Path) -> Read:
    """5,003 training rows, of which the last 5,000 validate: pictures of 2x2 here, of 3x3 the sound's."""
    for kind, shape in (("image", (4,)), ("audio", (3, 3))):
        (root / kind).mkdir()
        for part, rows in (("train", 5003), ("test", 2)):
            values = (np.arange(rows, dtype=np.float64).reshape(-1, *[1] * len(shape)) + 7) % 256
            np.save(root / kind / f"{part}_data.npy", np.broadcast_to(values, (rows, *shape)))
    np.save(root / "train_labels.npy", np.arange(5003) % 10)
    np.save(root / "test_labels.npy", np.array([3, 1]))
    numbers = [*((n + 7) % 256 for n in range(5003)), 7, 8]
    return Read(
        raw={"image": [[[n] * 2] * 2 for n in numbers], "audio": [[[n] * 3] * 3 for n in numbers]},
        targets={"digit": [*(n % 10 for n in range(5003)), 3, 1]},
        classes={"digit": list("0123456789")},
        split=["train"] * 3 + ["val"] * 5000 + ["test"] * 2,
        ids=[*(f"train-{n}" for n in range(5003)), "test-0", "test-1"],
    )


@layout("cremad")
def written_cremad(root: Path) -> Read:
    clips = ["1001_DFA_ANG_XX", "1001_IEO_HAP_LO", "1091_IEO_NEU_HI"]
    for clip in clips:
        write(root, **{f"AudioWAV__{clip}_DOT_wav": "", f"VideoFlash__{clip}_DOT_flv": ""})
    return Read(
        raw={"audio": [f"AudioWAV/{c}.wav" for c in clips], "video": [f"VideoFlash/{c}.flv" for c in clips]},
        targets={"emotion": [0, 1, 2], "sentence": [0, 1, 1], "level": [-1, 1, 0]},
        classes={"emotion": ["anger", "happy", "neutral"], "sentence": ["DFA", "IEO"], "level": ["high", "low"]},
        split=None,
        ids=clips,
        groups=["1001", "1001", "1091"],
    )


@layout("handwritten6_mat")
def written_mat(root: Path) -> Read:
    held: dict[str, Any] = {"gt_train": np.array([[1], [10]]), "gt_test": np.array([[10]])}
    for k in range(1, 7):
        held |= {f"x{k}_train": np.array([[k, 0.5], [k, 1.5]]), f"x{k}_test": np.array([[k, 2.5]])}
    savemat(root / "handwritten_6views.mat", held)
    views = ("pix", "fou", "fac", "zer", "kar", "mor")
    return Read(
        raw={view: [[k, 0.5], [k, 1.5], [k, 2.5]] for k, view in enumerate(views, start=1)},
        targets={"digit": [0, 1, 1]},
        classes={"digit": ["1", "10"]},
        split=["train", "train", "test"],
        ids=["train-0", "train-1", "test-0"],
    )


def plain(value: Any, root: Path) -> Any:
    if isinstance(value, Path):
        return value.relative_to(root).as_posix()
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_published_layout_is_read(name, tmp_path):
    (root := tmp_path / name).mkdir()
    expected = LAYOUTS[name](root)
    found = examples(name, root)
    assert {m: [plain(v, root) for v in values] for m, values in found.raw.items()} == expected.raw
    assert list(found.raw) == list(expected.raw)
    assert list(found.targets) == list(found.tasks) == list(expected.targets)
    for task, target in found.targets.items():
        assert np.array_equal(
            target, np.array(expected.targets[task], target.dtype), equal_nan=target.dtype.kind == "f"
        )
    classes = {task: list(kind.classes) for task, kind in found.tasks.items() if hasattr(kind, "classes")}
    assert classes == expected.classes
    assert (None if found.split is None else found.split.tolist()) == expected.split
    assert list(found.ids) == expected.ids
    assert (None if found.groups is None else found.groups.tolist()) == expected.groups
    kinds = {type(v) for values in found.raw.values() for v in values} - {type(None)}
    assert kinds <= {str, np.ndarray, type(root)}  # no class of the unpickler's own
    arrays = {v.dtype.name for values in found.raw.values() for v in values if isinstance(v, np.ndarray)}
    assert arrays <= {"uint8" if name == "avmnist" else "float32"}
    assert {t.dtype.name for t in found.targets.values()} <= {"int64", "float32"}


def test_every_standard_is_at_hand_or_written_here():
    assert sorted({*LAYOUTS, *AT_HAND}) == STANDARDS


@pytest.mark.parametrize("name", STANDARDS)
def test_a_config_opens_with_what_it_is_where_it_is_to_be_had_its_files_counts_and_licence(name):
    opening = []
    for line in (packaged() / "dataset" / f"{name}.yaml").read_text().splitlines():
        if not line.startswith("#"):
            break
        opening.append(line)
    heads = [line.removeprefix("# ").partition(":")[0] for line in opening]
    wanted = ["Source", "Files", "Counts", "Licence"]
    assert [head for head in heads if head in wanted] == wanted
    assert any(word in "".join(opening) for word in ("http://", "https://"))


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_missing_files_are_named_with_where_they_are_to_be_had(name, tmp_path):
    with pytest.raises(DataError) as caught:
        examples(name, tmp_path / "nothing")
    message = str(caught.value)
    assert f"expected under {tmp_path / 'nothing'}: " in message
    assert "to be had from https://" in message
    assert "dataset.root=DIR" in message
    assert len(message.splitlines()) <= 6


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_split_or_group_that_is_not_there_is_an_error(name, tmp_path):
    (root := tmp_path / name).mkdir()
    LAYOUTS[name](root)
    for key in ("column", "group"):
        with pytest.raises((ConfigError, DataError), match="nonsense"):
            examples(name, root, **{key: "nonsense"})


class TestAtHand:
    """Counts as the data sets' own notes have them."""

    @pytest.fixture
    def at_hand(self):
        def read(name: str, *typed: str) -> Examples:
            if not (SHARED / name).is_dir():
                pytest.skip(f"{SHARED} has no {name}; MMFUSE_DATA names the folder of data sets")
            return examples(name, SHARED / name, *typed)

        return read

    def test_av_digits(self, at_hand):
        found = at_hand("av_digits")
        assert Counter(found.split.tolist()) == {"train": 2400, "val": 300, "test": 300}
        assert found.tasks["digit"].classes == tuple("0123456789")
        assert len(found.tasks["speaker"].classes) == 6

    def test_handwritten6(self, at_hand):
        found = at_hand("handwritten6")
        assert Counter(found.split.tolist()) == {"train": 1600, "test": 400}
        assert {m: v[0].shape for m, v in found.raw.items()} == {
            "pix": (240,),
            "fou": (76,),
            "fac": (216,),
            "zer": (47,),
            "kar": (64,),
            "mor": (6,),
        }
        assert np.bincount(found.targets["digit"]).tolist() == [200] * 10

    def test_mosi_bclstm(self, at_hand):
        found = at_hand("mosi_bclstm")
        test = found.split == "test"
        assert (len(found), test.sum()) == (2199, 752)
        assert np.bincount(found.targets["sentiment"][test]).tolist() == [285, 467]
        assert np.bincount(found.targets["sentiment"][~test]).tolist() == [738, 709]
        assert {m: v[0].shape for m, v in found.raw.items()} == {"text": (100,), "audio": (73,), "video": (100,)}
        videos = {part: set(found.groups[found.split == part]) for part in ("train", "val", "test")}
        assert {part: len(v) for part, v in videos.items()} == {"train": 52, "val": 10, "test": 31}
        assert len(set.union(*videos.values())) == 93

    def test_mosi_bclstm_videos(self, at_hand):
        rows, root = at_hand("mosi_bclstm"), SHARED / "mosi_bclstm"
        found = examples("mosi_bclstm_videos", root)
        counts = {
            part: [len(t) for t in found.targets["sentiment"][found.split == part]] for part in ("train", "val", "test")
        }
        assert {part: (len(n), sum(n)) for part, n in counts.items()} == {
            "train": (52, 1199),
            "val": (10, 248),
            "test": (31, 752),
        }
        assert (min(map(min, counts.values())), max(map(max, counts.values()))) == (9, 63)
        assert np.bincount(np.concatenate(found.targets["sentiment"][found.split == "test"])).tolist() == [285, 467]
        for video in (0, 92):
            own = [row for row, name in enumerate(rows.groups) if name == found.ids[video]]
            np.testing.assert_array_equal(found.raw["audio"][video], np.stack([rows.raw["audio"][row] for row in own]))

    def test_vqa_rad(self, at_hand):
        found = at_hand("vqa_rad")
        test = found.split == "test"
        assert (len(found), test.sum()) == (3515, 451)
        assert len({str(image) for image in found.raw["image"]}) == 314
        assert all(image.exists() for image in found.raw["image"][::50])
        classes = found.tasks["answer"].classes
        assert len(classes) == 475 + 1
        unseen = found.targets["answer"] == 475
        assert unseen[test].sum() == 451 - 404  # 89.6 % of the test answers occur in training
        assert not unseen[~test].any()
        assert found.tasks["organ"].classes == ("ABD", "CHEST", "HEAD")
        assert found.targets["question_type"].shape == (3515, 11)
        assert set(found.targets["question_type"].sum(axis=1)) == {1.0, 2.0}
        parts = split(found, "answer", [0.8, 0.1, 0.1], seed=0)  # though most answers occur once
        assert [len(parts.train) + len(parts.val), len(parts.test)] == [3064, 451]

    def test_easy_vqa(self, at_hand):
        found = at_hand("easy_vqa")
        assert Counter(found.split.tolist()) == {"train": 38575, "test": 9673}
        assert len(found.tasks["answer"].classes) == 13
        assert {image.shape for image in found.raw["image"][::100]} == {(64, 64, 3)}
        pictures = np.load(SHARED / "easy_vqa" / "images_test.npz")["image"]
        assert len(pictures) == 1000
        assert np.array_equal(found.raw["image"][-1], pictures[-1])  # the last question is on the last picture


class TestVariants:
    def test_unaligned_mosi(self, tmp_path):
        written_unaligned(tmp_path)
        (tmp_path / "unaligned_39.pkl").rename(tmp_path / "unaligned_50.pkl")
        found = examples("mosi", tmp_path, "dataset.file=unaligned_50.pkl", group="video")
        assert [None if v is None else len(v) for v in found.raw["audio"]] == [2, 3, None, 1]
        assert found.groups.tolist() == ["video_0001", "video_0001", "video_0002", "video_0003"]

    @pytest.mark.parametrize("name", ["mosi", "sims"])
    def test_words_instead_of_features(self, name, tmp_path):
        LAYOUTS[name](tmp_path)
        found = examples(name, tmp_path, "dataset.modalities.text={kind: text, column: raw_text}", "modalities=[text]")
        assert found.raw["text"] == {"mosi": ["A", "B", "C", "D"], "sims": ["好", "坏", "好", "坏"]}[name]

    def test_words_of_the_bclstm(self, tmp_path):
        written_bclstm(tmp_path)
        typed = "dataset.modalities.text={kind: text, column: words}"
        assert examples("mosi_bclstm_csv", tmp_path, typed).raw["text"] == ["WELL SAID", "GOOD", "BAD", None]

    def test_steps_are_cut_alike_whatever_modalities_are_asked_for(self, tmp_path):
        written_multibench(tmp_path)
        found = examples("mosi_multibench", tmp_path, "modalities=[audio]")
        assert [None if v is None else v.tolist() for v in found.raw["audio"]] == WITHOUT_FRONT["audio"]

    def test_each_modality_has_its_own_padding_where_none_is_aligned(self, tmp_path):
        written_multibench(tmp_path)
        found = examples("mosi_multibench", tmp_path, "dataset.words=null", "modalities=[audio]")
        assert [None if v is None else v.tolist() for v in found.raw["audio"]] == [
            each(2),
            each(1, -np.inf),
            None,
            each(4),
        ]

    def test_the_pickle_says_what_it_has(self, tmp_path):
        written_multibench(tmp_path)
        with pytest.raises(DataError, match=r"holds no 'label'\n  did you mean 'labels'\?"):
            examples("mosi_multibench", tmp_path, "dataset.tasks.sentiment.column=label")

    @pytest.mark.parametrize("content", [[1, 2], {"train": np.arange(3)}, {"training data": {}}], ids=str)
    def test_a_pickle_of_another_make_is_an_error(self, content, tmp_path):
        saved(tmp_path, "mosi_raw.pkl", content)
        with pytest.raises(DataError, match=r"a dict of train, valid and test is needed"):
            examples("mosi_multibench", tmp_path)

    def test_mustards_own_splits_and_clips(self, tmp_path):
        written_mustard(tmp_path)
        found = examples("mustard", tmp_path, column="speaker_independent", group="speaker")
        assert (found.split.tolist(), found.groups.tolist()) == (["train", "test"], ["SHELDON", "ROSS"])
        saved(tmp_path, "split_indices.p", [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))])
        assert examples("mustard", tmp_path, column="fold2").split.tolist() == ["test", "train"]
        found = examples("mustard", tmp_path, "+dataset.modalities.context={kind: text}")
        assert found.raw["context"] == ["one\ntwo", "one\ntwo"]

    def test_flickr8k_of_kaggle_has_no_split_and_keeps_captions_together(self, tmp_path):
        write(tmp_path, captions_DOT_txt='image,caption\n1_a.jpg,"A child , out ."\n1_a.jpg,A girl\n2_b.jpg,Two dogs\n')
        (tmp_path / "Images").mkdir()
        found = examples("flickr8k", tmp_path)
        assert found.split is None
        assert found.groups.tolist() == ["1_a.jpg", "1_a.jpg", "2_b.jpg"]
        assert found.raw["text"] == ["A child , out .", "A girl", "Two dogs"]
        assert found.raw["image"][2] == tmp_path / "Images/2_b.jpg"

    def test_meld_without_films(self, tmp_path):
        written_meld(tmp_path)
        assert list(examples("meld", tmp_path, "modalities=[text]").raw) == ["text"]

    def test_a_path_that_leads_out_of_the_folder_is_refused(self, tmp_path):
        written_memes(tmp_path)
        for path in ("../../etc/passwd", "/etc/passwd"):
            write(tmp_path, dev_seen_DOT_jsonl=json.dumps({"id": 1, "img": path, "label": 0, "text": ""}))
            with pytest.raises(DataError, match=r"row 2: .* leads out of"):
                examples("hateful_memes", tmp_path)

    def test_a_row_of_too_few_cells_is_an_error(self, tmp_path):
        written_food(tmp_path)
        write(tmp_path, texts__test_titles_DOT_csv="a.jpg,Ramen\n")
        with pytest.raises(DataError, match=r"test_titles.csv, row 0: 3 cells are needed"):
            examples("food101", tmp_path)

    def test_spectrograms_of_another_scale_are_an_error(self, tmp_path):
        written_avmnist(tmp_path)
        np.save(tmp_path / "image" / "train_data.npy", np.full((5003, 4), 0.5))
        with pytest.raises(DataError, match=r"up to 0.5, but 0 to 255 are needed"):
            examples("avmnist", tmp_path)

    def test_a_clip_of_another_name_is_an_error(self, tmp_path):
        written_cremad(tmp_path)
        write(tmp_path, AudioWAV__1001_angry_DOT_wav="")
        with pytest.raises(DataError, match=r"1001_angry is not named ACTOR_SENTENCE_MOOD_LEVEL"):
            examples("cremad", tmp_path)
