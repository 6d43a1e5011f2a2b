"""A run's data, ready to be trained on. Runs that differ in nothing that touches them share it."""

from functools import cached_property
from pathlib import Path
from typing import Any

from mmfuse.listener import Finding, Listener
from mmfuse.record.facts import facts
from mmfuse.run.examine import examine
from mmfuse.run.make import Config
from mmfuse.run.prepare import Divided, Prepared, divide, load, prepare, whole_rows
from mmfuse.run.settings import rehearse
from mmfuse.types import Examples


class Opened:
    def __init__(self, cfg: Config, examples: Examples, divided: Divided, prepared: Prepared):
        """`prepared` is the first split's."""
        self.cfg, self.examples, self.divided, self.prepared = cfg, examples, divided, prepared

    @cached_property
    def findings(self) -> list[Finding]:
        return examine(self.cfg, self.examples, self.divided, self.prepared, thorough=False)

    @cached_property
    def facts(self) -> dict[str, Any]:
        prepared = self.prepared
        found = facts(self.examples, [split for _, split in self.divided], prepared.missing, prepared.unreadable)
        return found if prepared.stream is None else found | {"stream": prepared.stream.facts()}


def opened(cfg: Config, folder: Path, listener: Listener) -> Opened:
    examples = load(cfg)
    divided = divide(cfg, examples)

    def ready(so_far: Prepared) -> None:
        """Long before training: frozen encoders may take hours."""
        rehearse(cfg, examples, so_far, folder)
        listener.opened(folder.name)

    prepared = prepare(cfg, examples, divided[0][1], listener=listener, ready=ready)
    return Opened(cfg, examples, whole_rows(cfg, divided, examples, prepared), prepared)
