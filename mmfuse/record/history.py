"""history.csv: a row an epoch."""

import csv
from collections.abc import Mapping
from pathlib import Path

from mmfuse.atomic import write
from mmfuse.ranks import here


class History:
    def __init__(self, path: Path, begun: int = 0):
        """`begun`: how many epochs are known already, from the file as it was left."""
        self.path, self.rows = path, list[Mapping[str, float | int | str]]()
        if begun:
            with open(path, newline="", encoding="utf-8") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) < begun]

    def add(self, figures: dict[str, float | int]) -> None:
        self.rows.append(figures)
        if here().first:
            write(self.path, self.fill)

    def fill(self, path: Path) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
