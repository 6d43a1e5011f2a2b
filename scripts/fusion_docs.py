"""Writes docs/fusion.md from the configs and docstrings of the fusions: `python scripts/fusion_docs.py`.

A card a method: what it is, its equation and paper, what an absent modality means, its keys, and what it costs.
"""

from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.utils.flop_counter import FlopCounterMode

from mmfuse.config import target as targets
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import of_file, of_part
from mmfuse.config.schema import shown
from mmfuse.types import Signal

FILE = Path(__file__).resolve().parent.parent / "docs" / "fusion.md"
WIDTH, STEPS = 128, 50
HEAD = f"""# Fusion methods

Written by `scripts/fusion_docs.py` from the configs and docstrings; `mmfuse show fusion/NAME` prints the same, and
`mmfuse selftest NAME` puts one to its contract and to data whose answer is known. Costs are of default settings: two
modalities and three, {WIDTH} features each, multiply-adds of one row, forward, by torch's own count of matrix
products (what is elementwise is not in it), of modalities of {STEPS} steps where that makes a difference to the method.
"""


def document() -> str:
    catalog = Catalog()
    return "\n".join([HEAD, *(card(catalog, name) for name in catalog.options("fusion"))])


def card(catalog: Catalog, name: str) -> str:
    file = catalog.find("fusion", name)
    fields = of_part(of_file(file, "fusion"), "fusion", "fusion")
    target = targets.read(str(fields["fusion._target_"].default))
    assert target is not None
    keys = [(key, field) for key, field in fields.items() if not key.rpartition(".")[2].startswith("_")]
    rows = [f"| `{key}={shown(field.default)}` | {field.comment} |" for key, field in keys]
    table = ["| key | meaning |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"## {name}", "", module_doc(fields["fusion._target_"].default), "", *table, costs(file), ""])


def module_doc(target: str) -> str:
    """What its file says of the method."""
    import ast

    source = targets.source(target.rpartition(".")[0])
    assert source is not None
    return ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""


def costs(file: Path) -> str:
    said = []
    for number in (2, 3):
        dims = {f"m{n}": WIDTH for n in range(number)}
        try:
            torch.manual_seed(0)
            part = instantiate(OmegaConf.to_container(OmegaConf.load(file)), _partial_=True, _convert_="object")
            fusion = part(dims=dims).eval()
        except ValueError as error:
            said.append(f"{number} modalities: {str(error).splitlines()[0]}")
            continue
        one, many = (multiply_adds(fusion, dims, steps) for steps in (1, STEPS))
        steps = f" (of {STEPS} steps each; {one:,} of one)" if many != one else ""
        parameters = sum(p.numel() for p in fusion.parameters())
        said.append(f"{number} modalities: {parameters:,} parameters, {many:,} multiply-adds{steps}")
    return "Costs. " + "; ".join(said) + "."


def multiply_adds(fusion: torch.nn.Module, dims: dict[str, int], steps: int) -> int:
    signals = {m: Signal(torch.randn(1, steps, d), torch.ones(1, steps, dtype=torch.bool)) for m, d in dims.items()}
    with FlopCounterMode(display=False) as counter:
        fusion(signals)
    return counter.get_total_flops() // 2


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(document(), encoding="utf-8")
    print(f"wrote {FILE}: {len(Catalog().options('fusion'))} methods")
