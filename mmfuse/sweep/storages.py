"""Where the trials of a search are kept: a journal in the sweep's folder, or what many machines can reach."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmfuse.errors import ConfigError
from mmfuse.sweep.study import JOURNAL

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


PATIENCE = 60.0  # seconds that one waits for another who writes to the same SQLite file


def opened(named: str, folder: Path) -> "BaseStorage":
    """ "journal" is a file in the sweep's folder, a URL a data base, and all else the path of a journal."""
    if "://" in named:
        return database(named)
    path = folder / "study.journal" if named == JOURNAL else Path(named)
    if not path.parent.is_dir():
        raise ConfigError(
            f"sweep.storage={named}: there is no folder {path.parent}\n  to go on: mkdir -p {path.parent}"
        )
    if path.is_dir():
        raise ConfigError(f"sweep.storage={named}: this is a folder\n  such as sweep.storage={path / 'study.journal'}")
    from mmfuse.sweep.journal import journal

    try:
        return journal(path)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"sweep.storage: {path} is no journal of Optuna's, or cannot be written: {error}") from error


def database(url: str) -> "BaseStorage":
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        safe = make_url(url).render_as_string(hide_password=True)
    except ArgumentError as error:
        raise ConfigError(f"sweep.storage: this is no URL of a data base: {url.partition('://')[0]}://...") from error
    connect = {"connect_args": {"timeout": PATIENCE}} if url.startswith("sqlite") else {}
    try:
        return RDBStorage(url, engine_kwargs=connect)
    except (SQLAlchemyError, ImportError) as error:
        said = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(f"sweep.storage={safe}: {said}") from error
