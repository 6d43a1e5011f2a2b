"""What frozen encoders say of a run's rows is computed and kept, and nothing else is, before many runs ask for it."""

from collections.abc import Sequence

from mmfuse.data.reader import Reader
from mmfuse.listener import Listener
from mmfuse.run.encoded import encoded, frozen
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import divide, load
from mmfuse.types import Preparation


def encode_ahead(cfg: Config, modalities: Sequence[str], listener: Listener) -> None:
    """Of each fold, for what a preparation learns from its training rows may decide what is said."""
    examples = load(cfg)
    if examples.stream is not None:  # whose rows are encoded as they come
        return
    for _, split in divide(cfg, examples):
        for modality in modalities:
            preparation: Preparation = make(cfg["encoder"][modality]["prepare"], f"encoder.{modality}.prepare")
            reader = Reader(modality, examples, forgiving=cfg["dataset"]["missing"]["unreadable"] == "missing")
            reader.read(preparation.fit, split.train.tolist())
            encoder = frozen(cfg, modality, preparation)
            if encoder is not None:
                encoded(cfg, modality, reader, preparation, encoder, listener)
