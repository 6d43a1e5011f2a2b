"""Optional parts, as the installed package lists them."""

from importlib.metadata import PackageNotFoundError, metadata

from mmfuse.doctor.finding import Finding
from mmfuse.doctor.versions import asked, fault, installed

SECTION = "optional parts"
OF_DEVELOPERS = "dev"


def findings() -> list[Finding]:
    try:
        names = metadata("mmfuse").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return [Finding(SECTION, "unknown", "mmfuse is not installed", "warning", "pip install mmfuse")]
    return [of_extra(name) for name in names if name != OF_DEVELOPERS]


def of_extra(name: str) -> Finding:
    needs = asked(name)
    wrong = [f"{r.name} {said}" for r in needs if (said := fault(r))]
    if wrong:
        return Finding(SECTION, name, ", ".join(wrong), "missing", f"pip install 'mmfuse[{name}]'")
    return Finding(SECTION, name, ", ".join(f"{r.name} {installed(r.name)}" for r in needs))
