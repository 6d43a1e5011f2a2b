"""Every fusion computes what plain torch of a few lines does, with the same weights, whatever is missing or padded."""

from pathlib import Path

import pytest
import rivals
import torch

from mmfuse.types import Signal

CONFIGS = Path(__file__).parents[1] / "configs/fusion"


@pytest.mark.parametrize("name", sorted(rivals.RIVALS))
def test_is_what_plain_torch_computes(name, build):
    ours = build(CONFIGS / f"{name}.yaml", dims={f"m{k}": rivals.D for k in range(rivals.M)}).eval()
    rival = rivals.rival_of(name, ours).eval()
    rows, steps = 12, 7 if name in rivals.STEPS else 1
    there = torch.rand(rows, rivals.M) < 0.6
    there[0], there[1] = False, True
    lengths = torch.randint(1, steps + 1, (rows, 1))  # of all modalities: some methods ask for that
    data = [torch.randn(rows, steps, rivals.D) for _ in range(rivals.M)]
    masks = [(torch.arange(steps) < lengths) & there[:, k, None] for k in range(rivals.M)]
    found = ours.fuse({f"m{k}": Signal(*signal) for k, signal in enumerate(zip(data, masks, strict=True))})
    expected = rival(data if name in rivals.STEPS else [x.squeeze(1) for x in data], masks)
    if isinstance(expected, tuple):
        expected, losses = expected
        torch.testing.assert_close(sum(found.losses.values()), losses)
    anything = there.any(dim=1)  # rows without any are constants that nothing reads
    torch.testing.assert_close(found.signal.data[anything, 0], expected[anything], atol=1e-5, rtol=1e-4)
    assert found.signal.mask[:, 0].tolist() == anything.tolist()
