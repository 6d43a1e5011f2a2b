"""Handwritten digits, seen, heard and hinted at: a demonstration that needs no download, not a benchmark.

The pictures are real: 1,797 handwritten digits of 8x8 pixels that come with scikit-learn (test part of UCI's Optical
Recognition of Handwritten Digits, Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49). The sound is made: what
a telephone's key of that digit sends, two tones at once (ITU-T Recommendation Q.23, 1988) at 8 kHz, of random phase,
loudness and onset, over a noisy line. The text is made: a hint in one of five languages. Each is spoiled row by row, so
that none suffices and together they nearly do: one half of each picture is covered, half of the sounds lack one of the
two tones, about half of the hints leave two to five digits open, and some rows lack a modality.
"""

from collections.abc import Collection

import numpy as np
from sklearn.datasets import load_digits

from mmfuse.errors import ConfigError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Dataset, Examples

RATE = 8000  # samples a second
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477)  # Hz, Q.23: a keypad's rows and columns
KEYS = {1: (0, 0), 2: (0, 1), 3: (0, 2), 4: (1, 0), 5: (1, 1), 6: (1, 2), 7: (2, 0), 8: (2, 1), 9: (2, 2), 0: (3, 1)}

SENTENCES = ("the digit is {}", "die Ziffer ist {}", "le chiffre est {}", "la cifra es {}", "这个数字是{}")
NAMES = (
    "zero one two three four five six seven eight nine",
    "null eins zwei drei vier fünf sechs sieben acht neun",
    "zéro un deux trois quatre cinq six sept huit neuf",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "零 一 二 三 四 五 六 七 八 九",
)
HINTS = {  # the digits left open, and how each language says so
    (0, 2, 4, 6, 8): ("even", "gerade", "pair", "par", "偶数"),
    (1, 3, 5, 7, 9): ("odd", "ungerade", "impair", "impar", "奇数"),
    (0, 1, 2, 3, 4): ("below five", "kleiner als fünf", "inférieur à cinq", "menor que cinco", "小于五的"),
    (6, 7, 8, 9): ("above five", "größer als fünf", "supérieur à cinq", "mayor que cinco", "大于五的"),
    (2, 3, 5, 7): ("a prime", "eine Primzahl", "un nombre premier", "un número primo", "质数"),
    (0, 1, 4, 9): ("a square", "eine Quadratzahl", "un carré", "un cuadrado", "平方数"),
    (3, 6, 9): ("three times another", "durch drei teilbar", "multiple de trois", "múltiplo de tres", "三的倍数"),
    (0, 1, 8): ("a cube", "eine Kubikzahl", "un cube", "un cubo", "立方数"),
    (0, 5): ("a multiple of five", "durch fünf teilbar", "multiple de cinq", "múltiplo de cinco", "五的倍数"),
    (4, 6): ("next to five", "Nachbar der Fünf", "voisin de cinq", "vecino del cinco", "五旁边的"),
}
MISSING = {"image": 0.02, "audio": 0.08, "text": 0.05}  # shares of the rows


class Digits(Dataset):
    def __init__(self, modalities: Collection[str], tasks: Collection[str], seed: int = 0):
        """Modalities among image, audio, text; tasks among digit (10 classes), parity (2), magnitude (0 to 9)."""
        self.modalities, self.tasks, self.seed = list(modalities), list(tasks), seed

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        if split or group:
            raise ConfigError(
                "dataset.split: the digits have no columns to split or group by; use dataset.split.ratios"
            )
        found = load_digits()
        digits: np.ndarray = found.target
        random = np.random.default_rng(self.seed)
        raw: dict[str, list] = {  # all are made, whichever are asked for, so that a row is the same row for all
            "image": [covered(image, random) for image in (found.images * 255 / 16).astype(np.uint8)],
            "audio": [(tones(digit, random), RATE) for digit in digits.tolist()],
            "text": [hint(digit, random) for digit in digits.tolist()],
        }
        lacking = random.random((len(digits), len(MISSING))) < list(MISSING.values())  # (N, 3)
        lacking[lacking.all(axis=1)] = False
        for column, lacks in zip(raw.values(), lacking.T, strict=True):
            for row in np.flatnonzero(lacks):
                column[row] = None
        targets = {"digit": digits, "parity": digits % 2, "magnitude": digits.astype(np.float32)}
        kinds = {
            "digit": Multiclass([str(d) for d in range(10)]),
            "parity": Multiclass(["even", "odd"]),
            "magnitude": Regression(),
        }
        return Examples(
            raw={m: raw[m] for m in self.modalities},
            columns={m: m for m in self.modalities},
            targets={t: targets[t] for t in self.tasks},
            tasks={t: kinds[t] for t in self.tasks},
            ids=[str(row) for row in range(len(digits))],
        )


def covered(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The picture with its left, right, upper or lower half grey."""
    image, side = image.copy(), random.integers(4)
    half = (slice(0, 4), slice(4, 8))[side % 2]
    image[(half, slice(None)) if side < 2 else (slice(None), half)] = 128
    return image


def tones(digit: int, random: np.random.Generator) -> np.ndarray:
    """(2000,) a quarter of a second with the key's two tones, or one of them, somewhere in it."""
    row, column = KEYS[digit]
    kept = [LOW[row], HIGH[column]]
    if random.random() < 0.4:
        del kept[random.integers(2)]
    time = np.arange(RATE // 4) / RATE
    onset, loudness = random.uniform(0.0, 0.1), random.uniform(0.1, 0.4)
    sounding = (time >= onset) & (time < onset + 0.15)
    line = 0.05 * random.standard_normal(len(time)) + 0.05 * np.sin(2 * np.pi * (50 * time + random.random()))
    wave = sum(np.sin(2 * np.pi * (f * time + random.random())) for f in kept)
    return (line + loudness * sounding * wave).astype(np.float32)


def hint(digit: int, random: np.random.Generator) -> str:
    """The digit's name, or something that is true of it and of others, in one of five languages."""
    language = random.integers(len(SENTENCES))
    if random.random() < 0.6:
        return SENTENCES[language].format(NAMES[language].split()[digit])
    true = [words for open_to, words in HINTS.items() if digit in open_to]
    return SENTENCES[language].format(true[random.integers(len(true))][language])
