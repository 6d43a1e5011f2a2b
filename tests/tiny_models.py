"""Models of Hugging Face transformers with random weights, small enough to be made in a moment, saved as folders."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

WORDS = ["a", "b", "c", "d", "e", "the", "cat", "dog", "sat", "on", "mat", "is", "it", "red", "blue"]
WORDS += ["good", "bad", "very", "not", "un", "##happy", "##s", ".", ","]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


@cache
def home() -> Path:
    place = Path(tempfile.mkdtemp(prefix="tiny-models-"))
    atexit.register(shutil.rmtree, place, True)
    return place


def saved(name: str, make: Callable[[], Any], *others: Any) -> str:
    """Where the model and what else `save_pretrained` can write lie; made once."""
    place = home() / name
    if not place.exists():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = make()
        for part in (model, *others):
            part.save_pretrained(place)
    return str(place)


def bert() -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=40, **special)
    return saved("bert", lambda: BertModel(BertConfig(vocab_size=30, max_position_embeddings=40, **SMALL)), fast)


def picture_processor(side: int, **more: Any) -> Any:
    from transformers import ViTImageProcessorPil

    return ViTImageProcessorPil(size={"height": side, "width": side}, **more)


def vit() -> str:
    from transformers import ViTConfig, ViTModel

    return saved("vit", lambda: ViTModel(ViTConfig(image_size=16, patch_size=8, **SMALL)), picture_processor(16))


def resnet() -> str:
    from transformers import ResNetConfig, ResNetModel

    sizes = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    return saved("resnet", lambda: ResNetModel(ResNetConfig(**sizes)), picture_processor(16))


def clip() -> str:
    from transformers import CLIPConfig, CLIPModel

    text = SMALL | {"vocab_size": 30, "max_position_embeddings": 40, "eos_token_id": 3}
    config = {"text_config": text, "vision_config": SMALL | {"image_size": 16, "patch_size": 8}, "projection_dim": 16}
    return saved("clip", lambda: CLIPModel(CLIPConfig(**config)), picture_processor(16))


def wav2vec2(norm: str = "group") -> str:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    convolutions = {"conv_dim": [16, 16], "conv_kernel": [10, 4], "conv_stride": [5, 4], "feat_extract_norm": norm}
    position = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4, "num_feat_extract_layers": 2}
    config = SMALL | convolutions | position | {"do_stable_layer_norm": norm == "layer"}
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=8000, return_attention_mask=norm == "layer")
    return saved(f"wav2vec2-{norm}", lambda: Wav2Vec2Model(Wav2Vec2Config(**config)), extractor)


def whisper() -> str:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    heads = {f"{part}_{what}": n for part in ("encoder", "decoder") for what, n in WHISPER.items()}
    config = WhisperConfig(d_model=32, max_source_positions=50, num_mel_bins=20, vocab_size=60, **SPECIAL, **heads)
    extractor = WhisperFeatureExtractor(feature_size=20, sampling_rate=16000, chunk_length=1)
    return saved("whisper", lambda: WhisperModel(config), extractor)


WHISPER = {"layers": 2, "attention_heads": 2, "ffn_dim": 48}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}


def ast() -> str:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    config = ASTConfig(max_length=64, num_mel_bins=32, **SMALL)
    return saved("ast", lambda: ASTModel(config), ASTFeatureExtractor(max_length=64, num_mel_bins=32))


def claimed(model: str) -> dict[str, Any]:
    return json.loads((Path(model) / "config.json").read_text())
