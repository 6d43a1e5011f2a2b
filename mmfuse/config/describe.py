"""What `mmfuse list` and `mmfuse show` print, from the yaml files and the sources they name. Nothing is imported."""

import re
from pathlib import Path

from mmfuse.config import target as targets
from mmfuse.config.catalog import KINDS, Catalog
from mmfuse.config.fields import Field, of_encoder, of_file, of_part, parsed, within
from mmfuse.config.schema import merged, shown
from mmfuse.config.types import ANYTHING
from mmfuse.errors import ConfigError, closest, offer


def table(catalog: Catalog, kind: str | None) -> str:
    """Every kind, or one, with a line for each option."""
    if kind is not None and kind not in KINDS and kind in KINDS.values():
        kind = next(k for k, group in KINDS.items() if group == kind)
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"there is no kind '{kind}'\n  {offer(kind, KINDS, 'kinds')}")
    blocks = []
    for name in [kind] if kind else KINDS:
        rows = [(option, summary(catalog, option)) for option in sorted(catalog.files) if belongs(option, KINDS[name])]
        width = max((len(option) for option, _ in rows), default=0)
        lines = [f"  {option.partition('/')[2]:<{width - len(KINDS[name]) + 1}}{about}" for option, about in rows]
        blocks.append("\n".join([name, *(lines or ["  none yet"])]))
    return "\n".join(blocks)


def belongs(option: str, group: str) -> bool:
    return option.startswith(f"{group}/")


def summary(catalog: Catalog, option: str) -> str:
    """The first sentence of what it says of itself."""
    text = re.sub(r"\s+", " ", about(catalog.files[option][0]))
    sentence = re.split(r"(?<=[.:;])\s", text, maxsplit=1)[0].rstrip(".:;")
    return sentence if len(sentence) <= 110 else sentence[:109].rsplit(" ", 1)[0] + " ..."


def about(file: Path) -> str:
    """The comment that opens a yaml file, or else the docstring of what it names."""
    comments = []
    for line in parsed(file)[0].splitlines():
        if not line.startswith("#"):
            break
        comments.append(line.removeprefix("#").strip())
    comments = [line for line in comments if not line.startswith("@package")]
    if comments:
        return "\n".join(comments)
    named = of_file(file).get("_target_")
    target = targets.read(str(named.default)) if named else None
    return target.doc if target else ""


def card(catalog: Catalog, name: str) -> str:
    """All there is to know of one option."""
    option = find(catalog, name)
    file = catalog.files[option][0]
    group, prefix = option.partition("/")[0], option.partition("/")[0]
    if group == "encoder":
        prefix = f"encoder.{option.split('/')[1]}"
    own = of_file(file, "" if group in ("strategy", "experiment") else prefix, option.rpartition("/")[0], catalog)
    fields = of_encoder(own, prefix) if group == "encoder" else of_part(own, prefix, group)
    if group == "dataset":  # what an experiment says of every data set
        every = of_file(catalog.files["train"][0])
        fields |= {key: merged(own.get(key, field), field) for key, field in every.items() if within(key, group)}
    target = fields.get(f"{prefix}._target_")
    ours = target is not None and targets.read(str(target.default)) is not None
    source = targets.source(str(target.default).rpartition(".")[0]) if target and ours else None
    module = targets.read(str(target.default)) if target else None
    described = [about(file)] + ([module.doc] if module and module.doc != about(file) else [])
    lines = [option, "", "\n\n".join(described), ""]
    keys = [(key, field) for key, field in fields.items() if not key.rpartition(".")[2].startswith("_")]
    if keys and group != "baseline":  # whose figures are shown by mmfuse reproduce
        width = max(len(f"{key}={shown(field.default)}") for key, field in keys)
        lines += [
            "keys, as they are typed with their defaults:",
            *(line(key, field, min(width, 48)) for key, field in keys),
            "",
        ]
    lines += [f"config  {file}"] + ([f"source  {source}"] if source else [])
    lines += [f"used    mmfuse {'' if group == 'baseline' else 'train '}{use(option)}"]
    return "\n".join(lines)


def line(key: str, field: Field, width: int) -> str:
    kind = "" if field.type == ANYTHING else str(field.type)
    default = "..." if field.default == "???" else shown(field.default)
    comment = f"required; {field.comment}" if field.default == "???" else field.comment
    return f"  {key + '=' + default:<{width}}  {kind:<12}  {comment}".rstrip()


def use(option: str) -> str:
    group, _, name = option.partition("/")
    if group == "encoder":
        kind, _, name = name.partition("/")
        return f"encoder.<modality of kind {kind}>={name}"
    if group == "baseline":
        return f"reproduce {name}"
    return f"-e {name}" if group == "experiment" else f"{group}={name}"


def find(catalog: Catalog, name: str) -> str:
    """The option that is meant: fusion/gated, encoder/text/cnn, encoder/cnn, gated, datasets/digits."""
    head, _, rest = name.partition("/")
    wanted = f"{KINDS.get(head, head)}/{rest}" if rest else name
    options = [option for option in catalog.files if "/" in option]
    if wanted in options:
        return wanted
    last = wanted.rpartition("/")[2]
    alike = [
        o for o in options if o.rpartition("/")[2] == last and (not rest or o.split("/")[0] == wanted.split("/")[0])
    ]
    if len(alike) == 1 or (alike and not rest):
        return alike[0]
    if alike:
        raise ConfigError(f"'{name}' may be any of: {', '.join(alike)}")
    guess = closest(wanted, options) or closest(last, {o.rpartition("/")[2] for o in options})
    raise ConfigError(f"there is no '{name}'\n  {guess}\n  see: mmfuse list")
