"""What `mmfuse eval` is asked of missing values and noise: --missing image=0,.5,1 and --noise text.words=0,.2."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmfuse.corruption.catalog import CORRUPTIONS, fitting
from mmfuse.errors import ConfigError, offer

Advise = Callable[[str, str], None]
RATES = tuple(k / 10 for k in range(10))  # those of contributions


def missing(typed: Sequence[str], cfg: Mapping[str, Any], advise: Advise) -> dict[str, Sequence[float]]:
    """By modality, "image+text" where several go together: rates that rise from 0."""
    found: dict[str, Sequence[float]] = {}
    for one in typed:
        names, _, rates = one.partition("=")
        if names.strip() == "all":
            names = "+".join(cfg["modalities"])
        each = [name.strip() for name in names.split("+")]
        for name in each:
            check_modality(name, cfg, f"--missing {one}")
        if len(set(each)) < len(each):
            raise ConfigError(f"--missing {one}: it names a modality twice")
        asked = numbers(rates, f"--missing {one}") if rates else list(RATES)
        if wrong := [rate for rate in asked if not 0 <= rate <= 1]:
            raise ConfigError(f"--missing {one}: a rate is from 0 to 1, not {wrong[0]:g}")
        if 0 not in asked:
            advise(f"--missing {one}", "rate 0, from which the drop counts, was added")
        if not any(asked):
            raise ConfigError(f"--missing {one}: a rate besides 0 is needed\n  to go on: {names}=0,.25,.5,1")
        found["+".join(each)] = sorted({0.0, *asked})
    return found


def noise(
    typed: Sequence[str], cfg: Mapping[str, Any], advise: Advise
) -> Mapping[str, Mapping[str, Sequence[float]]] | None:
    """By modality and kind: levels, the first without noise. None: all that fit, at their own levels."""
    if any(one.strip() == "all" for one in typed):
        if len(typed) > 1:
            raise ConfigError(
                "--noise all: that is every kind for every modality\n  to go on: --noise all, or the rest"
            )
        return None
    found: dict[str, dict[str, Sequence[float]]] = {}
    for one in typed:
        name, _, levels = one.partition("=")
        modality, _, kind = name.strip().partition(".")
        check_modality(modality, cfg, f"--noise {one}")
        fits = fitting(cfg["dataset"]["modalities"][modality]["kind"])
        if not kind and levels:
            raise ConfigError(
                f"--noise {one}: levels of what? there are {', '.join(fits)}, as in {modality}.{fits[0]}=..."
            )
        if kind and kind not in fits:
            what = "there is no such noise" if kind not in CORRUPTIONS else "it is not for this modality"
            said = f"{modality} (of kind {cfg['dataset']['modalities'][modality]['kind']}) takes"
            raise ConfigError(f"--noise {one}: {what}\n  {offer(kind, fits, said)}")
        for each in [kind] if kind else fits:
            corruption = CORRUPTIONS[each]
            asked = numbers(levels, f"--noise {one}", corruption.nothing) if levels else corruption.levels
            try:
                curve = corruption.curve(asked)
            except ValueError as error:
                default = ",".join(
                    "none" if level == corruption.nothing else f"{level:g}" for level in corruption.levels
                )
                raise ConfigError(f"--noise {one}: {error}\n  to go on: {modality}.{each}={default}") from error
            if corruption.nothing not in asked:
                advise(f"--noise {one}", "the level without any noise, from which the drop counts, was added")
            found.setdefault(modality, {})[each] = curve
    return found


def check_modality(name: str, cfg: Mapping[str, Any], where: str) -> None:
    if name not in cfg["modalities"]:
        raise ConfigError(f"{where}: the run has no '{name}'\n  {offer(name, cfg['modalities'], 'it has')}")


def numbers(typed: str, where: str, none: float = 0.0) -> list[float]:
    found = []
    for text in typed.strip("[] ").split(","):
        try:
            found.append(none if text.strip().lower() == "none" else float(text))
        except ValueError as error:
            raise ConfigError(f"{where}: '{text.strip()}' is not a number\n  such as 0,.25,.5,1") from error
    return found
