"""When a run is given up: by how its first seed goes, epoch by epoch, beside the other runs of the search."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


def pruner(name: str, startup: int, warmup: int, epochs: int | None) -> "BasePruner":
    """
    none       runs are left to end
    median     a run that was never as good as the median of finished ones at its epoch ends, after `warmup` epochs and
               once there are `startup` finished runs (Golovin et al. 2017)
    hyperband  only the best third goes on at each of 1, 3, 9 ... times `warmup` epochs, in brackets that begin to
               choose at different epochs (Li et al. 2018, in the asynchronous form of Li et al. 2020)

    `epochs` is what a run may train at most; None: what the first finished one did.
    """
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "median":
        return MedianPruner(n_startup_trials=startup, n_warmup_steps=warmup)
    if name == "hyperband":
        return HyperbandPruner(min_resource=max(1, warmup), max_resource=epochs or "auto", reduction_factor=3)
    return NopPruner()
