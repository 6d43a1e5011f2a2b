"""For a terminal: a live bar."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmfuse.progress.lines import Lines
from mmfuse.wording import number


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
