"""Which values of a data set are hidden, a value being one modality of one row: made from a seed, kept in a file.

The missing rate of N rows of M modalities is eta = 1 - sum(p) / (N M), with p[n, m] whether row n shows modality m, as
Zhang et al. have it (Deep Partial Multi-View Learning, 2020, https://arxiv.org/abs/2011.06170). Where values are
missing already, the rate is the share of those that are there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool

from mmfuse.atomic import write
from mmfuse.errors import ConfigError, DataError


class Pattern(NamedTuple):
    ids: Sequence[str]  # (N,) of the rows
    modalities: Sequence[str]  # (M,)
    mask: Bool[np.ndarray, "N M"]  # False where a value is hidden

    def save(self, path: Path) -> None:
        def fill(beside: Path) -> None:
            with open(beside, "wb") as file:  # a name without .npz would be given one
                np.savez_compressed(file, ids=np.array(self.ids), modalities=np.array(self.modalities), mask=self.mask)

        write(path, fill)

    @classmethod
    def load(cls, path: Path) -> "Pattern":
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(file["ids"].tolist(), file["modalities"].tolist(), file["mask"].astype(bool))
        except (OSError, ValueError, KeyError, BadZipFile, AttributeError) as error:
            raise ConfigError(
                f"dataset.missing.pattern={path}: not a pattern of missing rows: {error}\n"
                "  to go on: the missing.npz of a run that had dataset.missing.rate above 0"
            ) from error

    def of(self, ids: Sequence[str], modalities: Sequence[str]) -> "Pattern":
        """The same for these rows, in their order. Rows of one id, of which files can have many, are alike."""
        if unknown := [m for m in modalities if m not in self.modalities]:
            raise ConfigError(
                f"dataset.missing.pattern has no modality '{unknown[0]}'; it has {', '.join(self.modalities)}\n"
                f"  to go on: modalities=[{','.join(m for m in modalities if m in self.modalities)}],"
                " or a pattern of this data set"
            )
        place = {name: n for n, name in enumerate(self.ids)}
        if strangers := [name for name in ids if name not in place]:
            raise DataError(
                f"dataset.missing.pattern has no row '{strangers[0]}', nor {len(strangers) - 1} others of {len(ids)};"
                f" its first is '{next(iter(place), '')}'\n"
                "  to go on: a pattern of this data set, or dataset.missing.rate to make one"
            )
        columns = [list(self.modalities).index(m) for m in modalities]
        return Pattern(ids, modalities, self.mask[[place[name] for name in ids]][:, columns])


def drawn(present: Bool[np.ndarray, "N M"], rate: float, seed: int) -> Bool[np.ndarray, "N M"]:
    """False for `rate` of the values that are present, rounded to whole values; a row keeps at least one of its own.

    Which one a row keeps is drawn first, then what is hidden among all others. Nothing else that a row has or lacks
    moves the dice of another.

    >>> drawn(np.ones((4, 3), dtype=bool), rate=0.5, seed=0).sum()
    np.int64(6)
    """
    first, then = np.random.default_rng(seed).random((2, *present.shape))  # (N, M) each
    kept = np.zeros_like(present)
    kept[np.arange(len(present)), np.where(present, first, -1.0).argmax(axis=1)] = True
    free = present & ~kept  # (N, M)
    number = round(rate * int(present.sum()))
    if number > free.sum():
        most = free.sum() / max(present.sum(), 1)
        raise ConfigError(
            f"dataset.missing.rate={rate}: a row keeps one of its modalities, so that no more than {most:.3g} of all"
            f" values can be hidden\n  to go on: dataset.missing.rate={np.floor(100 * most) / 100:g}"
        )
    hidden = np.argsort(np.where(free, then, 2.0), axis=None)[:number]
    mask = np.ones(present.shape, dtype=bool)
    mask.flat[hidden] = False
    return mask
