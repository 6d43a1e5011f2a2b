"""Every published table runs to its end: over its own data, or over files of chance in the layout of those it needs."""

import json
import os
from pathlib import Path

import pytest
from in_process import Here
from published_layouts import LAYOUTS

from mmfuse.cli import main
from mmfuse.commands import sweep as sweep_command
from mmfuse.config.catalog import Catalog
from mmfuse.reproduce.table import named

TABLES = {name: named(name, Catalog()) for name in Catalog().options("baseline")}
HERE = ("av_digits", "easy_vqa", "handwritten6", "mosi_bclstm", "vqa_rad")  # whose data is free to be passed on
MADE = [name for name, table in TABLES.items() if table.dataset in LAYOUTS]
QUICK = ("mustard_svm",)  # the others take up to a minute each
GIVEN = {"encoder.image.weights": "vgg16.pth", "encoder.text.prepare.vectors": "words.txt"}  # as the layouts name them


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(sweep_command, "launcher_of", lambda *parts: Here())


def smoked(name, folder, *typed):
    """By row and figure: the verdict and what was found."""
    assert main(["reproduce", name, "--smoke", "--quiet", f"output_dir={folder}", "threads=1", *typed]) == 0
    return json.loads((folder / f"baseline-{name}-smoke" / "table.json").read_text())["cells"]


def test_every_table_has_data_or_a_layout():
    assert set(TABLES) - set(MADE) == set(HERE)
    assert {TABLES[name].dataset for name in MADE} == set(LAYOUTS)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in MADE])
def test_a_table_runs_over_files_in_the_published_layout(name, here, random, tmp_path, monkeypatch):
    table = TABLES[name]
    (root := tmp_path / table.dataset).mkdir()
    LAYOUTS[table.dataset](root, random)
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path))
    cells = smoked(name, tmp_path / "out", *(f"{key}={root / GIVEN[key]}" for key in table.given))
    verdicts = {row.name: "RAN" if row.not_built is None else "NOT BUILT" for row in table.rows}
    assert {cell["row"]: cell["verdict"] for cell in cells} == verdicts
    for cell in cells:
        if cell["verdict"] == "RAN":
            assert cell["rows"] > 0
            assert cell["mean"] is not None


@pytest.mark.parametrize("name", MADE)
def test_without_files_it_is_said_where_they_are_to_be_had(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path))
    assert main(["reproduce", name, f"output_dir={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / TABLES[name].dataset} is not there; {TABLES[name].get}" in said
    assert "NO DATA" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_a_table_runs_over_its_own_data(name, here, tmp_path):
    table = TABLES[name]
    if not (Path(os.environ.get("MMFUSE_DATA", "data")) / table.dataset).is_dir():
        pytest.skip(f"{table.dataset} is not there")
    cells = smoked(name, tmp_path)
    runs = {row.name for row in table.rows if row.not_built is None and row.needs is None}
    assert {cell["row"] for cell in cells if cell["verdict"] == "RAN"} == runs
