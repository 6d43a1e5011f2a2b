"""Multimodal Compact Bilinear pooling: a random projection of all products of features, without building them.

Fukui et al., Multimodal Compact Bilinear Pooling for Visual Question Answering and Visual Grounding, 2016,
https://arxiv.org/abs/1606.01847. A count sketch adds feature i, times a random sign s_i, to a random place h_i of
`sketch` many. The circular convolution of the modalities' sketches, a product of their Fourier transforms, is the
sketch of their outer product with places h_i + h_j modulo `sketch` and signs s_i s_j. Then each entry's signed root,
length 1, and W + b. The paper has two modalities and 16000 places; of more, all are convolved. Places and signs are
drawn once and saved with the weights. Products are all that it hears: z_1 and z_2 are the same to it as -z_1 and -z_2.

An absent modality's sketch is the convolution's identity, 1 at place 0, so the others' stays as it is.
Parameters: (sketch + 1) * dim.
"""

from functools import reduce

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor, nn

from mmfuse.fusion.power_norm import power_norm
from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fusion, Signal, Signals


class McbFusion(Fusion):
    places: Tensor
    signs: Tensor

    def __init__(self, dims: dict[str, int], dim: int = 128, sketch: int = 2048):
        super().__init__()
        self.dim = dim
        self.sketch = sketch
        self.modalities = list(dims)
        self.widths = list(dims.values())
        self.register_buffer("places", torch.randint(sketch, (sum(self.widths),)))
        self.register_buffer("signs", torch.randint(2, (sum(self.widths),)) * 2.0 - 1.0)
        self.read = nn.Linear(sketch, dim)

    def forward(self, signals: Signals) -> Signal:
        pooled, present = side_by_side(signals, self.modalities)  # (B, sum of D_m), (B, M)
        sketch = self.sketched(pooled, present)  # (B, S)
        return Signal.vector(self.read(power_norm(sketch).to(pooled.dtype)), present.any(dim=1))

    def sketched(self, pooled: Float[Tensor, "B J"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B S"]:
        """The sketch of the outer product, in float32 at least: there is no transform of less."""
        signed = pooled.to(torch.promote_types(pooled.dtype, torch.float32)) * self.signs  # (B, J)
        parts = zip(signed.split(self.widths, 1), self.places.split(self.widths), present.split(1, 1), strict=True)
        spectra = [torch.where(there, self.spectrum(*part), 1.0) for *part, there in parts]  # all at once is slower
        return without_noise(torch.fft.irfft(reduce(torch.mul, spectra), n=self.sketch))

    def spectrum(self, signed: Float[Tensor, "B D"], places: Int[Tensor, " D"]) -> Complex[Tensor, "B F"]:
        """Of one modality's sketch, F = S // 2 + 1."""
        return torch.fft.rfft(signed.new_zeros(signed.shape[0], self.sketch).index_add(1, places, signed))


def without_noise(sketch: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
    """Zeros where a transform and back left only rounding, which a root would make a thousand times larger."""
    floor = 8 * torch.finfo(sketch.dtype).eps * sketch.detach().abs().amax(dim=1, keepdim=True)  # (B, 1)
    return torch.where(sketch.abs() > floor, sketch, 0.0)
