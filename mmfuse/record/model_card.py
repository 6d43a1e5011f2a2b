"""model_card.md: what was trained, on what, how good it is, and what nobody has measured.

After Mitchell et al., Model Cards for Model Reporting, 2019, https://arxiv.org/abs/1810.03993; the front matter is
Hugging Face's. It is made to be given away, so of a run's folders and files it tells names and no paths.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mmfuse.listener import Finding
from mmfuse.types import Task
from mmfuse.wording import figure, judged, number

Config = Mapping[str, Any]
TYPES = {"Multilabel": "multi-label-classification", "Regression": "regression", "Tokens": "token-classification"}
PARTS = ("model", "fusion", "completion", "strategy", "balance", "schedule", "imbalance", "optimizer")


def card(
    name: str,
    cfg: Config,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    findings: Sequence[Finding],
    tasks: Mapping[str, Task],
) -> str:
    """`name` is the run's; the rest is what its record says."""
    sections = {
        "Data": data(cfg, manifest, findings),
        "Model": model(cfg, manifest),
        "Training": training(cfg, manifest),
        "Figures": figures(cfg, manifest, metrics, tasks),
        "Limits": limits(cfg, metrics),
        "Use": use(name, manifest),
    }
    told = "\n".join(f"\n## {title}\n\n{text}" for title, text in sections.items())
    return f"{front_matter(name, manifest, metrics, tasks)}\n# {name}\n\n{opening(cfg, manifest)}\n{told}\n"


def front_matter(name: str, manifest: Mapping[str, Any], metrics: Mapping[str, Any], tasks: Mapping[str, Task]) -> str:
    """No language and no licence: a run knows neither."""
    dataset, results = manifest["choices"]["dataset"], []
    for t, table in metrics["test"].items():
        figures = [
            {"type": f, "name": f"{f} (mean of {len(table[f]['values'])})", "value": float(table[f]["mean"])}
            for f in tasks[t].headline
            if f in table and finite(table[f]["mean"])
        ]
        kind = TYPES.get(type(tasks[t]).__name__, "classification")
        about = {"name": dataset, "type": dataset, "split": "test"}
        results.append({"task": {"type": kind, "name": t}, "dataset": about, "metrics": figures})
    told = {
        "library_name": "mmfuse",
        "tags": ["multimodal", "multimodal-fusion", "pytorch", manifest["choices"]["fusion"]],
        "model-index": [{"name": name, "results": results}],
    }
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---\n"


def finite(value: float | None) -> bool:
    return value is not None and abs(value) < float("inf")  # NaN is not


def opening(cfg: Config, manifest: Mapping[str, Any]) -> str:
    modalities, chosen = ", ".join(cfg["modalities"]), manifest["choices"]
    may = len(cfg["modalities"]) > 1 and cfg["dataset"]["missing"]["policy"] == "mask"
    lacking = " A row may lack any of its modalities, as long as it has one." if may else ""
    return (
        f"Predicts {', '.join(cfg['tasks'])} from {modalities}, fused by {chosen['fusion']}, on the data set"
        f" {chosen['dataset']}. Trained by mmfuse {manifest['versions'].get('mmfuse', '')} on"
        f" {manifest['created'][:10]}.{lacking}"
    )


def without_folders(said: str) -> str:
    """
    >>> without_folders("the first /home/me/data/a.png (row 3)")
    'the first a.png (row 3)'
    """
    return re.sub(r"(?<!\S)['\"]?/\S*/", "", said)


