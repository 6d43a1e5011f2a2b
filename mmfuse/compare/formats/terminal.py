"""As a table on screen, as wide as that is."""

from rich import box
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from mmfuse.compare.grid import grid
from mmfuse.compare.table import Comparison


def terminal(comparison: Comparison, width: int | None = None) -> str:
    """`width` None is that of the terminal; what is not a terminal gets no colour, and lines as long as they are."""
    console = Console(width=width)
    if not console.is_terminal and width is None:
        console = Console(width=10_000)
    with console.capture() as caught:
        for table in comparison.tables:
            words = grid(table)
            title = f"task {table.task}" if len(comparison.tables) > 1 else None
            drawn = Drawn(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
            for place, head in enumerate(words.heads):
                drawn.add_column(Text(head), overflow="fold")
                drawn.columns[place].no_wrap = False
            for row in words.rows:
                drawn.add_row(*(Text(word.text, style="bold" if word.best else "") for word in row))
            console.print(drawn)
        for note in comparison.notes:
            console.print(Text(note))
    return "\n".join(line.rstrip() for line in caught.get().splitlines()) + "\n"
