"""Figures in words: one line for a figure, a verdict, what carried over from one modality to another."""

from collections.abc import Mapping, Sequence
from typing import Any


def number(value: float | None) -> str:
    """
    >>> number(0.9561), number(1.0), number(12.3456), number(None)
    ('.956', '1.000', '12.346', 'n/a')
    """
    if value is None:  # what a file has for a number that there is not
        return "n/a"
    return f"{value:.3f}".removeprefix("0") if 0 <= value < 1 else f"{value:.3f}"


def figure(name: str, about: Mapping[str, Any], full: bool) -> str:
    """
    >>> figure("precision_macro", {"mean": 0.5, "std": float("nan"), "ci95": [0.4, 0.6]}, full=True)
    'precision .500 [.400, .600]'
    """
    name = name if name == "f1_macro" else name.removesuffix("_macro")
    known = about["std"] is not None and about["std"] == about["std"]  # NaN, and null in a file, of a single run
    spread = f" ± {number(about['std'])}" if full and known else ""
    interval = f" [{', '.join(number(bound) for bound in about['ci95'])}]" if full else ""
    return f"{name} {number(about['mean'])}{spread}{interval}"


def judged(task: str, table: Mapping[str, Any]) -> str:
    """
    >>> about = {"value": 0.875, "difference": 0.081, "ci95": [0.052, 0.11], "p_holm": 0.0002, "detectable": 0.03}
    >>> print(judged("", {"figure": "accuracy", "best": "image", "verdict": "HELPS", "against": {"image": about}}))
    fusion HELPS: accuracy +.081 [+.052, +.110] over the best single modality (image, .875), p = .0002
    """
    about = table["against"][table["best"]]
    change, low, high = (signed(value) for value in (about["difference"], *about["ci95"]))
    p = f"p = {about['p_holm']:.4f}".replace("0.", ".") if about["p_holm"] >= 1e-4 else "p < .0001"
    over = f"the best single modality ({table['best']}, {number(about['value'])})"
    said = f"{table['figure']} {change} [{low}, {high}] over {over}, {p}"
    short = f"; these test rows can show {number(about['detectable'])}" if table["verdict"] == "NO EVIDENCE" else ""
    evidence = "NO EVIDENCE that it helps" if table["verdict"] == "NO EVIDENCE" else table["verdict"]
    return f"fusion{f' for {task}' if task else ''} {evidence}: {said}{short}"


def signed(value: float) -> str:
    """
    >>> signed(0.0812), signed(-0.5)
    ('+.081', '-.500')
    """
    return f"{value:+.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:+.3f}"


def moved(transfer: Mapping[str, Any]) -> list[str]:
    """What was learned from one modality and asked of another, and what finds what."""
    lines = []
    for task, directions in transfer.get("tasks", {}).items():
        for direction, table in directions.items():
            said = "   ".join(f"{name.replace('_', ' ')} {number(about['mean'])}" for name, about in table.items())
            lines.append(f"transfer {task}, {direction}   {said}")
    for pair, table in transfer.get("retrieval", {}).items():
        shown = ("r@1", "r@5", "r@10", "mrr", "shuffled_mrr")
        said = "   ".join(f"{name.replace('_', ' ')} {number(table[name]['mean'])}" for name in shown)
        gallery = next(about["mean"] for name, about in table.items() if name.endswith("/gallery"))
        lines.append(f"retrieval, {pair}   {said}   of {gallery:.0f}")
    return lines


def curve_lines(table: Mapping[str, Any]) -> list[str]:
    """Of each curve its levels, and under them the figure; a late fusion's beside it, where it was asked, too.

    >>> curve = {"levels": [0.0, 0.5], "unit": "share of words", "values": [0.9, 0.7], "std": [0.01, 0.02], "area": 0.8}
    >>> tasks = {"mood": {"text": {"words": curve}}}
    >>> about = {"split": "test", "rows": 40, "figure": {"mood": "accuracy"}, "tasks": tasks}
    >>> print("\\n".join(line.rstrip() for line in curve_lines(about)))
    test, 40 rows: accuracy, ± from run to run or draw to draw
    text words               0            0.5          area   share of words
                             .900 ± .010  .700 ± .020  .800
    """
    said = f"{table['split']}, {table['rows']} rows"
    lines = []
    for task, by_modality in table["tasks"].items():
        name = f"{task} " if len(table["tasks"]) > 1 else ""
        lines.append(f"{said}: {name}{table['figure'][task]}, ± from run to run or draw to draw")
        for modality, by_kind in by_modality.items():
            for kind, about in by_kind.items():
                levels = ["none" if level is None else f"{level:g}" for level in about["levels"]]
                lines.append(curve_line(f"{modality} {kind}", [*levels, "area"], about["unit"]))
                lines.append(curve_line("", heights(about), ""))
                if "late" in table:
                    robust = table["robustness"][task][modality][kind]["effective"]
                    late = table["late"][task][modality][kind]
                    lines.append(curve_line("  late fusion", heights(late), f"effective robustness {signed(robust)}"))
    return lines


def heights(about: Mapping[str, Any]) -> list[str]:
    each = zip(about["values"], about["std"], strict=True)
    return [
        *(f"{number(v)} ± {number(s)}" if s is not None and s == s else number(v) for v, s in each),
        number(about["area"]),
    ]


def curve_line(label: str, cells: Sequence[str], said: str) -> str:
    return f"{label:<23}  {'  '.join(f'{cell:<11}' for cell in cells[:-1])}  {cells[-1]:<5}  {said}"
