"""Every encoder, under a linear layer, learns 64 rows of its kind by heart: random inputs with random labels.

By heart, because that takes gradients that point the right way all through it and enough to learn with, and no luck
with the data. A rate that suits and how many steps it may take stand in SPEED, where they are not the usual ones.
"""

import pytest
import torch
import torch.nn.functional as F
from encoder_inputs import CONFIGS, encoder_id, reads
from torch import nn

from mmfuse.types import Signal

ROWS, CLASSES = 64, 4
USUAL = (3e-3, 300)  # rate, steps
SPEED: dict[str, tuple[float, int]] = {f"audio/{front}_gru": (1e-2, 300) for front in ("mel", "mfcc", "stft")}
WIDE = 64  # features of what is linear in them: as many as rows, which any labels are then linear in
LINEAR = {f"{kind}/{name}" for kind in ("vector", "sequence", "tabular") for name in ("identity", "linear")}


@pytest.mark.parametrize("config", CONFIGS, ids=encoder_id)
def test_learns_64_rows_by_heart(config, build):
    name, about = f"{config.parent.name}/{config.stem}", reads(config)
    most = max(about.lengths)
    lengths = torch.randint((most + 1) // 2, most + 1, (ROWS,))  # long enough for no two rows to be the same
    data = about.data(ROWS, most)
    if name in LINEAR:
        data, about = torch.randn(ROWS, most, WIDE), about._replace(size=WIDE)
    signal = Signal(data, torch.arange(most) < lengths[:, None])
    labels = torch.randint(CLASSES, (ROWS,))
    encoder = build(config, size=about.size, keys=about.keys(), **about.parts())
    head = nn.Linear(encoder.dim, CLASSES)
    rate, steps = SPEED.get(name, USUAL)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=rate)
    right = 0.0
    for step in range(1, steps + 1):
        encoder.train()
        loss = F.cross_entropy(head(encoder(signal).pooled()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            with torch.no_grad():
                right = (head(encoder.eval()(signal).pooled()).argmax(dim=1) == labels).float().mean().item()
            if right >= 0.99:
                return
    pytest.fail(f"{right:.0%} of {ROWS} rows after {steps} steps")
