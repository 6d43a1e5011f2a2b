"""The figures that are told first, beside those of the baselines; and all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.report.blocks import Block, Cell, Entry, Prose, Section, Table
from mmfuse.report.kinds import headline, kind
from mmfuse.report.record import Record
from mmfuse.report.words import figure_cell, interval, known, plural, spread_cell
from mmfuse.wording import moved


def headlines(record: Record) -> Section:
    blocks: list[Block] = []
    for task, table in record.tasks.items():
        caption = f"{task}: " if len(record.tasks) > 1 else ""
        blocks.append(beside_baselines(record, task, caption + how_many(record, table)))
        blocks += [Prose(said, True) for said in oddities(table)]
    if "gain" in record.metrics:
        gain = 100 * record.metrics["gain"]
        blocks.append(Prose(f"{gain:+.1f} % in the mean over tasks, against a model for each task alone."))
    blocks += [Prose(line) for line in moved(record.metrics.get("transfer", {}))]
    return Section("figures", "Test figures", blocks)


def how_many(record: Record, table: Mapping[str, Any]) -> str:
    runs = len(table[headline(table)[0]]["values"])
    spread = f"mean ± sample deviation over {plural(runs, 'run')}" if runs > 1 else "of one run"
    return f"Test rows, {spread}, with 95 % bootstrap intervals"


def beside_baselines(record: Record, task: str, caption: str) -> Table:
    table = record.tasks[task]
    figures = headline(table)
    own = record.config.get("choices", {}).get("fusion") or "this run"
    several = len(record.config["modalities"]) > 1
    named = {f"{own} (this run)" if several else "this run": table}
    named |= {view: about[task] for view, about in record.metrics.get("views", {}).items() if task in about}
    named |= {
        alone(n, record): b["test"][task] for n, b in record.metrics.get("baselines", {}).items() if task in b["test"]
    }
    rows = [[name, *(figure_cell(about[f]) if f in about else None for f in figures)] for name, about in named.items()]
    return Table(["model", *map(short, figures)], rows, caption, strong=(0,))


def alone(name: str, record: Record) -> str:
    return f"{name} alone" if name in record.config["modalities"] else name


def short(figure: str) -> str:
    """
    >>> short("precision_macro"), short("f1_macro")
    ('precision (macro)', 'f1 (macro)')
    """
    for average in ("macro", "micro", "weighted", "samples"):
        if figure.endswith(f"_{average}"):
            return f"{figure.removesuffix(f'_{average}')} ({average})"
    return figure.replace("_", " ")


def oddities(table: Mapping[str, Any]) -> list[str]:
    """What a reader has to know before believing a figure."""
    if kind(table) == "number":
        flat = [value for value in table.get("pearson", {}).get("values", []) if known(value) is None]
        return ["Predictions or targets are constant in some run, so there is no correlation."] if flat else []
    if kind(table) != "classes":
        return []
    support = {c: about["mean"] for c, about in table["per_class"]["support"].items()}
    there, gone = [c for c, n in support.items() if n], [c for c, n in support.items() if not n]
    said = []
    if len(there) == 1:
        said.append(
            f"All test rows are of one class, {there[0]}: accuracy says nothing of how well classes are told apart."
        )
    elif gone:
        names = ", ".join(gone[:8]) + (f" and {len(gone) - 8} more" if len(gone) > 8 else "")
        said.append(f"No test row is of {names}. Such a class counts as 0 in macro averages.")
    for matrix in table["confusion"]["values"]:
        columns = [sum(row[k] for row in matrix) for k in range(len(matrix))]
        if sum(map(bool, columns)) == 1 and len(matrix) > 1:
            constant = list(support)[next(k for k, n in enumerate(columns) if n)]
            said.append(f"In some run every row is said to be {constant}: its predictions are constant.")
            break
    return said


def everything(record: Record) -> Section:
    """Every figure of every task, with each run's value and the validation rows' mean."""
    blocks: list[Block] = []
    for task, table in record.tasks.items():
        val = record.metrics.get("val", {}).get(task, {})
        figures = {name: about for name, about in flat(table).items() if "mean" in about}
        columns = ["figure", "test", "95 % interval", *(r.name for r in record.replicas), "validation"]
        rows = [row(name, about, val.get(name), len(record.replicas)) for name, about in figures.items()]
        blocks.append(Table(columns, rows, task))
    return Section("all-figures", "All figures", blocks)


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Figures that stand in groups, such as those of whole entities, under "group/figure"."""
    found: dict[str, Any] = {}
    for name, about in table.items():
        if "mean" in about:
            found[name] = about
        elif name not in ("per_class", "confusion"):
            found |= {f"{name}/{k}": v for k, v in about.items() if isinstance(v, dict) and "mean" in v}
    return found


def row(name: str, about: Mapping[str, Any], val: Mapping[str, Any] | None, runs: int) -> Sequence[Entry]:
    bounds = about.get("ci95")
    values = [known(value) for value in about["values"]] if len(about["values"]) == runs else [None] * runs
    shown: list[Entry] = [float("nan") if value is None else float(value) for value in values]
    between = Cell(interval(bounds), known(bounds[0]) if bounds else None)
    return [name, spread_cell(about), between, *shown, spread_cell(val) if val else None]
