"""Charts as files: one SVG each."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from mmfuse.atomic import write_text
from mmfuse.report.blocks import Chart
from mmfuse.report.theme import in_print

FOLDER = "figures"
NOT_A_NAME = re.compile(r"[^\w.-]+")


def file_of(chart: Chart) -> str:
    """Beside the report; names of tasks and modalities may hold anything.

    >>> file_of(Chart("learning-a/b c", "", {}, ""))
    'figures/learning-a-b-c.svg'
    """
    return f"{FOLDER}/{NOT_A_NAME.sub('-', chart.name)}.svg"


def write(folder: Path, charts: Sequence[Chart]) -> list[Path]:
    """Those of an earlier report are gone afterwards."""
    import vl_convert

    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    (folder / FOLDER).mkdir()
    paths = [folder / file_of(chart) for chart in charts]
    for path, chart in zip(paths, charts, strict=True):
        write_text(path, vl_convert.vegalite_to_svg(in_print(chart.spec)))
    return paths
