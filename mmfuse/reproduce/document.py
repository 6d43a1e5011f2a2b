"""All tables in one page, from what has been run."""

from collections import Counter
from collections.abc import Sequence

from mmfuse import __version__
from mmfuse.reproduce.shown import Result, markdown

OPENING = """# Published tables, reproduced

Written by `mmfuse reproduce --document`, from the runs that lie here. Published and ours are in percent where they are
shares; "ours" is mean ± sample deviation (seeds); "difference" is ours less the published figure, of half the band's
width; "95 %" the bootstrap interval over test rows; "error" the standard error that a test set of n rows gives.

PASS: inside the band, over five seeds. FAIL: outside of it by more than the test set's size explains, or worse than the
floor, which guessing reaches. UNDERPOWERED: neither can be said. NO DATA: data or weights are not here. NOT BUILT:
mmfuse cannot run it. REFERENCE: none was published."""


def document(results: Sequence[Result]) -> str:
    rows = ["| table | data set | cells |", "|---|---|---|"]
    for result in results:
        tally = Counter(cell.verdict for cell in result.cells)
        said = ", ".join(f"{n} {verdict}" for verdict, n in tally.items())
        rows.append(f"| {result.table.title} | `{result.table.dataset}` | {said} |")
    parts = [f"{OPENING}\n\nmmfuse {__version__}.\n", "\n".join(rows) + "\n"]
    return "\n".join([*parts, *(markdown(result, level=2) for result in results)])
