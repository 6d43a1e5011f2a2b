"""The config folders are the registry: a group is a folder, an option a yaml file in it. Nothing here imports torch."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mmfuse.errors import ConfigError, offer

KINDS = {  # what `mmfuse list` calls them -> their folder
    "datasets": "dataset",
    "encoders": "encoder",
    "fusion": "fusion",
    "completion": "completion",
    "models": "model",
    "objectives": "objectives",
    "balance": "balance",
    "schedules": "schedule",
    "imbalance": "imbalance",
    "strategies": "strategy",
    "optimizers": "optimizer",
    "trainers": "trainer",
    "loggers": "logger",
    "experiments": "experiment",
    "baselines": "baseline",
    "launchers": "launcher",
}
ENCODER_OF_KIND = {  # of modality, where none is named
    "text": "embedding_lstm",
    "image": "cnn",
    "audio": "mel_cnn",
    "vector": "mlp",
    "sequence": "gru",
    "video": "cnn",
    "tabular": "mlp",
}


def packaged() -> Path:
    """The configs that come with mmfuse: inside an installed wheel, or at the root of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "train.yaml").exists():
            return folder
    raise FileNotFoundError(f"mmfuse's configs are neither in {package} nor beside it: the installation is damaged")


class Catalog:
    """Own config folders first, then the packaged one. A name may stand in one of them only."""

    def __init__(self, own: Sequence[Path] = ()):
        for folder in own:
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {folder}: there is no such folder")
        self.own = [folder.resolve() for folder in own]
        self.folders = [*self.own, packaged()]
        for name, files in self.files.items():
            if len(files) > 1:
                raise ConfigError(
                    f"'{name}' stands in two config folders: {files[0]} and {files[1]}"
                    "\n  to go on: give your own file another name"
                )

    @cached_property
    def files(self) -> dict[str, list[Path]]:
        """By name, such as "fusion/gated" or "encoder/text/cnn": where it stands."""
        found: dict[str, list[Path]] = {}
        for folder in self.folders:
            for file in sorted(folder.rglob("*.yaml")):
                found.setdefault(file.relative_to(folder).with_suffix("").as_posix(), []).append(file)
        return found

    def groups(self) -> set[str]:
        """The folders that hold options: "fusion", "encoder/text", ..., and those known that hold none yet."""
        found = {name.rpartition("/")[0] for name in self.files} | set(KINDS.values())
        return found - {"", "encoder", "launcher"}  # a launcher is a sweep's, and not an experiment's

    def options(self, group: str) -> list[str]:
        return sorted(name.rpartition("/")[2] for name in self.files if name.rpartition("/")[0] == group)

    def find(self, group: str, name: str) -> Path:
        if files := self.files.get(f"{group}/{name}"):
            return files[0]
        options = self.options(group)
        known = offer(name, options, f"{group} is one of")
        raise ConfigError(f"there is no {group} called '{name}'\n  {known}\n  see: mmfuse list")
