"""Each modality's own losses, through the model that hears it alone."""

import pytest
import torch
from torch.nn import functional as F

from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.mean import MeanFusion
from mmfuse.models.late import LateFusion
from mmfuse.objectives.unimodal import Unimodal
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Batch, Signal


def test_is_the_cross_entropy_of_each_head_over_the_rows_that_have_the_modality():
    """Of late fusion by the mean, what the model says from one modality is its own head's."""
    torch.manual_seed(0)
    tasks = {"t": Multiclass(["a", "b", "c"])}
    model = LateFusion({"text": MLP(4, 5), "audio": MLP(3, 5)}, tasks, MeanFusion).eval()
    present = {"text": torch.tensor([True, True, False, True]), "audio": torch.tensor([True, False, True, True])}
    signals = {m: Signal.vector(torch.randn(4, d), present[m]) for m, d in (("text", 4), ("audio", 3))}
    target = torch.tensor([0, 2, 1, -1])
    objective = Unimodal({"text": 5, "audio": 5}, tasks, weight=0.5)
    losses = objective(model(signals), Batch(signals, {"t": target}, torch.arange(4)))
    assert tuple(losses) == objective.names
    for m, rows in (("text", [0, 1]), ("audio", [0, 2])):
        said = model.heads[m]["t"](model.encoders[m](signals[m]).pooled())[rows]
        expected = 0.5 * F.cross_entropy(said, target[rows])
        assert losses[f"unimodal/{m}-t"].item() == pytest.approx(expected.item())
