"""A journal of Optuna's in a file that processes share and that any of them may be killed at."""

from pathlib import Path

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock


class Lock(JournalFileOpenLock):
    """Who dies lets go of it at once. Optuna's own locks are files that stay, which others wait for half a minute."""

    def __init__(self, path: Path):
        super().__init__(str(path))
        self.held = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self.held.acquire()
        return True

    def release(self) -> None:
        self.held.release()


def journal(path: Path) -> JournalStorage:
    lock = Lock(path)
    backend = JournalFileBackend(str(path), lock)
    with lock.held:
        mend(path)
    return JournalStorage(backend)


def mend(path: Path) -> None:
    """Drops the half line of a machine that died in its midst: whatever came after it could not be read."""
    with open(path, "rb+") as file:
        before, end, _ = file.read().rpartition(b"\n")
        file.truncate(len(before) + len(end))