def data(cfg: Config, manifest: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    about = manifest["data"]
    lines = [f"{about['rows']} rows, fingerprint {about['fingerprint']}.", "", "| fold | train | val | test |"]
    lines += ["|---|---|---|---|"]
    folds = about["splits"]
    for k, split in enumerate(folds):
        lines.append(
            f"| {k if len(folds) > 1 else 'one split'} | {split['train']} | {split['val']} | {split['test']} |"
        )
    lines += ["", "| modality | kind | rows without |", "|---|---|---|"]
    for m in cfg["modalities"]:
        lines.append(f"| {m} | {cfg['dataset']['modalities'][m]['kind']} | {about['missing'].get(m, 0)} |")
    for t, names in about["classes"].items():
        shown = "" if names is None else f": {', '.join(map(str, names[:20]))}{', ...' if len(names) > 20 else ''}"
        lines += ["", f"Task {t}{shown}."]
    worse = [finding for finding in findings if finding.grade != "note"]
    lines += ["", f"The audit has {len(worse)} warnings{':' if worse else '.'}"]
    lines += [f"- {finding.where or 'all'}, {finding.check}: {without_folders(finding.said)}" for finding in worse]
    return "\n".join(lines)


def model(cfg: Config, manifest: Mapping[str, Any]) -> str:
    chosen = manifest["choices"]
    lines = [f"{manifest['parameters']:,} parameters.", "", "| part | choice |", "|---|---|"]
    lines += [f"| encoder of {m} | {cfg['encoder'][m]['name']} |" for m in cfg["modalities"]]
    lines += [f"| {part} | {chosen[part]} |" for part in PARTS if chosen.get(part, "none") != "none"]
    if cfg["objectives"]:
        lines.append(f"| objectives | {', '.join(cfg['objectives'])} |")
    return "\n".join(lines)


def training(cfg: Config, manifest: Mapping[str, Any]) -> str:
    folds = f", each in {manifest['folds']} folds" if manifest["folds"] else ""
    hardware = manifest["hardware"]
    devices = ", ".join(hardware["accelerators"]) or f"{hardware['machine']}, {hardware['cpus']} CPUs"
    epochs = cfg["trainer"].get("max_epochs")
    return (
        f"Seeds {', '.join(map(str, manifest['seeds']))}{folds}. At most {epochs} epochs, batches of"
        f" {cfg['batch_size']} rows, learning rate {cfg['optimizer'].get('lr')}; validation rows"
        f" chose the epoch (early_stopping.monitor={cfg['early_stopping']['monitor']}). On {devices}."
        f" Modality dropout {cfg['drop']:g}."
    )


def figures(cfg: Config, manifest: Mapping[str, Any], metrics: Mapping[str, Any], tasks: Mapping[str, Task]) -> str:
    runs = len(manifest["seeds"]) * (manifest["folds"] or 1)
    spread = "mean ± sample deviation of " + f"{runs} trainings" if runs > 1 else "one training"
    lines = [f"On the test rows: {spread}, with a 95 % bootstrap interval over rows ({cfg['bootstrap']} draws)."]
    for t, table in metrics["test"].items():
        lines += ["", f"Task {t}:", ""]
        lines += [f"- {figure(f, table[f], full=True)}" for f in tasks[t].headline if f in table]
    for t, table in metrics.get("verdict", {}).items():
        lines += ["", f"{judged(t if len(tasks) > 1 else '', table)}."]
    for t, table in metrics.get("calibration", {}).items():
        error, after = metrics["test"][t].get("ece"), table["ece_calibrated"]
        before = f" {number(error['mean'])}, and" if error else ""
        lines += [
            "",
            f"Calibration of {t}: expected calibration error{before} {number(after['mean'])} after the temperature"
            f" {number(table['temperature']['mean'])}, which validation rows taught.",
        ]
    return "\n".join(lines)


def limits(cfg: Config, metrics: Mapping[str, Any]) -> str:
    """What the record is silent about."""
    lines = [
        "- Test rows come from the same source as training rows; other sources, times and places were not measured.",
        "- Who is in the data, and whether figures differ between groups of people, was not measured.",
        "- What it is meant for, and what it should not be used for, is for whoever publishes it to say.",
    ]
    if "verdict" not in metrics and len(cfg["modalities"]) > 1:
        lines.append("- Whether fusing helps was not measured: baselines=true compares it with each modality alone.")
    if "calibration" not in metrics:
        lines.append("- Whether its probabilities are to be believed was not measured.")
    if len(cfg["seeds"]) == 1:
        lines.append("- One seed was trained, which says nothing of how far another would differ.")
    return "\n".join(lines)


def use(name: str, manifest: Mapping[str, Any]) -> str:
    version = manifest["versions"].get("mmfuse", "")
    return (
        f"```sh\npip install mmfuse=={version}\nmmfuse predict {name} new.csv -o predictions.csv\n"
        f"mmfuse eval {name}\nsh {name}/command.sh   # trains it again, where it was trained\n```"
    )
