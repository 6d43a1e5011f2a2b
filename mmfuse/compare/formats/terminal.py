"""As a table on screen, as wide as that is."""

from rich import box
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from mmfuse.compare.grid import Grid, grid
from mmfuse.compare.table import Comparison

ENDLESS = 10_000  # columns: what is not a terminal gets lines as long as they are
NARROWEST = 10  # of a name or a setting that is broken into lines


def terminal(comparison: Comparison, width: int | None = None) -> str:
    """`width` None is that of the terminal.

    Where lines are too long for it, intervals stand under their figures; where that is not enough, tests stand in a
    table of their own.
    """
    screen = Console(width=width)
    console = screen if screen.is_terminal or width else Console(width=ENDLESS)
    with console.capture() as caught:
        for table in comparison.tables:
            title = f"task {table.task}" if len(comparison.tables) > 1 else None
            for part in fitting(grid(table), len(table.metrics), console):
                console.print(drawn(part, title, apart=not fits(part, False, console)))
        for note in comparison.notes:
            console.print(Text(note))
    return "\n".join(line.rstrip() for line in caught.get().splitlines()) + "\n"


def fitting(words: Grid, metrics: int, console: Console) -> list[Grid]:
    """The table; or its figures, and the tests of each by themselves."""
    if fits(words, True, console) or len(words.numbers) == metrics:
        return [words]
    known, tests = range(words.numbers[0] + metrics), words.numbers[metrics:]
    return [some(words, list(known)), *(some(words, [0, *tests[n : n + 3]]) for n in range(0, len(tests), 3))]


def some(words: Grid, places: list[int]) -> Grid:
    """With these columns only."""
    numbers = [n for n, place in enumerate(places) if place in words.numbers]
    rows = [[row[place] for place in places] for row in words.rows]
    return Grid([words.heads[place] for place in places], rows, numbers)


def fits(words: Grid, apart: bool, console: Console) -> bool:
    measured = console.measure(drawn(words, None, apart), options=console.options.update(width=ENDLESS))
    return (measured.minimum if apart else measured.maximum) <= console.width


def drawn(words: Grid, title: str | None, apart: bool) -> Drawn:
    """Names and settings are broken where they have to be, figures only between a value and its interval."""
    table = Drawn(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1))
    for place, head in enumerate(words.heads):
        longest = max(len(text) for text in (head, *(row[place].text for row in words.rows)))
        least = None if place in words.numbers else min(NARROWEST, longest)
        table.add_column(Text(head), overflow="fold", no_wrap=place in words.numbers, min_width=least)
    for row in words.rows:
        texts = [word.text.replace(" [", "\n[") if apart else word.text for word in row]
        table.add_row(*(Text(text, style="bold" if word.best else "") for text, word in zip(texts, row, strict=True)))
    return table
