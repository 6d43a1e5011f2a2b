"""What was learned from one modality, asked of another: on data where pairs are all that joins them."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.errors import ConfigError
from mmfuse.listener import Listener
from mmfuse.metrics.probe import Probe
from mmfuse.run.prepare import divide, load, prepare
from mmfuse.run.train import run
from mmfuse.run.transfer import Shuffled, refuse_unless_paired

SETTINGS = ("dataset=shared", "strategy=cross_modal", "trainer.max_epochs=8", "threads=1", "bootstrap=20")


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    cfg = compose([*SETTINGS, "seeds=[0,1]"], Catalog())
    return run(cfg, tmp_path_factory.mktemp("run"), Listener())["transfer"], load(cfg)


@pytest.mark.parametrize("direction", ["audio to text", "text to audio"])
def test_pairs_carry_it_over_and_shuffled_pairs_do_not(figures, direction):
    table = figures[0]["tasks"]["kind"][direction]
    assert table["accuracy"]["mean"] > 0.9
    assert table["ceiling"]["mean"] > 0.95
    assert table["ratio"]["mean"] > 0.9
    assert table["shuffled_ratio"]["mean"] < 0.5
    assert len(table["ratio"]["values"]) == 2


def test_ratio_is_of_what_there_is_to_gain(figures):
    table = {name: about["values"][0] for name, about in figures[0]["tasks"]["kind"]["audio to text"].items()}
    expected = (table["accuracy"] - table["chance"]) / (table["ceiling"] - table["chance"])
    assert table["ratio"] == pytest.approx(expected)


def test_chance_is_the_most_frequent_class(figures):
    transfer, examples = figures
    split = divide(compose(SETTINGS, Catalog()), examples)[0][1]
    target = examples.targets["kind"]
    common = np.bincount(target[split.train]).argmax()
    chance = transfer["tasks"]["kind"]["audio to text"]["chance"]["values"][0]
    assert chance == pytest.approx((target[split.test] == common).mean())


def test_pairs_are_found_again(figures):
    table = figures[0]["retrieval"]["audio and text"]
    assert table["r@1"]["mean"] > 0.4
    assert table["audio_to_text/gallery"]["mean"] == 160
    assert table["shuffled_mrr"]["mean"] < 0.15  # among 160 at random: .036


@pytest.mark.parametrize("classes", [3, 0])
def test_probe_is_scikit_learns(random, classes):
    codes, others = random.normal(size=(60, 4)), random.normal(size=(20, 4))
    target = random.integers(0, 2, 60) if classes else codes @ [1.0, 2.0, 0.0, 0.0]
    scaler = StandardScaler().fit(codes[:50])
    model = LogisticRegression(max_iter=1000) if classes else Ridge()
    model.fit(scaler.transform(codes[:50]), target[:50])
    known = target.copy()
    known[50:] = -1 if classes else np.nan  # rows without a label
    found = Probe(codes, known, classes)(others)
    if classes:
        np.testing.assert_allclose(found[:, :2], model.predict_proba(scaler.transform(others)))
        assert not found[:, 2].any()  # a class that no row has
    else:
        np.testing.assert_allclose(found, model.predict(scaler.transform(others)))


def test_a_shuffled_column_has_the_others_rows():
    cfg = compose(SETTINGS, Catalog())
    examples = load(cfg)
    column = prepare(cfg, examples, divide(cfg, examples)[0][1]).columns["text"]
    order = torch.randperm(len(examples))
    rows = torch.tensor([3, 7])
    torch.testing.assert_close(Shuffled(column, order).batch(rows).data, column.batch(order[rows]).data)


def test_one_modality_alone_is_refused():
    cfg = compose([*SETTINGS, "modalities=[text]", "objectives=[]", "schedule=synchronous"], Catalog())
    examples = load(cfg)
    with pytest.raises(ConfigError, match="alone"):
        refuse_unless_paired(cfg, prepare(cfg, examples, divide(cfg, examples)[0][1]))
