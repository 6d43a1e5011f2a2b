"""A guess as a commented yaml file, and as lines to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mmfuse.guess.guess import Guesses


def as_yaml(guesses: Guesses, table: Path, rows: int, encoding: str = "utf-8") -> str:
    """What stands in configs/dataset/NAME.yaml."""
    why = {g.source: g.why for g in guesses.each}
    lines = [
        f"# {comment(table.name)}, {rows} rows: what mmfuse init took its columns for, and why.",
        "# Every line may be changed. Kinds of modality: text, image, audio, video, vector, sequence, tabular.",
        "# Kinds of task: multiclass, multilabel, regression, tokens, pairs. More: mmfuse show dataset/table.",
        "# What is missing is masked; dataset.missing.policy=drop leaves such rows out, and =fill fills it in.",
        "defaults: [table]",
        f"file: {flow(table.name)}",
        f"root: {flow(str(table.parent.resolve()))}",
    ]
    if encoding != "utf-8":
        lines.append(f"encoding: {flow(encoding)}")
    if (name := guesses.first("id")) is not None:
        lines.append(f"id: {flow(name)}  # {comment(why[name])}")
    lines.append("modalities:")
    lines += [f"  {flow(m)}: {flow(about)}{reason(m, about, why)}" for m, about in guesses.modalities.items()]
    lines.append("tasks:  # the first is learned; the others by tasks=[NAME]")
    lines += [f"  {flow(t)}: {flow(about)}{reason(t, about, why)}" for t, about in guesses.tasks.items()]
    lines += split_lines(guesses, why)
    left = [g for g in guesses.each if g.role == "left out"]
    lines += ["# Left out:", *(f"#   {comment(g.source)}: {comment(g.why)}" for g in left)] if left else []
    return "\n".join(lines) + "\n"


def split_lines(guesses: Guesses, why: Mapping[str, str]) -> list[str]:
    part = guesses.first("split")
    inside = [f"  column: {flow(part)}  # {comment(why[part])}"] if part is not None else []
    if guesses.apart is not None:
        inside.append(
            f"  group: {flow(guesses.apart)}  # some classes have too few rows to be dealt out by class; so these stay"
            " together"
        )
    others = [g.source for g in guesses.each if g.groups and g.source != guesses.apart]
    if part is not None:
        said = "  # group: {}  # for validation rows or folds: rows of one value then stay together"
    else:
        said = "  # group: {}  # if rows of one value are alike, this keeps them on one side of the split"
    notes = [said.format(flow(source)) for source in others]
    return ["split:" if inside else "# split:", *inside, *notes] if inside or notes else []


def reason(name: str, about: Mapping[str, Any], why: Mapping[str, str]) -> str:
    if "columns" in about:
        return "".join(f"\n    # {comment(column)}: {comment(why[column])}" for column in about["columns"])
    source = f"{about['file']}:{about.get('key', '')}".rstrip(":") if "file" in about else about.get("column", name)
    said = why.get(about.get("file_column", source))
    return f"  # {comment(said)}" if said else ""


def flow(value: Any) -> str:
    """One line of yaml.

    >>> flow("no"), flow({"kind": "text", "column": "a: b"}), flow("text")
    ("'no'", "{kind: text, column: 'a: b'}", 'text')
    """
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return dumped.removesuffix("\n").removesuffix("\n...")


def comment(text: str) -> str:
    """On one line, and not to be taken for a key's type, which a bar would be."""
    return " ".join(text.split()).replace("|", "/")


def as_lines(guesses: Guesses, file: Path, rows: int) -> str:
    """What was guessed of each column, with the reason."""
    said = [(g.source, f"{g.role} ({g.kind})" if g.kind else g.role, comment(g.why)) for g in guesses.each]
    width, roles = (max(len(row[k]) for row in said) for k in (0, 1))
    lines = [f"{file.name}: {rows} rows, {len(said)} columns and arrays"]
    return "\n".join(lines + [f"  {a:<{width}}  {b:<{roles}}  {c}" for a, b, c in said])
