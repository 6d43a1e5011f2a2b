"""Who is told how a run goes, and what there is to tell of its data."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Grade = Literal["error", "warning", "note"]


class Finding(NamedTuple):
    """What the audit has to say of a data set, once."""

    grade: Grade
    check: str  # which check says so, such as "duplicates"
    where: str  # the modality, task or column; "" for the whole
    said: str  # one sentence, with the figures
    rows: tuple[int, ...] = ()  # all that it is about, counted from 0


class Listener:
    """Who hears how a run goes. Every method may be left as it is."""

    def opened(self, name: str) -> None:
        """A run has its folder."""

    def described(self, data: str, model: str) -> None:
        """What it is about to train, on what."""

    def advised(self, about: str, said: str) -> None:
        """What can be done, and is hardly wanted: a warning, and what to do."""

    def audited(self, findings: Sequence[Finding], whole: bool) -> None:
        """What was found in the data, the worst first; all of it is to be shown, or a paragraph."""

    def encoding(self, modality: str, done: int, values: int) -> None:
        """A frozen encoder has said what it has to of so many of a modality's distinct values."""

    def encoded(self, modality: str, fresh: int, values: int, seconds: float, place: str | None, mended: bool) -> None:
        """It has of all: `fresh` of them just now, the others before; `place` keeps it, and was damaged if `mended`."""

    def replicate(self, name: str, epochs: int, steps: int | None) -> None:
        """One seed of one fold begins; `steps` batches an epoch, None where only reading tells."""

    def step(self, done: int, rows: int, loss: float) -> None:
        """A batch has been learned, the `done`th of its epoch."""

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        """An epoch has ended: "epoch", "step", "seconds", losses and validation scores."""

    def baseline(self, name: str, number: int, of: int, known: bool, said: Mapping[str, Any]) -> None:
        """What the run is compared with has been trained, or was `known` from a run before; its figures by name."""

    def scored(self, metrics: Mapping[str, Any], headlines: Mapping[str, Sequence[str]]) -> None:
        """The run's figures, as metrics.json has them, and which of each task's to show first."""

    def checked(self, losses: Mapping[str, float], rows: int) -> None:
        """One batch went through, forward and back; nothing was trained."""

    def saved(self, folder: str) -> None:
        """All is on disk."""

    def evaluated(
        self,
        split: str,
        modalities: Collection[str] | None,
        scores: Mapping[str, Any],
        headlines: Mapping[str, Sequence[str]],
    ) -> None:
        """A finished run's figures on some rows, as metrics.json has them; None: from all modalities."""

    def curved(self, what: str, table: Mapping[str, Any]) -> None:
        """A finished run's figures over rising levels of "noise", or rates of "missing" values."""

    def contributed(self, table: Mapping[str, Any]) -> None:
        """What each modality gives to a finished run's models; see mmfuse/contribution/contributions.py."""

    def predicted(self, rows: int, file: str, models: Sequence[str]) -> None:
        """Trained models, by the names of their folders, were asked about so many rows; the file has their mean."""

    def exported(self, file: str, model: str, difference: float, rows: Sequence[int], fixed: Mapping[str, int]) -> None:
        """A model is a file now, which was run on batches of so many rows and differs from it by so much at most.

        `fixed` is by modality how many steps it has to have, where not any number will do.
        """

    def close(self) -> None:
        """The end, however it came: what it drew on, such as a terminal, is given back."""
