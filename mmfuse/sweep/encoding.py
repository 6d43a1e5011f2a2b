"""`python -m mmfuse.sweep.encoding ABOUT`: asks frozen encoders what runs will ask; the configs come on stdin."""

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mmfuse import progress
from mmfuse.errors import Interrupted
from mmfuse.signals import handled_by, interrupt


def main(about: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> int:
    """0; 4 where one could not be done, of which its runs tell; 75 where it was told to end."""
    if about["allow"]:
        sys.path.insert(0, os.getcwd())  # own parts may lie where the command is typed
    from mmfuse.run.ahead import encode_ahead

    listener, code = progress.listener(about["quiet"], about["json"]), 0
    for job in jobs:
        try:
            with handled_by(interrupt):
                encode_ahead(job["config"], job["modalities"], listener)
        except Interrupted as stop:
            return stop.exit_code
        except Exception as error:
            listener.close()
            traceback.print_exc()
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            listener.advised("encoding", f"{', '.join(job['modalities'])}: {said}; left to the runs that need it")
            code = 4
    listener.close()
    return code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), yaml.load(sys.stdin, getattr(yaml, "CSafeLoader", yaml.SafeLoader))))
