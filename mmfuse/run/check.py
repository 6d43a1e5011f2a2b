"""All that training does up to its first step, and an audit of the data."""

from mmfuse.listener import Finding, Grade, Listener
from mmfuse.run.build import augment, parts
from mmfuse.run.describe import describe
from mmfuse.run.examine import examine
from mmfuse.run.loader import training_loader
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import divide, load, prepare, whole_rows
from mmfuse.run.settings import advise, check_settings
from mmfuse.run.stacked import refuse_unless_divided
from mmfuse.run.train import set_threads
from mmfuse.run.transfer import refuse_unless_paired
from mmfuse.tasks.losses import losses as losses_of
from mmfuse.types import Batch, Step


def check(cfg: Config, listener: Listener) -> list[Finding]:
    """All that training does up to the first step, which is taken forward and back, and no more."""
    set_threads(cfg)
    examples = load(cfg)
    divided = divide(cfg, examples)
    prepared = prepare(cfg, examples, divided[0][1], forgiving=True)
    divided = whole_rows(cfg, divided, examples, prepared)
    learning = parts(cfg, prepared, cfg["seeds"][0])
    model = learning.model
    augment(cfg, prepared)
    check_settings(cfg, examples, prepared, learning)
    refuse_unless_divided(model, examples, prepared, cfg["tasks"][0])
    refuse_unless_paired(cfg, prepared)
    advise(cfg, learning.objectives.items(), listener)
    listener.described(*describe(cfg, divided, prepared, len(examples), model))
    broken: Grade = "warning" if cfg["dataset"]["missing"]["unreadable"] == "missing" else "error"
    findings = examine(cfg, examples, divided, prepared, thorough=True, broken=broken)
    listener.audited(findings, whole=True)
    alone = {**cfg, "loader": {**cfg["loader"], "workers": 0}}  # one batch, whose errors are best told here
    batch: Batch = next(iter(training_loader(alone, prepared, cfg["seeds"][0])))
    outputs = model(batch.signals)
    losses = losses_of(prepared.tasks, outputs, batch)
    for objective in learning.objectives.values():
        losses |= objective(outputs, batch)
    learns = {
        name: [p for part in modules for p in part.parameters() if p.requires_grad]
        for name, modules in model.parts().items()
    }
    learning.balancer(Step(losses, outputs, batch, prepared.tasks, learns, 0)).backward()
    make(cfg["optimizer"], "optimizer", params=list(model.parameters()))
    told = {name.removeprefix("task/"): float(loss.detach()) for name, loss in losses.items()}
    listener.checked(told, len(batch.rows))
    return findings
