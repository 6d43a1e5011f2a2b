"""What the frozen encoders of a sweep's runs say, each once, before the first run starts. Torch is not imported.

Without this, runs that start together would share the work out by locks, and all slots would wait for it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.run.identity import digest
from mmfuse.sweep.place import plain

LOG = "encoding.log"  # in the sweep's folder: what went wrong
IDLE = ("lr",)  # of an encoder: what decides nothing of what it says while it is frozen


class Job(NamedTuple):
    """One config of those that need the same, and the modalities whose encoders are to be asked."""

    config: Mapping[str, Any]
    modalities: list[str]


def needed(configs: Iterable[Mapping[str, Any]]) -> list[Job]:
    """What no config before it needs already; nothing of encoders that learn, or that keep nothing in the cache."""
    known, found = set[str](), list[Job]()
    for config in configs:
        new = []
        for modality, about in config["encoder"].items() if config["cache"] else ():
            if about.get("freeze") is not True or about.get("unfreeze_at") is not None:
                continue
            key = digest(modality, decides(config), {k: v for k, v in about.items() if k not in IDLE})
            if key not in known:
                known.add(key)
                new.append(modality)
        if new:
            found.append(Job(config, new))
    return found


def decides(config: Mapping[str, Any]) -> list[Any]:
    """What, besides the encoder, decides which rows are read and how they are encoded."""
    return [config[key] for key in ("dataset", "tasks", "folds", "encoding")] + [config["trainer"]["accelerator"]]


def make(sweep: Path, jobs: Sequence[Job], allow: Sequence[str], quiet: bool, as_json: bool) -> int:
    """In a process of its own, which speaks as a run does. Its exit code: 0 where all are there."""
    import yaml

    about = json.dumps({"allow": list(allow), "quiet": quiet, "json": as_json})
    command = [sys.executable, "-m", "mmfuse.sweep.leash", str(os.getpid())]
    command += [sys.executable, "-m", "mmfuse.sweep.encoding", about]
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's where it was built in
    text = yaml.dump([plain(job._asdict()) for job in jobs], Dumper=dumper, sort_keys=False, allow_unicode=True)
    with open(sweep / LOG, "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, start_new_session=True)
    try:
        process.communicate(text.encode())
    except BaseException:
        process.terminate()  # what it has encoded is kept
        process.wait()
        raise
    if process.returncode == 0:
        (sweep / LOG).unlink()
    return process.returncode
