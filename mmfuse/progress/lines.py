"""For a log: plain text, one line an epoch."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mmfuse import __version__
from mmfuse.audit import shown
from mmfuse.listener import Finding, Listener
from mmfuse.wording import contribution_lines, curve_lines, figure, judged, moved, number

SHOWN = 4  # validation scores a line
WIDTH = 100  # of a table that is not written to a terminal


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

    def contributed(self, table: Mapping[str, Any]) -> None:
        self.write("\n".join(contribution_lines(table)))

    def predicted(self, rows: int, file: str, models: Sequence[str]) -> None:
        by = models[0] if len(models) == 1 else f"the mean of {len(models)} models ({', '.join(models)})"
        self.write(f"predicted {rows} rows by {by}\nsaved {file}")

    def exported(self, file: str, model: str, difference: float, rows: Sequence[int], fixed: Mapping[str, int]) -> None:
        for modality, steps in fixed.items():
            self.advised(modality, f"exported for exactly {steps} steps: pad to them, with a mask of False")
        batches = " and ".join(map(str, rows))
        self.write(f"exported {model}; run on {batches} test rows, it is within {difference:.1g} of the model")
        self.write(f"saved {file} and {file}.json")
