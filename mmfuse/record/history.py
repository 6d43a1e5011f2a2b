"""history.csv: a row an epoch."""

import csv
from pathlib import Path

from mmfuse.atomic import write


class History:
    def __init__(self, path: Path):
        self.path, self.rows = path, list[dict[str, float | int]]()

    def add(self, figures: dict[str, float | int]) -> None:
        self.rows.append(figures)
        write(self.path, self.fill)

    def fill(self, path: Path) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
