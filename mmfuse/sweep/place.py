"""A sweep's folder: sweep.json tells all that is needed to go on with it, and each run has a folder in it."""

import json
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse import __version__
from mmfuse.atomic import write_json, write_text
from mmfuse.errors import ConfigError
from mmfuse.record import folder as folders
from mmfuse.record.manifest import now
from mmfuse.record.status import Status
from mmfuse.run.identity import decides, digest
from mmfuse.sweep.plan import Run

FILE = "sweep.json"


def create(outputs: Path, name: str, about: Mapping[str, Any], runs: Sequence[Run], command: str) -> Path:
    """outputs/<name>-sweep-<MMDD-HHMMSS>-<4 hex>; `about` is what was typed, and how it was read."""
    folder = outputs / f"{name}-sweep-{time.strftime('%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        write_text(folder / "overrides.txt", "".join(f"{override}\n" for override in about["overrides"]))
        write_text(folder / "command.sh", f"#!/bin/sh\n{command}\n")
        save(folder, {"created": now(), "version": __version__, **about}, runs)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ConfigError(
            f"the sweep's folder cannot be made in {outputs}: {error.strerror or error}\n"
            "  to go on: output_dir=DIR, a folder that can be written"
        ) from error
    return folder


def save(folder: Path, about: Mapping[str, Any], runs: Sequence[Run]) -> None:
    write_json(folder / FILE, {**about, "runs": [run._asdict() for run in runs]})


def load(folder: Path) -> tuple[dict[str, Any], list[Run]]:
    """What is told of it, and its runs."""
    if not (folder / FILE).exists():
        inside = [str(found.parent) for found in sorted(folder.glob(f"*/{FILE}"))] if folder.is_dir() else []
        advice = f"did you mean {inside[-1]}?" if inside else "such as a folder that mmfuse sweep made"
        raise ConfigError(f"{folder} is not the folder of a sweep: it has no {FILE}\n  {advice}")
    try:
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        runs = [Run(r["folder"], tuple(r["overrides"]), r["differs"], r["identity"]) for r in about.pop("runs")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / FILE} is damaged: {str(error).splitlines()[0]}") from error
    return about, runs


def begin(sweep: Path, run: Run, config: Mapping[str, Any], common: Sequence[str]) -> Path:
    """The run's folder, made unless it is there; `common` are the options, other than overrides, of its command."""
    import yaml

    if digest(decides(config)) != run.identity:
        raise ConfigError(
            f"{run.folder}: its settings are not what they were when the sweep was planned: a config file has changed\n"
            "  to go on: with the files as they were; or a sweep of its own"
        )
    folder = sweep / run.folder
    if Status.read(folder) is None:
        folder.mkdir(exist_ok=True)
        dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's where it was built in
        text = yaml.dump(plain(config), Dumper=dumper, sort_keys=False, allow_unicode=True)
        place = f"cd {shlex.quote(os.getcwd())} && mmfuse train {shlex.join([*common, *run.overrides])}"
        folders.fill(folder, text, "".join(f"{override}\n" for override in run.overrides), place)
    return folder


def plain(part: Any) -> Any:
    """A copy without parts that stand in two places, of which yaml would write one as a reference to the other."""
    if isinstance(part, dict):
        return {key: plain(value) for key, value in part.items()}
    return [plain(value) for value in part] if isinstance(part, list) else part
