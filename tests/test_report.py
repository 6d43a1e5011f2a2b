"""The report of one run: its figures are the record's, nothing in the data becomes markup, a browser draws it all."""

import json
import os
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from analysed import analysis
from report_runs import CLASSES, EVIL, ROWS, changed, made, said, tasks, verdict

from mmfuse import cli
from mmfuse.errors import ConfigError, DataError
from mmfuse.metrics.summary import Answers
from mmfuse.report import kinds
from mmfuse.report.blocks import Banner, Section
from mmfuse.report.build import sections
from mmfuse.report.headline import oddities
from mmfuse.report.page import page
from mmfuse.report.record import read
from mmfuse.report.reliability import pooled
from mmfuse.report.verdict import verdict as verdict_section
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.pairs import Pairs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tables(HTMLParser):
    """Each table as rows of (text, what it is sorted by)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list[list[tuple[str, str | None]]]] = []
        self.by: str | None = None
        self.text: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.found.append([])
        elif tag == "tr":
            self.found[-1].append([])
        elif tag in ("td", "th"):
            self.text, self.by = "", dict(attrs).get("data-by")
        elif tag == "small":
            self.text = f"{self.text} "

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.text is not None:
            self.found[-1][-1].append((self.text, self.by))
            self.text = None

    def headed(self, *columns: str) -> list[list[tuple[str, str | None]]]:
        return next(t[1:] for t in self.found if [text for text, _ in t[0]][: len(columns)] == list(columns))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reported once, with all that an analysis may have."""
    folder = made(tmp_path_factory.mktemp("report") / "run", tasks(CLASSES), verdict=verdict("HELPS"))
    (folder / "analysis.json").write_text(json.dumps(analysis("kind", CLASSES, EVIL)))
    assert cli.main(["report", str(folder), "--no-analysis", "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def dotted(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def test_the_figures_of_the_page_are_those_of_the_record(run: Path, html: str) -> None:
    recorded = json.loads((run / "metrics.json").read_text())["test"]
    page = Tables(html)
    ours = page.headed("model", "accuracy")[0]
    for (text, by), figure in zip(ours[1:], ("accuracy", "precision_macro", "recall_macro", "f1_macro"), strict=True):
        about = recorded["kind"][figure]
        assert float(by or "") == about["mean"]
        low, high = about["ci95"]
        assert text == f"{dotted(about['mean'])} ± {dotted(about['std'])} [{dotted(low)}, {dotted(high)}]"
    classes = {row[0][0]: row for row in page.headed("class", "precision", "recall", "f1", "test rows")}
    assert float(classes[EVIL][3][1] or "") == recorded["kind"]["per_class"]["f1"][EVIL]["mean"]
    every = page.headed("figure", "test", "95 % interval", "seed 0", "seed 1", "validation")
    nll = next(row for row in every if row[0][0] == "nll")
    assert [float(nll[k][1] or "") for k in (3, 4)] == recorded["kind"]["nll"]["values"]


def test_markdown_tables_read_back(run: Path) -> None:
    recorded = json.loads((run / "metrics.json").read_text())["test"]["score"]["mae"]
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", (run / "report.md").read_text(), re.MULTILINE)
    tables = [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]
    assert all(len({len(row) for row in table}) == 1 for table in tables)
    mae = next(table for table in tables if [cell.strip() for cell in table[0]] == ["model", "mae", "pearson"])
    assert mae[2][1].strip().startswith(f"{dotted(recorded['mean'])} ± {dotted(recorded['std'])}")
    assert any(cell.strip() == "a\\|b" for table in tables for row in table for cell in row)
    assert EVIL not in re.sub(r"^```\n.*?^```\n", "", (run / "report.md").read_text(), flags=re.MULTILINE | re.DOTALL)


def test_reliability_is_what_pandas_has(run: Path) -> None:
    runs = [said(tasks(CLASSES), seed) for seed in range(2)]
    probabilities, target = (
        np.concatenate([getattr(one, part)["kind"] for one in runs]) for part in ("answers", "targets")
    )
    frame = pd.DataFrame({"said": probabilities.max(axis=1), "right": probabilities.argmax(axis=1) == target})
    each = frame.groupby(pd.cut(frame["said"], np.linspace(0, 1, 16)), observed=False)
    found = pooled(read(run), "kind", None)["as predicted"]
    np.testing.assert_array_equal(found.rows, each.size())
    np.testing.assert_allclose(found.confidence, each["said"].mean())
    np.testing.assert_allclose(found.accuracy, each["right"].mean())


def test_the_page_fetches_nothing_and_is_small(html: str) -> None:
    assert len(html.encode()) < 3e6
    own = max(html.split("<script>"), key=len)  # Vega, in which the names of XML's vocabularies stand
    assert "://" not in html.replace(own, "")
    assert "vega.github.io/editor" not in html
    assert "default-src 'none'" in html


def test_nothing_in_the_data_becomes_markup(html: str) -> None:
    assert EVIL not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    about = analysis("kind", CLASSES, "x")
    rows = [about["worst"]["kind"][0]]
    rows[0]["shows"]["image"]["src"] = "javascript:alert(1)"
    rows[0]["shows"]["audio"]["src"] = "data:audio/wav;base64,AA' onerror='alert(1)"
    from mmfuse.report.worst import cards

    assert "alert" not in cards("kind", rows, True)


def test_every_chart_is_a_figure(run: Path, html: str) -> None:
    drawn = set(re.findall(r'data-name="([^"]+)"', html))
    files = list((run / "figures").glob("*.svg"))
    assert {file.stem for file in files} == drawn
    assert {"verdict", "confusion-kind", "classes-tags", "residuals-score", "reliability-kind", "shapley-kind"} <= drawn
    for file in files:
        assert ElementTree.parse(file).getroot().tag.endswith("svg")
        assert "var(" not in file.read_text()
        assert f"](figures/{file.name})" in (run / "report.md").read_text()


def banner(folder: Path) -> Banner:
    found = verdict_section(read(folder)).blocks[0]
    assert isinstance(found, Banner)
    return found


def test_the_verdict_comes_first_in_a_sentence(run: Path, tmp_path: Path) -> None:
    helps = banner(run)
    assert (helps.word, helps.tone) == ("Fusion helps", "good")
    assert helps.sentence == "Accuracy +.180 [+.139, +.220] over image alone (.770), p = .002, Holm."
    kind = {"kind": Multiclass(CLASSES)}
    none = made(tmp_path / "none", kind, verdict=verdict("NO EVIDENCE", p_holm=0.31))
    assert banner(none).word == "No evidence that fusion helps"
    assert banner(none).sentence.endswith("The smallest difference that these test rows could have shown is .058.")
    assert banner(made(tmp_path / "hurts", kind, verdict=verdict("HURTS"))).tone == "bad"
    alone = made(tmp_path / "alone", kind)
    assert "baselines=true" in banner(alone).sentence
    (alone / "config.yaml").write_text((alone / "config.yaml").read_text().replace("- image\n", ""))
    assert banner(alone).word == "One modality"


def test_what_is_not_there_is_named_with_its_reason(tmp_path: Path) -> None:
    folder = made(tmp_path / "bare", {"score": tasks(CLASSES)["score"]})
    (folder / "analysis.json").write_text(json.dumps({"left_out": {"weights": "the fusion has no weights"}}))
    shutil.rmtree(folder / "seed-1")
    (folder / "audit.json").unlink()
    found: dict[str, Section] = {s.id: s for s in sections(read(folder, "it was left out"), None, "own parts")}
    reasons = {name: section.absent for name, section in found.items() if not section.blocks}
    assert reasons["weights"] == "the fusion has no weights"
    assert reasons["contributions"] == "it was left out"
    assert {"confusion", "classes", "calibration", "audit", "worst", "space"} <= set(reasons)
    assert all(reasons.values())


def test_many_classes_keep_the_page_small(tmp_path: Path) -> None:
    classes = [f"answer {k}" for k in range(475)]
    many = {"kind": Multiclass(classes)}
    folder = made(tmp_path / "many", many, [said(many, 0)], samples=2)
    text = page("many", sections(read(folder), None, "it is made by hand"))
    assert len(text.encode()) < 3e6
    assert "The 20 most confused of 475 classes" in text


def oddities_of(folder: Path, answer: np.ndarray, target: np.ndarray) -> str:
    run = Answers({"kind": np.arange(len(target))}, {"kind": answer}, {"kind": target})
    made(folder, {"kind": Multiclass(["a", "b", "c"])}, [run, run])
    return " ".join(oddities(read(folder).tasks["kind"]))


def test_figures_that_mislead_are_said_to(tmp_path: Path) -> None:
    constant = np.tile([0.8, 0.1, 0.1], (12, 1))
    told = np.eye(3)[np.arange(12) % 3] * 0.8 + 0.05
    assert "every row is said to be a" in oddities_of(tmp_path / "1", constant, np.arange(12) % 3)
    assert "No test row is of c" in oddities_of(tmp_path / "2", told, np.arange(12) % 2)
    assert "of one class, b" in oddities_of(tmp_path / "3", told, np.ones(12, dtype=np.int64))
    assert oddities_of(tmp_path / "4", told, np.arange(12) % 3) == ""


def test_a_run_that_cannot_be_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "run", {"kind": Multiclass(CLASSES)})
    changed(folder, "manifest.json", versions={"mmfuse": "0.0.1"})
    blocks = verdict_section(read(folder)).blocks
    assert any("0.0.1, another version" in getattr(block, "text", "") for block in blocks)
    assert cli.main(["report", str(folder), "-o", str(tmp_path / "page.pdf")]) == 2
    assert cli.main(["report", str(folder), "-o", str(tmp_path / "no" / "page.html")]) == 2
    changed(folder, "status.json", state="running")
    assert cli.main(["report", str(folder)]) == 2
    assert "not finished" in capsys.readouterr().err
    changed(folder, "status.json", state="done")
    (folder / "metrics.json").write_text("{")
    with pytest.raises(ConfigError, match="record is damaged"):
        read(folder)


def test_a_model_is_asked_when_what_is_known_of_it_is_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mmfuse.commands.report import analysed, fresh

    folder = made(tmp_path / "run", {"kind": Multiclass(CLASSES)})
    models = folder / "seed-0" / "checkpoints"
    models.mkdir()
    (models / "best.ckpt").write_bytes(b"")
    asked: list[Any] = []
    stub = types.ModuleType("mmfuse.run.analyse")
    monkeypatch.setitem(sys.modules, "mmfuse.run.analyse", stub)
    monkeypatch.setattr("mmfuse.run.finished.finished", lambda place, allow: place)
    options = types.SimpleNamespace(quiet=True, json=False, allow=[])
    stub.analyse = lambda run, listener: asked.append(run) or {"made": "now"}  # type: ignore[attr-defined]
    assert not fresh(folder)
    assert analysed(folder, options) == ""
    assert json.loads((folder / "analysis.json").read_text()) == {"made": "now"}
    assert analysed(folder, options) == ""
    assert asked == [folder]
    os.utime(models / "best.ckpt", (2**33, 2**33))
    assert not fresh(folder)

    def refused(run: Any, listener: Any) -> dict[str, Any]:
        raise DataError("the table has gone\n  to go on: bring it back")

    stub.analyse = refused  # type: ignore[attr-defined]
    assert analysed(folder, options) == "the run could not be analysed: the table has gone"


def test_headlines_are_those_of_the_tasks() -> None:
    every = {**tasks(CLASSES), "pairs": Pairs(["image", "text"])}
    for task, of in zip(every.values(), ("classes", "number", "labels", "pairs"), strict=True):
        assert kinds.HEADLINES[of] == task.headline  # type: ignore[index]


def test_a_report_of_records_needs_no_torch() -> None:
    code = (
        "import sys, mmfuse.report.build, mmfuse.report.page, mmfuse.report.markdown; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


MARKS = ".drawing svg .mark-group [d], .drawing svg .mark-group text"
DRAWN = f"[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('{MARKS}'))"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_every_chart(run: Path, browser: Any, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else complaints.append(asked.url))
    page.goto((run / "report.html").as_uri())
    page.wait_for_function(DRAWN, timeout=30_000)
    assert page.locator(".chart").count() == len(list((run / "figures").glob("*.svg")))
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    assert before == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]
    page.locator("#theme").click()
    assert page.evaluate(ground) != before
    assert page.evaluate("document.documentElement.scrollWidth") == 390  # wide tables scroll within themselves
    assert complaints == []
    page.close()


def test_tables_sort_and_filter(run: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto((run / "report.html").as_uri())
    table = page.locator("#all-figures .table").first
    cells = lambda column: table.locator(f"tbody tr:visible td:nth-child({column})").all_inner_texts()  # noqa: E731
    head = table.locator("th", has_text="seed 0")
    for order in ("ascending", "descending"):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        values = [float(text) for text in cells(4) if text != "n/a"]
        assert len(values) > 10
        assert values == sorted(values, reverse=order == "descending")
    table.get_by_role("searchbox").fill("recall macro")
    assert cells(1) == ["recall_macro"]
    table.get_by_role("searchbox").fill("")
    assert len(cells(1)) == ROWS // 80 * len(values)
    page.close()
