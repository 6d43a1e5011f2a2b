"""The benchmark's own rules: what is a miss, what fails a quick run, and that nothing is left out of the list."""

import ast
from pathlib import Path

import bench
import pytest
from benches import page, results
from benches.row import Row
from benches.sections import ASKED_FOR, QUICK, SECTIONS, about

BENCHES = Path(__file__).parents[1] / "scripts/benches"


def of_ratio(ratio: float, sign: str, bound: float) -> Row:
    return Row("a thing", ratio * 10, 10.0, (sign, bound), "rows/s")


@pytest.mark.parametrize(
    ("row", "met", "code"),
    [
        (of_ratio(1.0, ">=", 1.0), "PASS", 0),
        (of_ratio(0.51, ">=", 1.0), "FAIL", 0),  # off its goal, but not by twice
        (of_ratio(0.49, ">=", 1.0), "FAIL", 1),
        (of_ratio(1.1, "<", 1.15), "PASS", 0),
        (of_ratio(2.2, "<", 1.15), "FAIL", 0),
        (of_ratio(2.4, "<", 1.15), "FAIL", 1),
        (Row("a thing", 7.0, None, ("<", 3.0), "s"), "FAIL", 1),
        (Row("a thing", float("nan"), 1.0, (">=", 1.0), "rows/s"), "FAIL", 1),
        (Row("a thing", 0.01, 1.0, None, "rows/s"), "", 0),  # told for comparison
    ],
)
def test_a_quick_run_fails_where_a_goal_is_missed_by_more_than_twice(row, met, code, capsys):
    fine = of_ratio(5.0, ">=", 1.0)
    assert row.met == met
    assert bench.verdict([fine, row]) == code
    assert ("a thing" in capsys.readouterr().err) == bool(code)


def arguments_of_rows(file: Path) -> set[str] | None:
    """None of a module that is no section."""
    tree = ast.parse(file.read_text())
    found = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "rows" and file.stem != "sections"]
    return {argument.arg for argument in found[0].args.args} if found else None


def test_every_section_is_listed_and_says_what_it_is():
    sections = {file.stem for file in BENCHES.glob("*.py") if arguments_of_rows(file) is not None}
    assert sorted(SECTIONS) == sorted(sections)
    assert all(about(name) for name in SECTIONS)
    assert set(ASKED_FOR) < sections


def test_a_quick_run_asks_for_what_there_is():
    for name, keys in QUICK.items():
        assert set(keys) <= arguments_of_rows(BENCHES / f"{name}.py"), name


def test_a_later_run_keeps_the_other_sections_and_the_page_tells_all(tmp_path):
    file = tmp_path / "results.json"
    for name, ratio in (("steps", 1.0), ("vectors", 2.0), ("steps", 3.0)):
        found = results.read(file)
        found["sections"][name] = results.section([of_ratio(ratio, "<", 1.5)], 60.0, 0.5)
        results.write(found, file)
    told = page.page(results.read(file))
    assert "0 of 2 goals are met" in told
    assert told.count("| steps: a thing | 30 | 10 | 3.00 | < 1.5 | FAIL | rows/s |") == 1
    assert told.index("## vectors") < told.index("## steps")
    assert "| a thing | 20 | 10 | 2.00 |" in told
