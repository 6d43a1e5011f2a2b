"""A model as a graph, by torch.export: any number of rows, and of steps where the graph can be had for any."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

STEPS = 1  # which dimension of a signal


class Graph(NamedTuple):
    program: ExportedProgram
    steps: dict[str, int | None]  # by input that has steps: how many there have to be; None: any number


def graph(served: nn.Module, given: Mapping[str, Tensor]) -> Graph:
    """Of inputs such as these: two rows or more, and more than one step where there may be any number.

    Raises whatever torch raises of a model that it cannot follow, or whose number of rows comes out fixed.
    """
    shapes = {name: {0: Dim.DYNAMIC, **({STEPS: Dim.AUTO} if x.shape[STEPS] > 1 else {})} for name, x in given.items()}
    with torch.no_grad(), quiet():
        program = export(served, (), dict(given), dynamic_shapes=shapes, strict=False)
    found = {}
    for node, (name, x) in zip(inputs(program), given.items(), strict=True):
        if x.shape[STEPS] > 1:
            steps = node.meta["val"].shape[STEPS]
            found[name] = steps if isinstance(steps, int) else None
    return Graph(program, found)


def inputs(program: ExportedProgram) -> list[torch.fx.Node]:
    names = program.graph_signature.user_inputs
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]


@contextmanager
def quiet() -> Iterator[None]:
    """What the exporters say of their own code, and print of a graph that they give up on: nobody can mend it."""
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        for module in ("torch", "onnx", "onnxscript", "onnx_ir", "copyreg"):  # copyreg: torch copies its own trees
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        yield
