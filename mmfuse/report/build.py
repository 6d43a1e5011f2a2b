"""The sections of one run's report, in order."""

from collections.abc import Mapping
from typing import Any

from mmfuse.report.again import again
from mmfuse.report.audit import audit
from mmfuse.report.blocks import Section
from mmfuse.report.confusion import confusion
from mmfuse.report.contributions import contributions
from mmfuse.report.cost import cost
from mmfuse.report.headline import everything, headlines
from mmfuse.report.learning import learning
from mmfuse.report.missing import missing
from mmfuse.report.noise import noise
from mmfuse.report.per_class import per_class
from mmfuse.report.record import Record
from mmfuse.report.reliability import reliability
from mmfuse.report.residuals import residuals
from mmfuse.report.settings import settings
from mmfuse.report.space import space
from mmfuse.report.verdict import verdict
from mmfuse.report.weights import attention, gradients, weights
from mmfuse.report.worst import worst

SECTIONS = (
    *(verdict, headlines, learning, confusion, per_class, reliability, residuals),
    *(contributions, missing, noise, gradients, weights, attention, space, worst),
    *(audit, cost),
)


def sections(record: Record, defaults: Mapping[str, Any] | None, undefaulted: str = "") -> list[Section]:
    found = [section(record) for section in SECTIONS]
    return [*found, settings(record, defaults, undefaulted), again(record), everything(record)]


def about(record: Record) -> str:
    """The line under the title."""
    choices = record.config.get("choices", {})
    modalities = " + ".join(record.config["modalities"])
    parts = [
        choices.get("dataset"),
        modalities,
        choices.get("fusion") if len(record.config["modalities"]) > 1 else None,
    ]
    return " · ".join([*filter(None, parts), ", ".join(record.tasks), str(record.manifest.get("created", ""))[:10]])
