"""An analysis.json as a finished run of three modalities may have it, with all that it can have."""

import math
from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
MODALITIES = ["image", "audio", "text"]
RATES = [0.0, 0.3, 0.6, 0.9]


def analysis(task: str, classes: list[str], text: str) -> dict[str, Any]:
    """`text` stands wherever a row's own words would."""
    spread = {"mean": 0.2, "std": 0.02}
    shares = {"image": 0.2, "audio": 0.5, "text": 0.3}
    alike = dict.fromkeys(MODALITIES, spread)
    curve = {
        "values": [0.9, 0.8, 0.7, 0.5],
        "std": [0.0, 0.01, 0.02, 0.03],
        "area": 0.74,
        "drop": 0.16,
        "hidden": RATES,
    }
    noisy = {"levels": [0, 1, 2, 3], "unit": "sd", "values": [0.9, 0.8, 0.6, 0.4], "std": [0, 0.1, 0.1, 0.1]}
    noisy = {kind: noisy | {"area": 0.7, "drop": 0.2} for kind in ("gaussian", "occlusion")}
    rows = [str(k) for k in range(40)]
    points = [[math.sin(k), math.cos(2.3 * k)] for k in range(40)]
    shows = {
        "image": {"kind": "image", "src": f"data:image/png;base64,{PIXEL}"},
        "audio": {"kind": "audio", "src": f"data:audio/wav;base64,{SILENCE}", "seconds": 0.0},
        "text": {"kind": "text", "text": text},
        "vector": {"kind": "vector", "values": [0.25, -1.5]},
        "late": {"kind": "missing"},
    }
    heeded: dict[str, Any] = {"row": "7", "task": task, "parts": None, "grid": None}
    return {
        "split": "test",
        "rows": 359,
        "seeds": [0],
        "contributions": {
            "absence": "permutation",
            "draws": 20,
            "rows": 359,
            "modalities": MODALITIES,
            "tasks": {
                task: {
                    "figure": "accuracy",
                    "shapley": {
                        "image": {"mean": 0.204, "std": 0.016},
                        "audio": {"mean": 0.518, "std": 0.014},
                        "text": {"mean": 0.126, "std": None},
                    },
                    "imbalance": 0.46,
                    "leave_one_out": alike,
                    "perceptual": {m: spread | {"normalised": 0.25} for m in MODALITIES},
                    "interaction": {"image+audio": spread, "image+text": {"mean": -0.1, "std": 0.02}},
                    "emap": {
                        "rows": 359,
                        "model": 0.944,
                        "emap": 0.9,
                        "difference": 0.044,
                        "ci95": [0.02, 0.07],
                        "p": 0.004,
                        "detectable": 0.03,
                    },
                    "patterns": {"image": 0.57, "audio": 0.72, "image+audio": 0.89, "image+audio+text": 0.94},
                    "curves": {
                        "rates": RATES,
                        "each": dict(zip(MODALITIES, (curve, curve, curve), strict=True)),
                        "all": curve,
                    },
                }
            },
        },
        "noise": {
            "figure": {task: "accuracy"},
            "tasks": {task: {"image": noisy, "audio": {"gaussian": noisy["gaussian"]}}},
            "late": {task: {"image": noisy}},
            "robustness": {task: {"image": {"gaussian": {"relative": 0.9, "effective": 0.03}}}},
        },
        "weights": {
            "fusion": "gated",
            "of": "seed-0",
            "modalities": MODALITIES,
            "mean": shares,
            "by_class": {task: dict.fromkeys(classes, shares)},
            "rows": {"ids": rows, **{m: [abs(math.sin(k + len(m))) for k in range(40)] for m in MODALITIES}},
        },
        "gradients": {task: alike},
        "attention": [
            heeded | {"modality": "text", "kind": "words", "parts": ["a", text, "film"], "weights": [0.1, 0.7, 0.2]},
            heeded | {"modality": "image", "kind": "patches", "grid": [2, 2], "weights": [0.1, 0.2, 0.3, 0.4]},
            heeded | {"modality": "audio", "kind": "frames", "weights": [0.5, 0.3, 0.2]},
        ],
        "space": {
            "method": "tsne",
            "of": "seed-0",
            "points": {"fused": points, "image": points},
            "rows": rows,
            "class": {task: [classes[k % len(classes)] for k in range(40)]},
        },
        "worst": {
            task: [
                {"row": text, "target": classes[0], "predicted": classes[-1], "p": 0.98, "loss": 4.1, "shows": shows}
                for _ in range(5)
            ]
        },
        "cost": {
            "parameters": 546442,
            "trained": 546442,
            "macs_per_row": 12_300_000,
            "seconds": {"train": [9.5, 10.5], "per_row": 0.00123},
            "peak_memory_mb": 812.4,
        },
        "left_out": {},
    }
