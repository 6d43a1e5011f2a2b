"""A rank that takes part in several runs, one after another: their folders are its arguments."""

import os
import sys
from pathlib import Path

from mmfuse.listener import Listener
from mmfuse.ranks import told
from mmfuse.run.finished import config_of
from mmfuse.run.joined import joined
from mmfuse.run.train import run

if __name__ == "__main__":
    folders = [Path(folder) for folder in sys.argv[1:]]
    with joined(told(os.environ), config_of(folders[0], [])["trainer"]):
        for folder in folders:
            run(config_of(folder, []), folder, Listener())
