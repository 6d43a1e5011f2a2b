"""`mmfuse report`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.commands.parser import Parser, add_talk
from mmfuse.errors import ConfigError, UserError

ABOUT = "one HTML file of a run, or of several, with tables and pictures, and the same as Markdown"
EXAMPLES = """examples:
  mmfuse report outputs/latest                 report.html, report.md and figures/*.svg in the run's folder
  mmfuse report outputs/latest --no-analysis   from what the run recorded, without asking its model again
  mmfuse report outputs/latest -o said.html    the page elsewhere; said.md and figures/ beside it
  mmfuse report outputs/                       several runs, such as a sweep's: how they compare, and what makes it

What each modality gives, noise, the shared space and the worst errors are computed once and kept in analysis.json."""


def run(typed: list[str]) -> int:
    parser = Parser("report", ABOUT, EXAMPLES)
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", type=Path, help="a finished run's folder, or folders of several"
    )
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: RUN/report.html")
    parser.add_argument("--ref", metavar="RUN", help="of several: the run that the others are tested against")
    parser.add_argument(
        "--no-analysis", action="store_true", help="do not ask the model; analysis.json is read if there"
    )
    parser.add_argument("--allow", action="append", default=[], metavar="PACKAGE", help="whose parts the run may name")
    add_talk(parser)
    options = parser.parse_args(typed)
    from mmfuse.run.finished import refuse_unless_finished

    several = len(options.runs) > 1 or (options.runs[0].is_dir() and not (options.runs[0] / "status.json").exists())
    folder = options.runs[0] if several else refuse_unless_finished(options.runs[0])
    place = Path() if len(options.runs) > 1 else folder
    page = (options.output or place / "report.html").absolute()
    check_place(page)
    refuse_without_libraries()
    if several:
        from mmfuse.compare.comparison import comparison
        from mmfuse.compare.page import counted, sections

        about = comparison(options.runs, options.ref)
        return told(write("Comparison", sections(about), counted(about), page), options)
    from mmfuse.report.record import read

    read(folder)  # a damaged record is told before the model is asked
    why = "it was left out (--no-analysis)" if options.no_analysis else analysed(folder, options)
    from mmfuse.report import build

    record = read(folder, why)
    return told(
        write(record.name, build.sections(record, *defaults(record.config)), build.about(record), page), options
    )


def told(written: list[Path], options: Any) -> int:
    if not options.quiet:
        say(written, options.json)
    return 0


def check_place(page: Path) -> None:
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"-o {page}: a report is an .html file, not '{page.suffix}'")
    if not page.parent.is_dir():
        raise ConfigError(f"-o {page}: there is no folder {page.parent}\n  to go on: mkdir -p {page.parent}")


def refuse_without_libraries() -> None:
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"a report needs {error.name}, which is not installed\n  to go on: pip install 'mmfuse[report]'"
        ) from error


def analysed(folder: Path, options: Any) -> str:
    """Makes analysis.json where there is none that is newer than the checkpoints, or says why it cannot."""
    if fresh(folder):
        return ""
    from mmfuse.atomic import write_json

    try:
        from mmfuse import progress
        from mmfuse.run.analyse import analyse
        from mmfuse.run.finished import finished

        table = analyse(finished(folder, options.allow), progress.listener(options.quiet, options.json))
    except ImportError as error:
        return f"the analysis needs {error.name}, which is not there"
    except UserError as error:
        return f"the run could not be analysed: {str(error).splitlines()[0]}"
    if not fresh(folder):
        write_json(folder / "analysis.json", table)
    return ""


def fresh(folder: Path) -> bool:
    kept = folder / "analysis.json"
    models = [path.stat().st_mtime for path in folder.glob("seed-*/checkpoints/best.ckpt")]
    return kept.exists() and kept.stat().st_mtime >= max(models, default=0.0)


def write(title: str, parts: Sequence[Any], about: str, page: Path) -> list[Path]:
    """The page, the same as Markdown, and its charts."""
    from mmfuse.atomic import write_text
    from mmfuse.report import figures
    from mmfuse.report.blocks import charts
    from mmfuse.report.markdown import markdown
    from mmfuse.report.page import page as paged

    try:
        write_text(page, paged(title, parts, about))
        write_text(page.with_suffix(".md"), markdown(title, parts, about))
        return [page, page.with_suffix(".md"), *figures.write(page.parent, charts(parts))]
    except OSError as error:
        raise ConfigError(f"{page} cannot be written: {error.strerror or error}\n  to go on: -o elsewhere") from error


def defaults(config: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
    """The config of the same parts with nothing else said; or None, and why."""
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.compose import compose

    choices = {group: name for group, name in config.get("choices", {}).items() if "/" not in group and name}
    encoders = {
        f"encoder.{m}": about["name"]
        for m, about in (config.get("encoder") or {}).items()
        if isinstance(about, dict) and "name" in about
    }
    subset = {"modalities": f"[{','.join(config['modalities'])}]"} if config.get("modalities") else {}
    try:
        return compose([f"{k}={v}" for k, v in {**choices, **subset, **encoders}.items()], Catalog([])), ""
    except UserError as error:
        return None, str(error).splitlines()[0]


def say(written: list[Path], as_json: bool) -> None:
    import json

    page, beside, *drawn = written
    size = page.stat().st_size
    if as_json:
        print(json.dumps({"event": "report", "file": str(page), "bytes": size, "figures": len(drawn)}))
        return
    print(f"saved {page}   {size / 1e6:.1f} MB, one file that needs no network")
    print(f"saved {beside}   with {len(drawn)} figures in {page.parent / 'figures'}")
