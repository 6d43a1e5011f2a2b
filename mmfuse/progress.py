"""What a run shows while it goes: a live bar on a terminal, a line an epoch in a log, JSON lines for programs."""

import json
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmfuse import __version__
from mmfuse.atomic import finite
from mmfuse.audit import shown
from mmfuse.types import Finding, Listener
from mmfuse.wording import curve_lines, figure, judged, moved, number

SHOWN = 4  # validation scores a line
WIDTH = 100  # of a table that is not written to a terminal


def listener(quiet: bool, as_json: bool) -> Listener:
    if as_json:
        return JsonLines()
    if quiet:
        return Listener()
    return Terminal() if sys.stdout.isatty() else Lines()


class Lines(Listener):
    """Plain text, one line an epoch, no control codes."""

    def __init__(self) -> None:
        self.best: tuple[float, int] | None = None
        self.epochs = 0
        self.rows, self.spent, self.began = 0, 0.0, 0.0

    def write(self, text: str) -> None:
        print(text, flush=True)

    def opened(self, name: str) -> None:
        self.write(f"mmfuse {__version__} - run {name:<40}")

    def described(self, data: str, model: str) -> None:
        self.write(f"data     {data}\nmodel    {model}")

    def audited(self, findings: Sequence[Finding], whole: bool) -> None:
        if not whole:
            self.write(shown.paragraph(findings))
            return
        self.write(f"audit    {shown.counts(findings)}")
        self.draw(shown.table(findings))

    def encoded(self, modality: str, fresh: int, values: int, seconds: float, place: str | None, mended: bool) -> None:
        """
        >>> Lines().encoded("text", 0, 1654, 0.1, "~/.cache/mmfuse/3f2a", False)
        encoded  text: 1654 distinct values, all kept from before in ~/.cache/mmfuse/3f2a
        """
        rate = f"{fresh} of {values}" if 0 < fresh < values else f"{values}"
        how = f" in {seconds:.1f} s, {fresh / max(seconds, 1e-9):.0f} a second" if fresh else ""
        where = f"kept in {place}" if place else "not kept (cache=false)"
        before = f"all kept from before in {place}" if not fresh and place else where
        again = "; what was kept had been damaged" if mended else ""
        self.write(f"encoded  {modality}: {rate} distinct values{how}, {before}{again}")

    def draw(self, table: Table) -> None:
        console = Console(width=WIDTH, color_system=None, highlight=False)
        with console.capture() as drawn:
            console.print(table)
        for line in drawn.get().splitlines():
            self.write(line.rstrip())

    def replicate(self, name: str, epochs: int, steps: int | None) -> None:
        self.epochs, self.best, self.rows, self.spent = epochs, None, 0, 0.0
        self.write(name.replace("-fold-", " fold ").replace("seed-", "seed "))
        self.began = time.perf_counter()

    def step(self, done: int, rows: int, loss: float) -> None:
        self.rows += rows
        self.spent = time.perf_counter() - self.began

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        self.write(self.row(figures))
        self.rows, self.began = 0, time.perf_counter()

    def row(self, figures: Mapping[str, float | int]) -> str:
        scores = {n: v for n, v in figures.items() if n.startswith("val/") and n.count("/") == 1 and n != "val/loss"}
        wanted = [n for n in ("val/skill", "val/accuracy", "val/f1_macro", "val/mae", "val/pearson") if n in scores][
            :SHOWN
        ]
        shown = "  ".join(f"{n} {number(scores[n])}" for n in wanted)
        width = len(str(self.epochs))
        return (
            f"epoch {int(figures['epoch']) + 1:>{width}}/{self.epochs}  {self.rows / max(self.spent, 1e-9):6.0f} rows/s"
            f"  loss {figures['train/loss']:.4f}  val/loss {figures['val/loss']:.4f}  {shown}"
        )

    def advised(self, about: str, said: str) -> None:
        self.write(f"warning  {about}: {said}")

    def baseline(self, name: str, number: int, of: int, known: bool, said: Mapping[str, Any]) -> None:
        figures = "   ".join(figure(f, about, full=True) for f, about in said.items())
        self.write(f"baseline {number}/{of}   {name}   {figures}{'   (from before)' * known}")

    def scored(self, metrics: Mapping[str, Any], headlines: Mapping[str, Sequence[str]]) -> None:
        for task, table in metrics["test"].items():
            runs = len(next(iter(table.values()))["values"])
            label = f"test ({runs} runs)" if runs > 1 else "test"
            name = f" {task}:" if len(metrics["test"]) > 1 else ""
            self.write(
                f"{label}{name}   {'   '.join(figure(f, table[f], i == 0) for i, f in enumerate(headlines[task]))}"
            )
        for task, table in metrics.get("verdict", {}).items():
            self.write(judged(task if len(metrics["verdict"]) > 1 else "", table))
        if "gain" in metrics:
            self.write(f"gain   {100 * metrics['gain']:+.1f} % in the mean over tasks, against a model for each")
        for line in moved(metrics.get("transfer", {})):
            self.write(line)

    def checked(self, losses: Mapping[str, float], rows: int) -> None:
        said = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        self.write(
            f"check    one batch of {rows} rows went through, forward and back: loss {said}. Nothing was trained."
        )

    def saved(self, folder: str) -> None:
        self.write(f"saved {folder}      again: sh {folder}/command.sh")

    def evaluated(
        self,
        split: str,
        modalities: Collection[str] | None,
        scores: Mapping[str, Any],
        headlines: Mapping[str, Sequence[str]],
    ) -> None:
        heard = f" from {', '.join(modalities)}" if modalities else ""
        for task, table in scores.items():
            runs = len(next(iter(table.values()))["values"])
            label = f"{split}{f' ({runs} runs)' if runs > 1 else ''}{heard}{f' {task}:' if len(scores) > 1 else ''}"
            self.write(f"{label}   {'   '.join(figure(f, table[f], i == 0) for i, f in enumerate(headlines[task]))}")

    def curved(self, what: str, table: Mapping[str, Any]) -> None:
        self.write("\n".join(curve_lines(table)))

    def predicted(self, rows: int, file: str, models: Sequence[str]) -> None:
        by = models[0] if len(models) == 1 else f"the mean of {len(models)} models ({', '.join(models)})"
        self.write(f"predicted {rows} rows by {by}\nsaved {file}")

    def exported(self, file: str, model: str, difference: float, rows: Sequence[int], fixed: Mapping[str, int]) -> None:
        for modality, steps in fixed.items():
            self.advised(modality, f"exported for exactly {steps} steps: pad to them, with a mask of False")
        batches = " and ".join(map(str, rows))
        self.write(f"exported {model}; run on {batches} test rows, it is within {difference:.1g} of the model")
        self.write(f"saved {file} and {file}.json")


