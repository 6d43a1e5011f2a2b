"""The audit of what has been prepared."""

from mmfuse.audit.prepared import audit_of
from mmfuse.listener import Finding, Grade
from mmfuse.run.make import Config
from mmfuse.run.prepare import Divided, Prepared, kinds
from mmfuse.types import Examples


def examine(
    cfg: Config, examples: Examples, divided: Divided, prepared: Prepared, thorough: bool, broken: Grade = "warning"
) -> list[Finding]:
    """What there is to know of the rows; `broken` is how grave a file is that cannot be read."""
    return audit_of(
        examples,
        [split for _, split in divided],
        kinds(cfg),
        prepared.columns,
        prepared.preparations,
        prepared.present,
        prepared.unreadable,
        broken,
        thorough,
    )
