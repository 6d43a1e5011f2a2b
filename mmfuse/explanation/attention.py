"""Where a trained model attends: what the last attention over a modality's steps reads of each, in the mean.

Weights are the softmax of queries times keys, averaged over heads and over the queries that are real: of a fusion, over
those that read the modality for the others; of an encoder that attends to its own steps, over these steps. They are
computed again from what the attention was given, so that training need not keep them, and say where values were taken
from and not what was made of them: attention is not explanation (Jain and Wallace, 2019,
https://arxiv.org/abs/1902.10186).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.fusion.attention_steps import AttentionStepsFusion
from mmfuse.fusion.blocks import Attention
from mmfuse.fusion.cross_attention import CrossAttentionFusion
from mmfuse.fusion.early_tokens import EarlyTokensFusion
from mmfuse.fusion.mult import MultFusion
from mmfuse.fusion.perceiver import PerceiverFusion
from mmfuse.fusion.step_space import joined
from mmfuse.models.feature import FeatureFusion
from mmfuse.types import Model, Signals

Given = dict[nn.Module, tuple[Any, ...]]  # by module, what it was last called with
Read = Callable[[Any, Given, Signals], dict[str, Tensor]]  # by modality (B, T_m)


class Attended(NamedTuple):
    weights: Float[Tensor, "B T"]
    mask: Bool[Tensor, "B T"]  # which of the encoded steps are real


def attended(model: Model, signals: Signals) -> dict[str, Attended]:
    """By modality, of those that anything attends to: weights of its encoded steps, 0 where one is not real.

    A fusion's weights are shares of all modalities' steps, or of the modality's own where it is read by itself; an
    encoder's are shares of the modality's steps. The fusion's are told where both attend.
    """
    with torch.no_grad(), kept(model) as given:
        encoded = model.encode(signals)
        model.read(encoded)
        found = {}
        for m, encoder in model.encoders.items():
            blocks = [part for part in encoder.modules() if isinstance(part, Blocks)]
            if blocks and len(blocks[-1].blocks) and encoded[m].mask.shape == given[blocks[-1]][1].shape:
                found[m] = by_blocks(blocks[-1], given)
        if isinstance(model, FeatureFusion) and type(model.fusion) in READ:  # others fuse votes, or tasks
            found |= READ[type(model.fusion)](model.fusion, given, model.completion(encoded))
    return {m: Attended(w.masked_fill(~encoded[m].mask, 0.0), encoded[m].mask) for m, w in found.items()}


@contextmanager
def kept(model: Model) -> Iterator[Given]:
    given: Given = {}

    def hook(module: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        given[module] = (*positional, *named.values())

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # which calls none of a block's parts
    try:
        with ExitStack() as hooks:
            for part in model.modules():
                if isinstance(part, Blocks | nn.TransformerEncoderLayer | Attention):
                    hooks.callback(part.register_forward_pre_hook(hook, with_kwargs=True).remove)
            yield given
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def by_blocks(blocks: Blocks, given: Given) -> Float[Tensor, "B T"]:
    """Of the last block, which normalizes first."""
    last: Any = blocks.blocks[-1]
    data, hidden = given[last]
    normal = last.norm1(data)
    weights = last.self_attn(normal, normal, normal, key_padding_mask=hidden, need_weights=True)[1]  # (B, T, T)
    return over_queries(weights, given[blocks][1])


def over_queries(weights: Float[Tensor, "B Q S"], real: Bool[Tensor, "B Q"]) -> Float[Tensor, "B S"]:
    return (weights * real.unsqueeze(2)).sum(dim=1) / real.sum(dim=1, keepdim=True).clamp(min=1)


def of_attention(attention: Attention, given: Given) -> Float[Tensor, "B Q S"]:
    """The mean over heads; zeros where a query sees nothing."""
    asking, source, seen = given[attention]
    query, key = (
        part.unflatten(-1, (attention.heads, -1)).transpose(1, 2)  # (B, H, Q or S, D / H)
        for part in (attention.query(asking), attention.key(source))
    )
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5  # (B, H, Q, S)
    return masks.softmax(scores, seen.unsqueeze(1).expand_as(scores)).mean(dim=1)


def parted(weights: Float[Tensor, "B S"], signals: Signals) -> dict[str, Float[Tensor, "B T"]]:
    return dict(zip(signals, weights.split([s.mask.shape[1] for s in signals.values()], dim=1), strict=True))


def of_steps(fusion: AttentionStepsFusion, given: Given, encoded: Signals) -> dict[str, Tensor]:
    steps = joined(fusion.space(heard(list(fusion.space.maps), encoded)))
    return parted(masks.softmax(fusion.score(steps.data), steps.mask), heard(list(fusion.space.maps), encoded))


def of_tokens(fusion: EarlyTokensFusion, given: Given, encoded: Signals) -> dict[str, Tensor]:
    """What the token that is the result reads; its own share goes to nobody."""
    block: Any = fusion.blocks[-1]
    return parted(of_attention(block.attend, given)[:, 0, 1:], heard(list(fusion.space.maps), encoded))


def of_latents(fusion: PerceiverFusion, given: Given, encoded: Signals) -> dict[str, Tensor]:
    last: Any = fusion.rounds[-1]
    return parted(of_attention(last.read.attend, given).mean(dim=1), heard(list(fusion.space.maps), encoded))


def of_others(fusion: CrossAttentionFusion, given: Given, encoded: Signals) -> dict[str, Tensor]:
    """Who reads are the other modalities: the mean over those that a row has."""
    found: dict[str, list[Tensor]] = {m: [] for m in fusion.blocks}
    for m in fusion.blocks:
        block = fusion.blocks[m]
        read = over_queries(of_attention(block.attend, given), encoded[m].mask)
        for other, weights in parted(read, {o: encoded[o] for o in fusion.blocks if o != m}).items():
            found[other].append(weights)
    return {m: among(m, list(fusion.blocks), each, encoded) for m, each in found.items()}


def of_streams(fusion: MultFusion, given: Given, encoded: Signals) -> dict[str, Tensor]:
    """As above, of the last layer of each stream."""
    found: dict[str, list[Tensor]] = {m: [] for m in fusion.streams}
    for target in fusion.streams:
        for source in fusion.streams[target]:
            stream = fusion.streams[target][source]
            found[source].append(
                over_queries(of_attention(stream.blocks[-1].attend, given), encoded[target].mask)
                if len(stream.blocks)
                else torch.zeros_like(encoded[source].mask, dtype=torch.float)
            )
    return {m: among(m, list(fusion.streams), each, encoded) for m, each in found.items()}


def among(m: str, modalities: Sequence[str], each: Sequence[Tensor], encoded: Signals) -> Float[Tensor, "B T"]:
    """The mean of what the other modalities read of m, of those that are there."""
    here = torch.stack([encoded[other].present for other in modalities if other != m])  # (M - 1, B)
    total = (torch.stack(list(each)) * here.unsqueeze(2)).sum(dim=0)  # (B, T)
    return total / here.sum(dim=0).clamp(min=1).unsqueeze(1)


def heard(modalities: Sequence[str], encoded: Signals) -> Signals:
    return {m: encoded[m] for m in modalities}


READ: dict[type, Read] = {
    AttentionStepsFusion: of_steps,
    EarlyTokensFusion: of_tokens,
    PerceiverFusion: of_latents,
    CrossAttentionFusion: of_others,
    MultFusion: of_streams,
}