class Terminal(Lines):
    """A live bar with speed, time left, loss and the best validation figure, under a growing table of epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(highlight=False)
        self.bar: Progress | None = None

    def write(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def draw(self, table: Table) -> None:
        self.console.print(table)

    def encoding(self, modality: str, done: int, values: int) -> None:
        if self.bar is None:
            self.bar = Progress(
                TextColumn("encoding {task.fields[modality]}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self.task = self.bar.add_task("", total=values, modality=modality)
            self.bar.start()
        self.bar.update(self.task, completed=done)

    def encoded(self, modality: str, fresh: int, values: int, seconds: float, place: str | None, mended: bool) -> None:
        self.close()
        super().encoded(modality, fresh, values, seconds, place, mended)

    def replicate(self, name: str, epochs: int, steps: int | None) -> None:
        super().replicate(name, epochs, steps)
        self.close()
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]} rows/s"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[best]}"),
            console=self.console,
            transient=True,
            refresh_per_second=5,
        )
        self.steps, self.now = steps, 1
        total = None if steps is None else steps * max(epochs, 1)
        self.task = self.bar.add_task("", total=total, epoch=f"1/{epochs}", speed="", loss="", best="")
        self.bar.start()

    def step(self, done: int, rows: int, loss: float) -> None:
        super().step(done, rows, loss)
        if self.bar is not None:
            speed = f"{self.rows / max(self.spent, 1e-9):.0f}"
            before = (self.now - 1) * self.steps if self.steps else 0
            self.bar.update(self.task, completed=before + done, speed=speed, loss=f"{loss:.3f}")

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        super().epoch(figures)
        self.now = int(figures["epoch"]) + 2
        for name, better in (("val/skill", max), ("val/f1_macro", max), ("val/mae", min)):
            if name in figures:
                here = (figures[name], int(figures["epoch"]) + 1)
                self.best = better(self.best or here, here, key=lambda pair: pair[0])
                if self.bar is not None:
                    best = f"best {name} {number(self.best[0])} (epoch {self.best[1]})"
                    self.bar.update(self.task, epoch=f"{min(self.now, self.epochs)}/{self.epochs}", best=best)
                break

    def scored(self, metrics: Mapping[str, Any], headlines: Mapping[str, Sequence[str]]) -> None:
        self.close()
        super().scored(metrics, headlines)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


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

    def predicted(self, rows: int, file: str, models: Sequence[str]) -> None:
        self.say("predicted", rows=rows, file=file, models=list(models))

    def exported(self, file: str, model: str, difference: float, rows: Sequence[int], fixed: Mapping[str, int]) -> None:
        self.say("exported", file=file, model=model, difference=difference, rows=list(rows), fixed=dict(fixed))


def close(listener: Listener) -> None:
    """Gives the terminal back, whatever was being drawn on it."""
    if isinstance(listener, Terminal):
        listener.close()
