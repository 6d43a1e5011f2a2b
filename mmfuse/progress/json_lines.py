"""For programs: JSON lines."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmfuse import __version__
from mmfuse.atomic import finite
from mmfuse.listener import Finding, Listener


class JsonLines(Listener):
    """One JSON object a line on stdout, and nothing else there."""

    def say(self, event: str, **about: Any) -> None:
        print(json.dumps(finite({"event": event} | about), ensure_ascii=False), flush=True)

    def opened(self, name: str) -> None:
        self.say("run", name=name, version=__version__)

    def described(self, data: str, model: str) -> None:
        self.say("described", data=data, model=model)

    def audited(self, findings: Sequence[Finding], whole: bool) -> None:
        if not whole:
            self.say("audit", findings=[finding._asdict() for finding in findings])
            return
        for finding in findings:
            self.say("finding", **finding._asdict())

    def encoding(self, modality: str, done: int, values: int) -> None:
        self.say("encoding", modality=modality, done=done, values=values)

    def encoded(self, modality: str, fresh: int, values: int, seconds: float, place: str | None, mended: bool) -> None:
        about = {"fresh": fresh, "values": values, "seconds": seconds, "place": place, "mended": mended}
        self.say("encoded", modality=modality, **about)

    def replicate(self, name: str, epochs: int, steps: int | None) -> None:
        self.say("replicate", name=name, epochs=epochs, steps=steps)

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        self.say("epoch", **figures)

    def scored(self, metrics: Mapping[str, Any], headlines: Mapping[str, Sequence[str]]) -> None:
        self.say("metrics", metrics=metrics)

    def advised(self, about: str, said: str) -> None:
        self.say("advised", about=about, said=said)

    def baseline(self, name: str, number: int, of: int, known: bool, said: Mapping[str, Any]) -> None:
        self.say("baseline", name=name, number=number, of=of, known=known, figures=dict(said))

    def checked(self, losses: Mapping[str, float], rows: int) -> None:
        self.say("checked", losses=dict(losses), rows=rows)

    def saved(self, folder: str) -> None:
        self.say("saved", folder=folder)

    def evaluated(
        self,
        split: str,
        modalities: Collection[str] | None,
        scores: Mapping[str, Any],
        headlines: Mapping[str, Sequence[str]],
    ) -> None:
        self.say("metrics", metrics={split: scores}, modalities=None if modalities is None else list(modalities))

    def curved(self, what: str, table: Mapping[str, Any]) -> None:
        self.say("curves", of=what, **table)

    def contributed(self, table: Mapping[str, Any]) -> None:
        self.say("contributions", **table)

    def predicted(self, rows: int, file: str, models: Sequence[str]) -> None:
        self.say("predicted", rows=rows, file=file, models=list(models))

    def exported(self, file: str, model: str, difference: float, rows: Sequence[int], fixed: Mapping[str, int]) -> None:
        self.say("exported", file=file, model=model, difference=difference, rows=list(rows), fixed=dict(fixed))
