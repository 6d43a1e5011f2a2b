"""Where a finished run's model attends in some rows: over their words, patches, frames or steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.contribution.encodings import moved
from mmfuse.data.batches import Batches
from mmfuse.encoders.patches import Patches
from mmfuse.explanation.attention import attended
from mmfuse.explanation.parts import parts
from mmfuse.run.make import Config
from mmfuse.run.prepare import kinds
from mmfuse.run.reopened import Reopened
from mmfuse.types import Examples

AT_ONCE = 16  # rows


def attending(
    cfg: Config, one: Reopened, examples: Examples, rows: Mapping[str, Sequence[int]]
) -> list[dict[str, Any]]:
    """`rows` by task. Attention is not a task's own; a row that is chosen for several is told for each."""
    every = sorted({row for some in rows.values() for row in some})
    device = next(one.model.parameters()).device
    fetched = Batches(one.prepared.columns, one.prepared.targets)
    known: dict[int, list[dict[str, Any]]] = {}
    for start in range(0, len(every), AT_ONCE):
        batch = fetched[every[start : start + AT_ONCE]]
        found = attended(one.model, moved(batch.signals, device))
        for k, row in enumerate(batch.rows.tolist()):
            known[row] = []
            for m, (weights, mask) in found.items():
                read, steps = batch.signals[m], int(mask[k].sum())
                if not steps:
                    continue
                shape = () if isinstance(one.model.encoders[m], Patches) else tuple(read.data.shape[2:])
                about = (kinds(cfg)[m], examples.raw[m][row], one.prepared.preparations[m])
                told = parts(*about, int(read.mask[k].sum()), steps, shape)
                own = [round(float(weight), 4) for weight in weights[k][mask[k]].tolist()]
                known[row].append({"modality": m, **told._asdict(), "weights": own})
    return [
        {"row": examples.ids[row], "task": t, **about}
        for t, some in rows.items()
        for row in some
        for about in known[row]
    ]
