"""What a search may choose from, and what it chose as it would be typed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmfuse.sweep.grammar import Axis

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def space(axes: Sequence[Axis]) -> dict[str, "BaseDistribution"]:
    return {axis.key: distribution(axis) for axis in axes}


def distribution(axis: Axis) -> "BaseDistribution":
    """Values that are named have no order; the numbers of a range do, and of an interval all that lie in it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    log = "log" in axis.tags
    if axis.interval is not None:
        low, high = axis.interval
        return IntDistribution(int(low), int(high), log) if axis.whole else FloatDistribution(low, high, log)
    numbers = ordered(axis)
    if len(numbers) < 2:
        return CategoricalDistribution(axis.values)
    step = numbers[1] - numbers[0]
    if all(number.is_integer() for number in numbers):
        return IntDistribution(int(numbers[0]), int(numbers[-1]), step=int(step))
    return FloatDistribution(numbers[0], numbers[0] + step * (len(numbers) - 1), step=step)


def typed(axes: Sequence[Axis], chosen: Mapping[str, Any]) -> dict[str, str]:
    """By key, what would be typed; a float keeps all its digits."""
    return {axis.key: text(axis, chosen[axis.key]) for axis in axes}


def text(axis: Axis, chosen: Any) -> str:
    if axis.interval is None and ordered(axis):
        return min(axis.values, key=lambda value: abs(float(value) - chosen))
    return chosen if isinstance(chosen, str) else repr(chosen)


def ordered(axis: Axis) -> list[float]:
    """The numbers of a range, ascending; none of what is not one."""
    ranged = axis.override is not None and axis.override.is_range_sweep()
    return sorted(float(value) for value in axis.values) if ranged else []
