"""2x2 max-pooling that drops an odd last row or column, as the published networks do; a side of one place stays."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Halve(nn.Module):
    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C h w"]:
        return F.max_pool2d(maps, (min(2, maps.shape[2]), min(2, maps.shape[3])))
