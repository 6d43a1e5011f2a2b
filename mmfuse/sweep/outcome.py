"""The table at a sweep's end: its runs, the best first by what validation says, with the figure of the test."""

from collections.abc import Sequence
from pathlib import Path

from mmfuse.record.status import Status
from mmfuse.sweep import failures
from mmfuse.sweep.figures import headline
from mmfuse.sweep.plan import Run
from mmfuse.wording import number

SHOWN = 20  # runs


def lines(folder: Path, runs: Sequence[Run]) -> list[str]:
    results = [(run, result) for run in runs if (result := headline(folder / run.folder))]
    best = sorted(results, key=lambda pair: pair[1].rank, reverse=True)
    found = list[str]()
    if best:
        run, top = best[0]
        several = len({result.task for _, result in results}) > 1
        width = max(len(run.folder) for run, _ in best[:SHOWN])
        found.append(f"{'run':<{width}}  {'val':>7}  {'test':>7}   {'' if several else f'{top.task}: '}{top.figure}")
        for each, result in best[:SHOWN]:
            found.append(f"{each.folder:<{width}}  {number(result.val):>7}  {number(result.test):>7}")
        if len(best) > SHOWN:
            found.append(f"... and {len(best) - SHOWN} more")
    failed = [run for run in runs if Status.read(folder / run.folder) == "failed"]
    for run in failed[:SHOWN]:
        errors = failures.of(folder / run.folder)
        found.append(f"failed   {run.folder}   {errors[-1]['error'] if errors else ''}")
    found.append(f"{len(results)} of {len(runs)} done{f', {len(failed)} failed' if failed else ''}")
    if best:
        said = " ".join(f"{key}={value}" for key, value in run.differs.items()) or run.folder
        found.append(f"best by validation: {said}   next: mmfuse compare {folder}")
    return found
