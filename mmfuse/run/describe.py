"""The opening lines: what the data are, and what is trained on them."""

from torch import nn

from mmfuse.data import splits
from mmfuse.data.order import Order
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.ranks import here
from mmfuse.run.make import Config
from mmfuse.run.prepare import Divided, Prepared
from mmfuse.types import Model


def describe(cfg: Config, divided: Divided, prepared: Prepared, rows: int, model: Model) -> tuple[str, str]:
    """The opening lines: what the data are, and what is trained on them."""
    shares, about = [], cfg["dataset"]["missing"]
    fate = {"mask": "masked", "drop": "left out", "fill": f"filled by {about['fill']}"}[about["policy"]]
    for m, missing in prepared.missing.items():
        broken = f", {len(prepared.unreadable[m])} of them not found or unreadable" if prepared.unreadable[m] else ""
        lacking = f" ({missing} missing{broken} -> {fate})" if missing else ""
        shares.append(f"{m} {100 * (1 - missing / rows):.0f} %{lacking}")
    split = divided[0][1]
    folded = f" in each of {len(divided)} folds" if len(divided) > 1 else ""
    data = f"{cfg['choices']['dataset']}   {rows} rows -> {splits.counts(split)}{folded}   {'  '.join(shares)}"
    data += "".join(f"   {m}: {said}" for m, p in prepared.preparations.items() if (said := p.said()))
    if prepared.stream is not None:
        known = "" if prepared.stream.rows is None else f"{prepared.stream.rows} "
        data += f"   trained on {known}rows that stream, fitted on {len(split.train)} of them"
    if (imbalance := cfg["choices"]["imbalance"]) != "none":
        changed = f": {len(split.train)} -> {len(prepared.seen)} training rows an epoch"
        data += f"   {imbalance}{changed * (len(prepared.seen) != len(split.train))}"
    encoders = " + ".join(f"{m}[{cfg['encoder'][m]['name']}{held(prepared, model, m)}]" for m in cfg["modalities"])
    parameters = sum(p.numel() for p in model.parameters()) - sum(of_frozen(e) for e in model.encoders.values())
    level = "" if cfg["choices"]["model"] == "feature" else f" ({cfg['choices']['model']})"
    if (completion := cfg["choices"]["completion"]) != "none":
        encoders += f" -> {completion}"
    said = f"{encoders} -> {cfg['choices']['fusion']}{level} -> {', '.join(cfg['tasks'])}"
    return data, f"{said}   {count(parameters)} parameters{together(cfg, prepared)}"


def together(cfg: Config, prepared: Prepared) -> str:
    """Of several devices: what a step is made of, and what they leave out."""
    ranks = here().ranks
    if ranks == 1:
        return ""
    batch = cfg["batch_size"]
    order = Order(prepared.seen, batch, 0, here())
    rest = f", {order.left_out} rows left over of each epoch" * bool(order.left_out and prepared.stream is None)
    return f"   {ranks} devices x {batch} rows = {ranks * batch} rows a step, the learning rate not scaled{rest}"


def held(prepared: Prepared, model: Model, modality: str) -> str:
    """What is never trained, whether it is still part of the model or was run before."""
    done = prepared.encoded.get(modality)
    parameters = done.parameters if done else of_frozen(model.encoders[modality])
    return f", frozen, {count(parameters)}" if parameters else ""


def of_frozen(encoder: nn.Module) -> int:
    return sum(p.numel() for p in encoder.parameters()) if isinstance(encoder, Pretrained) and encoder.frozen else 0


def count(parameters: int) -> str:
    return f"{parameters / 1000:.0f} k" if parameters < 10_000_000 else f"{parameters / 1_000_000:.0f} M"
