"""Data sets of chance in the layouts in which they are published, with enough rows to train on and test.

Widths are smaller than the published ones and rows are fewer; names, nesting and kinds of values are theirs, as
test_standards.py has them row by row.
"""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import soundfile
import torch
from PIL import Image

from mmfuse.encoders.vgg16 import VGG16

PARTS = {"train": 40, "valid": 16, "test": 20}
STEPS = 6
LAYOUTS: dict[str, Callable[[Path, np.random.Generator], None]] = {}  # by data set
Chance = np.random.Generator


def layout(*names: str) -> Callable[..., Any]:
    def register(write: Callable[[Path, Chance], None]) -> Callable[[Path, Chance], None]:
        LAYOUTS.update(dict.fromkeys(names, write))
        return write

    return register


def saved(file: Path, content: Any) -> None:
    file.write_bytes(pickle.dumps(content, 4))


def features(random: Chance, rows: int, width: int) -> np.ndarray:
    return random.normal(size=(rows, STEPS, width)).astype(np.float32)


@layout("mosi", "mosei")
def mmsa(root: Path, random: Chance) -> None:
    """aligned_50.pkl, and unaligned_50.pkl, whose voices and faces have lengths of their own."""
    for kind in ("aligned", "unaligned"):
        held = {}
        for part, rows in PARTS.items():
            real = np.arange(STEPS) < random.integers(2, STEPS + 1, rows)[:, None]  # (N, T)
            held[part] = {
                "raw_text": np.array(["good film"] * rows),
                "text": features(random, rows, 7),
                "text_bert": np.stack([real, real, np.zeros_like(real)], axis=1).astype(np.float32),
                "audio": features(random, rows, 3),
                "vision": features(random, rows, 4),
                "id": [f"video{row // 4}$_${row}" for row in range(rows)],
                "regression_labels": random.uniform(-3, 3, rows).astype(np.float32),
                "classification_labels": random.integers(0, 3, rows).astype(float),
            }
            if kind == "unaligned":
                lengths = {
                    f"{name}_lengths": random.integers(1, STEPS + 1, rows).tolist() for name in ("audio", "vision")
                }
                held[part] |= lengths
        saved(root / f"{kind}_50.pkl", held)


def multibench(random: Chance, labels: Callable[[int], np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Padded in front."""
    held = {}
    for part, rows in PARTS.items():
        padding = np.arange(STEPS) < random.integers(0, STEPS - 1, rows)[:, None]
        kinds = {"text": 7, "audio": 3, "vision": 4}
        held[part] = {name: features(random, rows, width) for name, width in kinds.items()}
        for array in held[part].values():
            array[padding] = 0.0
        held[part] |= {"labels": labels(rows), "id": np.array([[f"{part}{row}"] for row in range(rows)])}
    return held


@layout("mosi_multibench", "mosei_multibench")
def multibench_sentiment(root: Path, random: Chance) -> None:
    for file in ("mosi_raw.pkl", "mosei_senti_data.pkl"):
        saved(root / file, multibench(random, lambda rows: random.uniform(-3, 3, (rows, 1, 1)).astype(np.float32)))


@layout("ur_funny_multibench", "mustard_multibench")
def multibench_classes(root: Path, random: Chance) -> None:
    for file in ("humor.pkl", "sarcasm.pkl"):
        saved(root / file, multibench(random, lambda rows: np.arange(rows).reshape(rows, 1) % 2))


@layout("avmnist")
def avmnist(root: Path, random: Chance) -> None:
    """900 training rows before the 5,000 that validate: canonical correlations are of batches of 800."""
    for kind, shape in (("image", (784,)), ("audio", (32, 32))):
        (root / kind).mkdir()
        for part, rows in (("train", 5900), ("test", 30)):
            np.save(root / kind / f"{part}_data.npy", random.integers(0, 256, (rows, *shape)).astype(np.float64))
    for part, rows in (("train", 5900), ("test", 30)):
        np.save(root / f"{part}_labels.npy", np.arange(rows) % 10)


@layout("mmimdb")
def mmimdb(root: Path, random: Chance) -> None:
    """Beside the films lie weights as torchvision's are named, and words' vectors as word2vec's are written as text."""
    genres, words = ["Drama", "Comedy", "Horror"], ["train", "hammer", "bat", "love"]
    (root / "dataset").mkdir()
    split: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for row in range(300):
        name = f"{row:07d}"
        split["train" if row < 260 else "dev" if row < 280 else "test"].append(name)
        about = {"plot": [" ".join(random.choice(words, 4))], "genres": [genres[row % 3], genres[(row + row // 3) % 3]]}
        (root / "dataset" / f"{name}.json").write_text(json.dumps(about), encoding="utf-8")
        picture(random, 32, 32).save(root / "dataset" / f"{name}.jpeg")
    (root / "split.json").write_text(json.dumps(split), encoding="utf-8")
    lines = [" ".join([word, *(f"{x:.3f}" for x in random.normal(size=5))]) for word in words]
    (root / "words.txt").write_text(f"{len(words)} 5\n" + "\n".join(lines) + "\n", encoding="utf-8")
    torch.save(VGG16(3).state_dict(), root / "vgg16.pth")


def picture(random: Chance, height: int, width: int) -> Image.Image:
    return Image.fromarray(random.integers(0, 256, (height, width, 3)).astype(np.uint8))


@layout("cremad")
def cremad(root: Path, random: Chance) -> None:
    for folder in ("AudioWAV", "VideoFlash"):
        (root / folder).mkdir()
    for actor in range(1001, 1013):
        for mood in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            clip = f"{actor}_DFA_{mood}_XX"
            soundfile.write(root / "AudioWAV" / f"{clip}.wav", 0.1 * random.normal(size=4000), 8000)
            with av.open(str(root / "VideoFlash" / f"{clip}.flv"), "w") as container:
                stream = container.add_stream("flv", rate=10)
                stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
                for _ in range(4):
                    frame = av.VideoFrame.from_image(picture(random, 32, 32)).reformat(format="yuv420p")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())


@layout("mustard")
def mustard(root: Path, random: Chance) -> None:
    ids = [f"1_{row}" for row in range(60)]
    words = ["it", "is", "a", "privilege"]
    rows = {
        name: {
            "utterance": " ".join(random.choice(words, 5)),
            "speaker": "SHELDON",
            "context": ["I never would have."],
            "context_speakers": ["LEONARD"],
            "show": "BBT",
            "sarcasm": bool(row % 2),
        }
        for row, name in enumerate(ids)
    }
    (root / "sarcasm_data.json").write_text(json.dumps(rows), encoding="utf-8")
    saved(root / "audio_features.p", {name: random.normal(size=(9, STEPS)) for name in ids})
    file = root / "features" / "utterances_final" / "resnet_pool5.hdf5"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as held:
        for name in ids:
            held[name] = features(random, 1, 8)[0]
