"""Where what frozen encoders said is kept, and what there is. Nothing heavy is imported."""

import json
import os
import shlex
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.errors import ConfigError

ABOUT, PARTS = "about.json", "parts"


def root() -> Path:
    """$MMFUSE_CACHE, else ~/.cache/mmfuse."""
    return Path(os.environ.get("MMFUSE_CACHE") or Path.home() / ".cache" / "mmfuse").expanduser()


class Kept(NamedTuple):
    """An entry of the cache: what one encoder said of one modality's values."""

    key: str
    folder: Path
    about: dict[str, Any]  # "what", "values", "dim", "finished"; without the last where a pass was cut off
    bytes: int
    used: float  # seconds since 1970


def kept() -> list[Kept]:
    """The latest used first."""
    if not root().is_dir():
        return []
    found = []
    for folder in root().iterdir():
        about = described(folder)
        if about is not None:
            files = [file.stat() for file in folder.rglob("*") if file.is_file()]
            used = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
            found.append(Kept(folder.name, folder, about, sum(file.st_size for file in files), used))
    return sorted(found, key=lambda entry: -entry.used)


def described(folder: Path) -> dict[str, Any] | None:
    """None where the folder is not one of the cache's, which is left alone."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and {"what", "values"} <= about.keys() else None


def table(entries: Sequence[Kept]) -> str:
    if not entries:
        return f"{root()} holds nothing"
    lines = [f"{'key':<12}  {'values':>9}  {'dim':>5}  {'size':>8}  {'last used':<16}  what"]
    for entry in entries:
        about = entry.about
        dim = str(about.get("dim", "-"))
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        what = about["what"] + ("" if about.get("finished") else "   (cut off; the next run goes on)")
        lines.append(
            f"{entry.key[:12]:<12}  {about['values']:>9}  {dim:>5}  {size(entry.bytes):>8}  {used:<16}  {what}"
        )
    return "\n".join([*lines, f"{size(sum(entry.bytes for entry in entries))} in {root()}"])


def clear(keys: Sequence[str]) -> list[Kept]:
    """Removes the entries whose keys begin so, or all where none is given; says which."""
    entries = kept()
    for key in keys:
        if not key or not any(entry.key.startswith(key) for entry in entries):
            raise ConfigError(f"cache clear {shlex.quote(key)}: there is no such key\n  see: mmfuse cache list")
    gone = [entry for entry in entries if not keys or entry.key.startswith(tuple(keys))]
    for entry in gone:
        try:
            remove(entry.folder)
        except OSError as error:
            raise ConfigError(f"{entry.folder} cannot be removed: {error.strerror or error}") from error
    return gone


def remove(folder: Path) -> None:
    """Whole or not at all to whoever looks: it is renamed first."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    os.replace(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def size(count: int) -> str:
    """
    >>> size(999), size(2_500_000), size(3 * 10**9)
    ('1 kB', '2.5 MB', '3.0 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{max(1, round(count / 1000)) if count else 0} kB"
