"""What cannot be done to training rows that are read one after another."""

from mmfuse.errors import ConfigError
from mmfuse.run.make import Config


def refuse_for_streams(cfg: Config) -> None:
    """Refuses what would have to know all training rows beforehand."""
    missing = cfg["dataset"]["missing"]
    filled = missing["policy"] == "fill" and missing["fill"] != "token"
    for refused, key, instead in (
        (cfg["folds"] is not None, f"folds={cfg['folds']}", "folds=null"),
        (cfg["choices"]["imbalance"] != "none", f"imbalance={cfg['choices']['imbalance']}", "imbalance=none"),
        (missing["policy"] == "drop", "dataset.missing.policy=drop", "dataset.missing.policy=mask"),
        (filled, f"dataset.missing.fill={missing['fill']}", "dataset.missing.policy=mask"),
        (bool(missing["rate"]), f"dataset.missing.rate={missing['rate']}", "dataset.missing.rate=0"),
        (missing["pattern"] is not None, "dataset.missing.pattern", "dataset.missing.pattern=null"),
        (cfg["dataset"]["align"] == "require", "dataset.align=require", "dataset.align=free"),
    ):
        if refused:
            raise ConfigError(
                f"{key} needs all training rows at hand, but those of this data set stream from their shards"
                f"\n  to go on: {instead}, or dataset=hf, which reads Parquet by row number"
            )
