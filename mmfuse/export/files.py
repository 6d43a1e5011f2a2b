"""Exported graphs as files, and the files run again."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from mmfuse.export.program import quiet

Ran = Callable[[Mapping[str, Tensor]], dict[str, np.ndarray]]


def save_onnx(
    program: ExportedProgram, names: Sequence[str], tasks: Sequence[str], opset: int | None, to: Path
) -> None:
    """All in one file, weights included, which ONNX has room for up to 2 GB."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it warns of packages that are not there
    try:
        with torch.no_grad(), quiet():
            made = torch.onnx.export(
                program, (), dynamo=True, input_names=names, output_names=tasks, opset_version=opset, verbose=False
            )
            assert made is not None
            made.save(to, external_data=False)
    finally:
        logger.setLevel(before)


def run_onnx(file: Path) -> Ran:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    tasks = [each.name for each in session.get_outputs()]
    taken = {each.name for each in session.get_inputs()}  # a modality that nothing is heard of is not among them

    def run(given: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        said = session.run(tasks, {name: x.numpy() for name, x in given.items() if name in taken})
        return dict(zip(tasks, said, strict=True))

    return run


def save_pt2(program: ExportedProgram, to: Path) -> None:
    with quiet(), open(to, "wb") as file:  # a path would have to end in .pt2
        torch.export.save(program, file)


def run_pt2(file: Path) -> Ran:
    with quiet(), open(file, "rb") as opened:
        model = torch.export.load(opened).module()

    def run(given: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {task: said.numpy() for task, said in model(**given).items()}

    return run
