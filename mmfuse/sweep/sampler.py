"""What a search tries next, drawn from the seed and the trial's number alone besides what is known of other trials.

So a search that was stopped and gone on with does not begin its draws anew, and workers that share a study and a seed
do not repeat each other.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial


def random(seed: int) -> BaseSampler:
    return RandomSampler(seed)


def tpe(startup: int) -> Callable[[int], BaseSampler]:
    """Tree-structured Parzen estimators over all axes at once (Bergstra et al. 2011; Falkner et al. 2018).

    Trials that still run count as bad ones ("constant liar"), so that those that run side by side are not alike.
    """

    def made(seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(n_startup_trials=startup, multivariate=True, constant_liar=True, seed=seed)

    return made


class Numbered(BaseSampler):
    """A sampler for each trial, made with a seed of its own."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int):
        self.make, self.seed = make, seed
        self.trial, self.inner = -1, make(seed)

    def of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self.trial:
            seed = np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0]
            self.trial, self.inner = trial.number, self.make(int(seed))
        return self.inner

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.of(trial).sample_independent(study, trial, param_name, param_distribution)
