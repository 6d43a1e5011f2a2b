"""Any text model of Hugging Face transformers, by its hub name or from a folder: BERT, RoBERTa, MiniLM and so on.

Wolf et al., Transformers: State-of-the-Art Natural Language Processing, 2020, https://aclanthology.org/2020.emnlp-demos.6.
"""

from typing import Literal

from mmfuse.encoders.backbone import Backbone, backbone
from mmfuse.types import Signal


class HFText(Backbone):
    def __init__(
        self,
        size: int,
        model: str,
        pool: Literal["first", "mean", "tokens"] = "mean",
        freeze: bool | int = True,
        unfreeze_at: int | None = None,
        lr: float | None = None,
        lora: int | None = None,
        checkpointing: bool = False,
    ):
        """Texts in `size` subwords; what comes out is the first subword's vector, the mean of all, or each.

        `freeze` holds all weights, those of so many layers and the embeddings, or none; from epoch `unfreeze_at` on
        they learn. `lr` is their own learning rate, `lora` the rank of adapters that learn in their place, and
        `checkpointing` computes activations twice to keep fewer.
        """
        super().__init__()
        network = backbone(model, "text", checkpointing)
        known = network.get_input_embeddings().num_embeddings
        if size > known:
            raise ValueError(f"model={model}: its tokenizer has {size} subwords, and it knows {known}")
        self.dim, self.pool = network.config.hidden_size, pool
        self.take(network, freeze, unfreeze_at, lr, lora)

    def forward(self, signal: Signal) -> Signal:
        mask = signal.mask.clone()
        mask[:, 0] |= ~signal.present  # attention to nothing at all is not a number
        words = signal.data.masked_fill(~signal.mask, 0)  # (B, T)
        data = self.network(input_ids=words, attention_mask=mask.long()).last_hidden_state  # (B, T, dim)
        said = Signal(data, signal.mask)
        if self.pool == "tokens":
            return said
        vector = said.pooled() if self.pool == "mean" else data[:, 0]
        return Signal.vector(vector, signal.present)
