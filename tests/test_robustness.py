"""Curves of finished runs: where they start, what they do not depend on, and what a late fusion's say of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_models as tiny
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from mmfuse.cli import main
from mmfuse.contribution.contributions import contributions
from mmfuse.listener import Listener
from mmfuse.metrics.curve import effective, summary
from mmfuse.run.answers_of import own_rows
from mmfuse.run.finished import finished
from mmfuse.run.loader import loader
from mmfuse.run.restored import model, replica
from mmfuse.run.robustness import late_fusion, noise_curves

SHORT = ["trainer.max_epochs=1", "bootstrap=10", "threads=1", "--quiet"]
BLUR = {"photo": {"blur": (0.0, 1.0, 2.0)}, "review": {"words": (0.0, 0.5, 1.0)}}


class Advised(Listener):
    def __init__(self):
        self.about = []

    def advised(self, about, said):
        self.about.append(about)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two seeds on 60 rows with five modalities, one of them read by a frozen encoder, of two tasks."""
    folder, random = tmp_path_factory.mktemp("robust"), np.random.default_rng(0)
    rows = []
    for row in range(60):
        label = row % 2
        drawn = (random.random((12, 10)) * 100 + 100 * label).astype(np.uint8)
        drawn[::2] //= 1 + label
        blurred = gaussian_filter(drawn.astype(float), 1.0, mode="nearest").round().astype(np.uint8)
        Image.fromarray(drawn).save(folder / f"{row}.png")
        Image.fromarray(blurred).save(folder / f"blurred-{row}.png")
        np.save(folder / f"{row}.npy", random.standard_normal((1 + row % 5, 4)) + label)
        about = {"photo": f"{row}.png" if row != 45 else "", "pose": f"{row}.npy", "age": 20 + row, "town": "AB"[label]}
        about |= {"review": ["very bad indeed", "rather good"][label], "mood": ["sad", "glad"][label]}
        about |= {"grade": label + row / 100, "part": ["train", "train", "train", "dev", "test", "test"][row // 10]}
        rows.append(about)
    pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
    modalities = (
        "{photo: {kind: image}, review: {kind: text}, pose: {kind: sequence}, "
        "who: {kind: tabular, columns: [age, town]}, town: {kind: tabular, columns: [town]}}"
    )
    tasks = "{mood: {kind: multiclass}, grade: {kind: regression}}"
    keys = ["dataset=table", f"dataset.file={folder}/rows.csv", "dataset.split.column=part", "batch_size=16"]
    keys += [f"dataset.modalities={modalities}", f"dataset.tasks={tasks}", f"output_dir={folder}"]
    keys += ["encoder.review=hf", f"encoder.review.model={tiny.bert()}", "cache=false"]
    assert main(["train", *keys, *SHORT, "strategy=multi_task", "seeds=[0,1]"]) == 0
    return (folder / "latest").resolve()


@pytest.fixture(scope="module")
def late(place):
    return finished(late_fusion(finished(place), Listener()))


@pytest.fixture(scope="module")
def found(place, late):
    return noise_curves(finished(place), Listener(), late, BLUR, draws=2)


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())["test"]


def curves(*typed: str) -> dict:
    file = Path(typed[0]).parent / "curves.json"
    file.unlink(missing_ok=True)
    assert main(["eval", *typed, "-o", str(file), "--quiet"]) == 0
    return json.loads(file.read_text())


def test_a_curve_starts_at_the_runs_own_figure(place, late, found):
    for tree, folder in ((found["tasks"], place), (found["late"], late.folder)):
        for task, figure in found["figure"].items():
            known = metrics(folder)[task][figure]
            for kinds in tree[task].values():
                for about in kinds.values():
                    assert about["values"][0] == known["mean"]
                    assert about["std"][0] == known["std"]


def test_what_batches_rows_come_in_is_no_matter(place, found):
    run = finished(place)
    other = run._replace(cfg={**run.cfg, "batch_size": 17})
    again = noise_curves(other, Listener(), None, BLUR, draws=2)["tasks"]["grade"]
    for m, kind in (("photo", "blur"), ("review", "words")):
        assert again[m][kind]["values"] == pytest.approx(found["tasks"]["grade"][m][kind]["values"], rel=1e-4)


def test_a_run_that_ignores_a_modality_has_a_flat_curve(place, tmp_path):
    """All weights of the image's encoder are 0: it says the same of every picture."""
    folder = tmp_path / "deaf"
    shutil.copytree(place, folder)
    for file in folder.glob("seed-*/checkpoints/best.ckpt"):
        saved = torch.load(file, weights_only=True)
        for name, weights in saved["state_dict"].items():
            if name.startswith("model.encoders.photo."):
                weights.zero_()
        torch.save(saved, file)
    asked = {"photo": {"salt_pepper": (0.0, 0.2, 0.6)}, "review": {"words": (0.0, 0.9)}}
    table = noise_curves(finished(folder), Listener(), None, asked, draws=2)["tasks"]["grade"]
    flat = table["photo"]["salt_pepper"]
    assert len(set(flat["values"])) == 1
    assert flat["drop"] == pytest.approx(0, abs=1e-12)
    assert table["review"]["words"]["drop"] != 0


def test_late_fusion_is_as_robust_as_itself(late):
    itself = noise_curves(late, Listener(), late, BLUR, draws=1)
    for by_modality in itself["robustness"].values():
        for kinds in by_modality.values():
            for about in kinds.values():
                assert about["effective"] == 0
    assert itself["robustness"]["mood"]["photo"]["blur"]["relative"] == itself["tasks"]["mood"]["photo"]["blur"]["area"]


def test_effective_robustness_is_the_formulas(found):
    """The mean over noisy levels x of f(x) - (l(x) + f(0) - l(0)); of an error, the other way round."""
    for task, sign in (("mood", 1), ("grade", -1)):
        f = found["tasks"][task]["review"]["words"]["values"]
        own = found["late"][task]["review"]["words"]["values"]
        each = [f[k] - (own[k] + f[0] - own[0]) for k in (1, 2)]
        assert found["robustness"][task]["review"]["words"]["effective"] == pytest.approx(sign * np.mean(each))


def test_a_late_fusion_is_trained_once_and_averages(place, late):
    assert late_fusion(finished(place), Listener()) == late.folder
    assert late.folder.parent == place.parent / "baselines"
    assert late.cfg["model"]["_target_"].endswith("LateFusion")
    assert late.cfg["seeds"] == [0, 1]
    assert late.cfg["encoder"] == finished(place).cfg["encoder"]


def test_area_is_the_mean_height():
    """A straight fall from 1 to 0 over uneven levels is .5 high; two models of two draws."""
    table = summary(
        np.array([[[1.0, 1.0], [0.7, 0.8], [0.0, 0.0]], [[1.0, 1.0], [0.8, 0.7], [0.0, 0.0]]]), [0.0, 1.0, 4.0]
    )
    assert table["values"] == pytest.approx([1.0, 0.75, 0.0])
    assert table["area"] == pytest.approx(0.5)
    assert table["drop"] == pytest.approx(0.5)
    assert table["std"] == pytest.approx([0.0, 0.0, 0.0])
    assert effective([0.9, 0.5], [0.8, 0.3], True) == pytest.approx(0.1)


def test_all_but_one_missing_is_that_one_heard_alone(place):
    rest = "review+pose+who+town"
    said = curves(str(place), "--missing", f"{rest}=1", "--missing", "photo+review+pose+who=0,1")["missing"]
    assert said["tasks"]["mood"][rest]["missing"]["levels"] == [0, 1]  # 0 was added
    for gone, left in ((rest, "photo"), ("photo+review+pose+who", "town")):
        alone = curves(str(place), "--modalities", left)["test"]
        for task, figure in said["figure"].items():
            values = said["tasks"][task][gone]["missing"]["values"]
            assert values[1] == pytest.approx(alone[task][figure]["mean"], rel=1e-6)
            assert values[0] == pytest.approx(metrics(place)[task][figure]["mean"], rel=1e-6)


def test_missing_rates_are_those_of_contributions(place):
    said = curves(str(place), "--missing", "photo=0,.3,.6", "--missing", "all=0,.3,.6", "--seed", "1")["missing"]
    run = finished(place, seed=1)
    one = replica(run.places[0])
    _, ready = own_rows(run, "test", Listener())
    prepared, rows = ready(one)
    trained = model(run.cfg, prepared, one)
    batches = loader(run.cfg, prepared, rows, None)
    known = contributions(trained, batches, one.tasks, draws=1, emap_rows=0, rates=(0.0, 0.3, 0.6))["tasks"]["grade"]
    of_image, of_all = (said["tasks"]["grade"][m]["missing"] for m in ("photo", "photo+review+pose+who+town"))
    for name in ("values", "std", "area", "drop", "hidden"):
        assert of_image[name] == pytest.approx(known["curves"]["each"]["photo"][name])
        assert of_all[name] == pytest.approx(known["curves"]["all"][name])


def test_the_table_is_printed(place, late, capsys):
    assert main(["eval", str(place), "--noise", "photo.occlusion=.3", "--against", "late", "--draws", "1"]) == 0
    said = capsys.readouterr().out
    assert "without any noise" in said  # the level 0 that was added
    assert "photo occlusion          0            0.3          area" in said
    assert "late fusion" in said
    assert "effective robustness" in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--noise", "sound.snr=10"], "the run has no 'sound'"),
        (["--noise", "photo.words=.5"], "not for this modality"),
        (["--noise", "photo.words=.5"], "blur, occlusion, salt_pepper"),
        (["--noise", "photo.blurr=1"], "did you mean 'blur'"),
        (["--noise", "photo.blur=-1"], "0 or more"),
        (["--noise", "photo.blur=0"], "besides 0"),
        (["--noise", "photo.blur=x"], "'x' is not a number"),
        (["--noise", "photo=1"], "levels of what"),
        (["--noise", "review.words=1.5"], "from 0 to 1"),
        (["--missing", "photo=0,1.5"], "not 1.5"),
        (["--missing", "photo=0"], "besides 0"),
        (["--missing", "phot=0,1"], "did you mean 'photo'"),
        (["--against", "late"], "are about curves"),
        (["--noise", "all", "--draws", "0"], "1 or more"),
    ],
)
def test_what_cannot_be_is_told(place, capsys, typed, said):
    assert main(["eval", str(place), *typed]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 6


def test_hardly_any_noise_is_hardly_another_figure(place):
    """So whoever prepares and encodes anew, a frozen encoder among them, does it as the run did."""
    each = {
        "photo": ["blur", "occlusion", "salt_pepper"],
        "review": ["words"],
        "pose": ["gaussian"],
        "who": ["gaussian"],
    }
    asked = {m: dict.fromkeys(kinds, (0.0, 1e-09)) for m, kinds in each.items()}
    heard = Advised()
    found = noise_curves(finished(place, seed=0), heard, None, asked, draws=1)
    for kinds in found["tasks"]["grade"].values():
        for about in kinds.values():
            assert about["values"][1] == pytest.approx(about["values"][0], rel=1e-5)
    assert heard.about == ["review"]  # its encoder is frozen


def test_every_kind_that_fits_has_its_curves(place):
    found = noise_curves(finished(place, seed=0), Listener(), draws=1)
    named = {m: list(kinds) for m, kinds in found["tasks"]["mood"].items()}
    assert named == {
        "photo": ["blur", "occlusion", "salt_pepper"],
        "review": ["words", "swaps"],
        "pose": ["gaussian", "step_drop", "step_cut"],
        "who": ["gaussian"],
    }
    assert list(found["left_out"]) == ["town"]  # categories alone have no spread
    assert main(["eval", str(place), "--noise", "town.gaussian=1", "--quiet"]) == 2


def test_pictures_that_lie_blurred_on_disk_are_said_to_be_what_the_curve_says(place):
    rows = pd.read_csv(place.parent / "rows.csv", keep_default_na=False)
    new = rows[rows.part == "test"].reset_index(drop=True)
    new["photo"] = [f"blurred-{name}" if name else "" for name in new["photo"]]
    new.drop(columns=["mood", "grade", "part"]).to_csv(place.parent / "new.csv", index=False)
    said = place.parent / "said.csv"
    assert main(["predict", str(place), f"{place.parent}/new.csv", "--seed", "1", "-o", str(said), "--quiet"]) == 0
    error = (pd.read_csv(said)["grade/predicted"] - new["grade"].astype(float)).abs().mean()
    asked = {"photo": {"blur": (0.0, 1.0)}}
    values = noise_curves(finished(place, seed=1), Listener(), None, asked)["tasks"]["grade"]["photo"]["blur"]["values"]
    assert values[1] == pytest.approx(error, rel=1e-5)
    assert values[0] != pytest.approx(error, rel=1e-5)
