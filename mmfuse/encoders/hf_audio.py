"""Any model of sound of Hugging Face transformers, by its hub name or from a folder: wav2vec 2.0, HuBERT, WavLM, the
encoder of Whisper, and AST.

Wolf et al., Transformers: State-of-the-Art Natural Language Processing, 2020, https://aclanthology.org/2020.emnlp-demos.6.
"""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mmfuse.encoders.backbone import Backbone, backbone
from mmfuse.types import Signal

SILENCE = 2.0  # how far below its loudest place Whisper puts silence: 8 powers of ten, halved twice


class HFAudio(Backbone):
    def __init__(
        self,
        size: int,
        model: str,
        pool: Literal["own", "mean", "tokens"] = "mean",
        freeze: bool | int = True,
        unfreeze_at: int | None = None,
        lr: float | None = None,
        lora: int | None = None,
        checkpointing: bool = False,
    ):
        """Sounds of `size` samples a second, as the model's own feature extractor makes them.

        What comes out is the mean over time, a step for each moment, or what the model itself sums a sound up by, where
        it does. `freeze` holds all weights, those of so many layers and what comes before, or none; from epoch
        `unfreeze_at` on they learn. `lr` is their own learning rate, `lora` the rank of adapters that learn in their
        place, and `checkpointing` computes activations twice to keep fewer.
        """
        super().__init__()
        network = backbone(model, "audio", checkpointing)
        self.config = network.config
        self.dim, self.pool = self.config.hidden_size, pool
        self.hears = (
            "waves"
            if hasattr(self.config, "conv_kernel")
            else "whisper"
            if "whisper" in self.config.model_type
            else "frames"
        )
        if self.hears == "waves":
            self.cost = 1.0
            for stride in self.config.conv_stride:
                self.cost /= stride
            self.config.apply_spec_augment = False  # which would be its own
            network.masked_spec_embed = None
        self.take(network, freeze, unfreeze_at, lr, lora)

    def forward(self, signal: Signal) -> Signal:
        there = signal.present.nonzero()[:, 0]  # rows that have a sound
        steps, own = torch.zeros(len(signal.mask), 1, self.dim, device=signal.data.device), None
        mask = torch.zeros(len(signal.mask), 1, dtype=torch.bool, device=signal.data.device)
        if len(there):
            heard = Signal(signal.data[there], signal.mask[there])
            found, real, own = {"waves": self.waves, "whisper": self.whisper, "frames": self.frames}[self.hears](heard)
            steps = found.new_zeros(len(signal.mask), *found.shape[1:])
            mask = mask.expand(-1, found.shape[1]).clone()
            steps[there], mask[there] = found, real
        said = Signal(steps, mask)
        if self.pool == "tokens":
            return said
        vector = said.pooled()
        if self.pool == "own" and own is not None:
            vector = torch.zeros_like(vector).index_copy(0, there, own.to(vector.dtype))
        return Signal.vector(vector, signal.present)

    def waves(self, heard: Signal) -> tuple[Float[Tensor, "B F D"], Bool[Tensor, "B F"], None]:
        """Of samples (B, T)."""
        lengths = (heard.mask * torch.arange(1, heard.mask.shape[1] + 1, device=heard.mask.device)).amax(dim=1)  # (B,)
        shortest = 1
        for kernel, stride in zip(reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True):
            shortest = (shortest - 1) * stride + kernel  # samples that make a single step
        lengths = lengths.clamp(min=shortest)
        data = heard.data.masked_fill(~heard.mask, 0.0)
        data = torch.nn.functional.pad(data, (0, max(0, shortest - data.shape[1])))
        frames: Int[Tensor, " B"] = self.network._get_feat_extract_output_lengths(lengths)
        real = torch.arange(int(frames.max()), device=frames.device) < frames[:, None]  # (B, F)
        if self.config.feat_extract_norm == "layer":  # which attends to a mask
            data = data[:, : int(lengths.max())]
            listened = torch.arange(data.shape[1], device=lengths.device) < lengths[:, None]
            return self.network(data, attention_mask=listened.long()).last_hidden_state, real, None
        found = data.new_zeros(*real.shape, self.dim)
        for length in lengths.unique().tolist():  # one that normalizes over time takes padding for sound
            rows = lengths == length
            steps = self.network(data[rows, :length]).last_hidden_state
            found[rows, : steps.shape[1]] = steps.to(found.dtype)
        return found, real, None

    def whisper(self, heard: Signal) -> tuple[Float[Tensor, "B F D"], Bool[Tensor, "B F"], None]:
        """Of frames (B, T, bands), to be followed by silence up to half a minute."""
        data, mask = heard.data, heard.mask.unsqueeze(-1)
        most = 2 * self.config.max_source_positions
        silence = data.masked_fill(~mask, -torch.inf).amax(dim=(1, 2), keepdim=True) - SILENCE  # (B, 1, 1)
        data = torch.where(mask, data, silence)[:, :most]
        data = torch.cat([data, silence.expand(-1, most - data.shape[1], data.shape[2])], dim=1)
        found = self.network(input_features=data.transpose(1, 2)).last_hidden_state  # (B, most / 2, D)
        frames = -(-heard.mask.sum(dim=1) // 2)  # (B,): two make a step
        return found, torch.arange(found.shape[1], device=frames.device) < frames[:, None], None

    def frames(self, heard: Signal) -> tuple[Float[Tensor, "B F D"], Bool[Tensor, "B F"], Any]:
        """Of frames (B, T, bands), as many as the model was made for."""
        outputs = self.network(input_values=heard.data[:, : self.config.max_length])
        found = outputs.last_hidden_state
        whole = torch.ones(found.shape[:2], dtype=torch.bool, device=found.device)
        return found, whole, getattr(outputs, "pooler_output", None)
