"""A pretrained network of Hugging Face transformers, and which of its parts compute one after another."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from mmfuse import hub
from mmfuse.encoders.pretrained import Pretrained

Kind = Literal["text", "image", "audio"]
READS = {"text": ("input_ids",), "image": ("pixel_values",), "audio": ("input_values", "input_features")}
TOWER = {"text": "text_model", "image": "vision_model", "audio": "audio_model"}  # of models of several modalities


class Backbone(Pretrained):
    """An encoder that is such a network, and what is made of what it says."""

    network: Any

    def take(
        self, network: nn.Module, freeze: bool | int, unfreeze_at: int | None, lr: float | None, lora: int | None
    ) -> None:
        """The network with its weights, held; or adapters in it that learn in their place, where `lora` is a rank."""
        if lora is None:
            self.network = network
            self.hold([network] if isinstance(freeze, bool) else stages(network), freeze, unfreeze_at, lr)
            return
        if freeze is not True or unfreeze_at is not None:
            raise ValueError("lora: it goes with freeze=true, unfreeze_at=null: adapters learn, and nothing else of it")
        self.network, self.lr = adapted(network, lora), lr


def backbone(model: str, kind: Kind, checkpointing: bool = False) -> Any:
    """Of CLIP and its like the tower of this kind, of a model that writes the part that reads."""
    whole = loaded(model)
    found = getattr(whole, TOWER[kind], None)
    if found is None and getattr(whole.config, "is_encoder_decoder", False):
        found = whole.get_encoder()
    found = whole if found is None else found
    if (reads := getattr(found, "main_input_name", None)) is not None and reads not in READS[kind]:
        raise ValueError(f"model={model}: a {type(found).__name__} takes {reads}, and is no model of {kind}")
    summary = getattr(found, "pooler", None)
    if isinstance(summary, nn.Module) and list(summary.parameters()):
        found.pooler = None  # a layer of its own that was trained for another task, if at all
    if checkpointing:
        if not getattr(found, "supports_gradient_checkpointing", False):
            raise ValueError(f"checkpointing=true: {type(found).__name__} has none")
        found.config.use_cache = (
            False  # of earlier steps, which checkpointing excludes; transformers would say so aloud
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # its name in transformers 5, which 6 drops
            found.gradient_checkpointing_enable({"use_reentrant": False})
    return found


def loaded(model: str) -> Any:
    """The whole model with its weights, without a word on the screen; `ValueError` where they are of another."""
    from transformers import AutoModel  # seconds, for those who use it
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    options = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        whole, report = hub.load(AutoModel, model, "model", **options)
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
    if wrong := sorted(report["mismatched_keys"]):
        name, there, wanted = wrong[0]
        raise ValueError(
            f"model={model}: {len(wrong)} of its weights are of another shape than its config.json says;"
            f" the first: {name}, {tuple(there)} and not {tuple(wanted)}\n"
            "  to go on: config.json and model.safetensors of one and the same model"
        )
    every = dict(whole.named_parameters())
    if len(absent := [name for name in report["missing_keys"] if name in every]) > len(every) // 2:
        raise ValueError(
            f"model={model}: its file lacks {len(absent)} of {len(every)} weights, {absent[0]} the first"
            "\n  to go on: config.json and model.safetensors of one and the same model"
        )
    return whole


def stages(network: nn.Module) -> list[nn.Module]:
    """What comes before its layers, as one module, and then its layers."""
    path, layers = layers_of(network)
    before, at = [], network
    for name in path.split("."):
        for child, module in at.named_children():
            if child == name:
                at = module
                break
            before.append(module)
    return [nn.ModuleList(before), *layers]


def layers_of(network: nn.Module) -> tuple[str, Sequence[nn.Module]]:
    """The list of modules that holds most of its weights, and where it is."""
    lists = {name: m for name, m in network.named_modules() if isinstance(m, nn.ModuleList) and len(m)}
    if not lists:
        raise ValueError(f"{type(network).__name__} is no stack of layers: freeze has to be true or false")
    name = max(lists, key=lambda name: (sum(p.numel() for p in lists[name].parameters()), -name.count(".")))
    return name, list(lists[name])


def adapted(network: Any, rank: int) -> Any:
    """The same network, held, with low-rank adapters that learn (Hu et al., 2021, https://arxiv.org/abs/2106.09685).

    On all its linear layers, as Dettmers et al., 2023 (https://arxiv.org/abs/2305.14314) found best; alpha is twice
    the rank, so that its updates count twofold.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ValueError("lora: it takes peft\n  to go on: pip install 'mmfuse[lora]', or lora=null") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is going
        return get_peft_model(network, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))
