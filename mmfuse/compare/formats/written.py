"""A comparison in the format that is asked for. What only HTML needs is imported for HTML only."""

from pathlib import Path

from mmfuse.compare.table import Comparison
from mmfuse.errors import ConfigError

BY_SUFFIX = {".md": "md", ".csv": "csv", ".tex": "tex", ".html": "html", ".json": "json", ".txt": "table"}


def kind_of(file: Path | None) -> str:
    if file is None:
        return "table"
    if file.suffix.lower() not in BY_SUFFIX:
        raise ConfigError(f"-o {file}: what kind of file is this?\n  to go on: --format, or {', '.join(BY_SUFFIX)}")
    return BY_SUFFIX[file.suffix.lower()]


def written(comparison: Comparison, kind: str) -> str:
    if kind == "html":
        from mmfuse.compare.page import page

        return page(comparison)
    if kind == "table":
        from mmfuse.compare.formats.terminal import terminal

        return terminal(comparison)
    from mmfuse.compare.formats.latex import latex
    from mmfuse.compare.formats.markdown import markdown
    from mmfuse.compare.formats.plain import as_csv, as_json

    return {"md": markdown, "tex": latex, "csv": as_csv, "json": as_json}[kind](comparison)
