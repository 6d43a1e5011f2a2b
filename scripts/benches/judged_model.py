"""A model and rows that judging is timed on: vectors of 32 numbers, gated, as the default fuses them."""

import torch

from benches.held import prepared
from mmfuse.data.columns import Stored
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.gated import GatedFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.prepare import Prepared
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Encoder, Model, Ragged

ROWS, CLASSES = 2000, 10
TASK = Multiclass([str(k) for k in range(CLASSES)])


def model(modalities: int) -> tuple[Model, Prepared]:
    torch.manual_seed(0)
    names = [f"m{k}" for k in range(modalities)]
    encoders: dict[str, Encoder] = {m: MLP(32) for m in names}
    columns = {m: Stored(Ragged(torch.randn(ROWS, 32), torch.ones(ROWS, dtype=torch.long))) for m in names}
    about = prepared(dict(columns), {"kind": torch.randint(CLASSES, (ROWS,))}, ROWS)
    return FeatureFusion(encoders, {"kind": TASK}, GatedFusion), about
