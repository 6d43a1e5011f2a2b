"""The table that words' vectors are looked up in: random, or as a preparation found them in a file."""

from jaxtyping import Float
from torch import Tensor, nn


def word_embedding(size: int, width: int, vectors: Float[Tensor, "S W"] | None, learn: bool) -> nn.Embedding:
    """`size` words of `width` features each, or of as many as the given vectors have; word 0 is zeros and stays so."""
    if vectors is not None:
        return nn.Embedding.from_pretrained(vectors.clone(), freeze=not learn, padding_idx=0)
    table = nn.Embedding(size, width, padding_idx=0)
    table.requires_grad_(learn)
    return table
