"""The only constructor call from config."""

from collections.abc import Mapping
from typing import Any

from mmfuse.errors import ConfigError

Config = Mapping[str, Any]
UNFIT = (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError)  # what parts say of values they can't have


def make(cfg: Config, where: str, **parts: Any) -> Any:
    """Calls what a config names, with the config's own arguments and with these parts.

    The parts don't go through `instantiate`, which takes a dict or a dataclass among them for more config.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(dict(cfg), _partial_=True, _convert_="object")(**parts)
    except (*UNFIT, InstantiationException) as error:
        raise ConfigError(f"{where}: {error}") from error
