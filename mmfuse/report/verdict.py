"""Did fusing help? In a sentence, for each task."""

from collections.abc import Mapping
from typing import Any

from mmfuse.metrics.direction import less
from mmfuse.report import plot
from mmfuse.report.blocks import Banner, Block, Chart, Prose, Section, Tone
from mmfuse.report.kinds import headline
from mmfuse.report.record import Record
from mmfuse.report.words import interval, known, mean_std, p_value, signed, signed_interval
from mmfuse.wording import number

WORDS: dict[str, tuple[str, Tone]] = {
    "HELPS": ("Fusion helps", "good"),
    "HURTS": ("Fusion hurts", "bad"),
    "NO EVIDENCE": ("No evidence that fusion helps", "open"),
}


def verdict(record: Record) -> Section:
    judged = record.metrics.get("verdict", {})
    blocks: list[Block] = [banner(t, table, len(judged) > 1) for t, table in judged.items()]
    if not blocks:
        blocks.append(unjudged(record))
    blocks += [Prose(beside_concat(t, about, len(judged) > 1), True) for t, about in judged.items()]
    if judged:
        blocks.append(differences(judged))
        blocks.append(
            Prose(
                "The best single modality is the one with the best validation figure. Intervals are 95 % bootstrap "
                "intervals over independent units of the test rows; p is of a paired test, corrected for the number "
                "of comparisons (Holm).",
                True,
            )
        )
    if record.other_version:
        blocks.append(
            Prose(f"This run was made by mmfuse {record.other_version}, another version than wrote this.", True)
        )
    return Section("verdict", "Verdict", blocks)


def banner(task: str, table: Mapping[str, Any], several: bool) -> Banner:
    about = table["against"][table["best"]]
    word, tone = WORDS[table["verdict"]]
    over = f"{table['best']} alone ({number(about['value'])})"
    return Banner(
        word,
        f"{change(table['figure'], about)} over {over}, {p_value(about['p_holm'])}, Holm.{shows(about)}",
        tone,
        task if several else "",
    )


def change(figure: str, about: Mapping[str, Any]) -> str:
    name = (
        figure.capitalize() if figure.isalpha() and figure != "mae" else figure.upper() if figure == "mae" else figure
    )
    way = " (less is better)" if less(figure) else ""
    return f"{name}{way} {signed(about['difference'])} {signed_interval(about['ci95'])}"


def shows(about: Mapping[str, Any]) -> str:
    if about["verdict"] != "NO EVIDENCE" or known(about.get("detectable")) is None:
        return ""
    return f" The smallest difference that these test rows could have shown is {number(about['detectable'])}."


def beside_concat(task: str, table: Mapping[str, Any], several: bool) -> str:
    said = []
    for name, about in table["against"].items():
        if name != table["best"]:
            word = {"HELPS": "it is better", "HURTS": "it is worse", "NO EVIDENCE": "no evidence of a difference"}
            other = "plain concatenation" if name == "concat" else name
            said.append(
                f"Against {other} ({number(about['value'])}): {word[about['verdict']]}, "
                f"{change(table['figure'], about).lower()}, {p_value(about['p_holm'])}.{shows(about)}"
            )
    return (f"{task}. " if several else "") + " ".join(said)


def differences(judged: Mapping[str, Any]) -> Chart:
    rows = [
        {
            "against": f"{t}: {name}" if len(judged) > 1 else name,
            "value": about["difference"],
            "low": about["ci95"][0],
            "high": about["ci95"][1],
        }
        for t, table in judged.items()
        for name, about in table["against"].items()
    ]
    figures = ", ".join(dict.fromkeys(table["figure"] for table in judged.values()))
    title = f"Difference in {figures} to each baseline, 95 % interval"
    order = [str(row["against"]) for row in rows]
    said = "; ".join(f"{r['against']} {signed(r['value'])}" for r in rows)
    return Chart("verdict", title, plot.differences(rows, "against", f"difference in {figures}", order), said)


def unjudged(record: Record) -> Banner:
    task, table = next(iter(record.tasks.items()))
    figure = headline(table)[0]
    found = f"{task}: {figure} {mean_std(table[figure])} {interval(table[figure].get('ci95'))}".strip()
    if len(record.config["modalities"]) < 2:
        return Banner(
            "One modality", f"{found}. This run hears {record.config['modalities'][0]} alone: nothing is fused."
        )
    if "baselines" in record.metrics:
        return Banner(
            "No verdict", f"{found}. Baselines were trained, but nothing was recorded of how it compares to them."
        )
    advice = "train it with baselines=true, which trains each modality alone and plain concatenation beside it"
    return Banner("No verdict yet", f"{found}. Whether fusing helps is not known: {advice}.")
