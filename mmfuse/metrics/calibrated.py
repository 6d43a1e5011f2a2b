"""How far one number, learned from validation rows, sets probabilities right: calibration by temperature.

Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599. The validation rows are
those that also chose the epoch, so what is learned from them may be a little too sure; the test rows choose nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmfuse.metrics import calibration
from mmfuse.metrics.bootstrap import intervals, mean_std
from mmfuse.metrics.summary import Answers


class Calibrated:
    """The calibration error alone, of probabilities that have been tempered."""

    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        known = target >= 0
        return {"ece_calibrated": calibration.resampled(answer[known], target[known], counts[:, known])["ece"]}


def calibrated(name: str, val: Sequence[Answers], test: Sequence[Answers], samples: int) -> dict[str, Any]:
    """Of one classification, run by run: the validation rows' "temperature", and the test rows' "ece_calibrated".

    Each has mean, sample deviation and every run's value. The error has a bootstrap interval as well, over the test
    rows, the temperature being what it is.
    """
    temperatures = [calibration.temperature(*labelled(run.answers[name], run.targets[name])) for run in val]
    runs = [
        (run.independent(name), calibration.tempered(run.answers[name], t), run.targets[name])
        for run, t in zip(test, temperatures, strict=True)
    ]
    errors = [calibration.scores(*labelled(answer, target))["ece"] for _, answer, target in runs]
    bounds = intervals(Calibrated(), runs, samples)["ece_calibrated"]
    return {
        "temperature": {**mean_std(temperatures), "values": temperatures},
        "ece_calibrated": {**mean_std(errors), "ci95": list(bounds), "values": errors},
    }


def labelled(answer: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return answer[target >= 0], target[target >= 0]
