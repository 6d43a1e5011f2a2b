"""As LaTeX, for a paper that uses booktabs: a tabular a task, the best in bold."""

from mmfuse.compare.grid import Word, grid
from mmfuse.compare.table import Comparison

SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "↓": r"$\downarrow$",
    "–": "--",
}


def latex(comparison: Comparison) -> str:
    parts = ["% needs \\usepackage{booktabs}"]
    for table in comparison.tables:
        words = grid(table)
        kinds = "".join("r" if place in words.numbers else "l" for place in range(len(words.heads)))
        rows = [f"  {' & '.join(cell(word) for word in row)} \\\\" for row in words.rows]
        heads = f"  {' & '.join(escaped(head) for head in words.heads)} \\\\"
        lines = [f"% task {table.task}", rf"\begin{{tabular}}{{{kinds}}}", r"  \toprule", heads, r"  \midrule"]
        parts.append("\n".join([*lines, *rows, r"  \bottomrule", r"\end{tabular}"]))
    said = [rf"\par {{\footnotesize {escaped(note)}}}" for note in comparison.notes]
    return "\n".join([*parts, *said]) + "\n"


def cell(word: Word) -> str:
    return rf"\textbf{{{escaped(word.text)}}}" if word.best else escaped(word.text)


def escaped(text: str) -> str:
    r"""
    >>> escaped("f1_macro 50 % ±")
    'f1\\_macro 50 \\% $\\pm$'
    """
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(text.split()))
