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
    return journal(path)


def journal(path: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    try:
        backend, lock = JournalFileBackend(str(path)), JournalFileSymlinkLock(str(path))
        lock.acquire()  # it gives up on one whose holder has died half a minute ago
        try:
            mend(path)
        finally:
            lock.release()
        return JournalStorage(backend)
    except (OSError, ValueError) as error:
        raise ConfigError(f"sweep.storage: {path} is no journal of Optuna's, or cannot be written: {error}") from error


def mend(path: Path) -> None:
    """Drops the half line of a machine that died in its midst: whatever came after it could not be read."""
    with open(path, "rb+") as file:
        whole = file.read().rpartition(b"\n")
        file.truncate(len(whole[0]) + len(whole[1]))


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
