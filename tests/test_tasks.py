"""Tasks beyond one class or one number a row: several labels, a label for each step, and what belongs together."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch.nn import functional as F

from mmfuse.encoders.identity import Identity
from mmfuse.encoders.mlp import MLP
from mmfuse.errors import ConfigError
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.metrics import multilabel, retrieval
from mmfuse.metrics.bootstrap import intervals
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.tasks.figures import scores
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Signal, Units

NOTHING = float("nan")


class TestMultilabel:
    TASK = Multilabel(["a", "b", "c"])

    @pytest.fixture
    def said(self, random):
        """(40, 3) probabilities with ties, and what is true, no row of which has label c."""
        true = random.random((40, 3)) < [0.5, 0.2, 0.0]
        return np.round(random.random((40, 3)) * 0.6 + 0.4 * true, 1), true

    def test_figures_are_scikit_learns(self, said):
        probabilities, true = said
        found, given = multilabel.scores(probabilities, true, "abc"), probabilities > 0.5
        for average in ("macro", "micro", "weighted", "samples"):
            assert found[f"f1_{average}"] == sk.f1_score(true, given, average=average, zero_division=0.0)
            assert found[f"recall_{average}"] == sk.recall_score(true, given, average=average, zero_division=0.0)
        assert found["accuracy"] == sk.accuracy_score(true, given)
        each = [sk.average_precision_score(true[:, k], probabilities[:, k]) for k in (0, 1)]
        assert found["map"] == pytest.approx(np.mean(each))

    def test_resampled_figures_are_those_of_the_drawn_rows(self, said, random):
        probabilities, true = said
        counts = random.multinomial(40, np.full(40, 1 / 40), size=5)
        found = multilabel.resampled(probabilities, true, counts)
        for r, times in enumerate(counts):
            rows = np.repeat(np.arange(40), times)
            for name, value in multilabel.scores(probabilities[rows], true[rows], "abc").items():
                if name != "per_class":
                    assert found[name][r] == pytest.approx(value), name

    def test_loss_is_binary_cross_entropy_over_the_rows_with_labels(self):
        prediction = torch.randn(3, 3, requires_grad=True)
        target = torch.tensor([[1.0, 0.0, 0.0], [NOTHING] * 3, [0.0, 1.0, 1.0]])
        loss = self.TASK.loss(prediction, target)
        torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(prediction[[0, 2]], target[[0, 2]]))
        loss.backward()
        assert not prediction.grad[1].any()

    def test_no_label_is_not_none_of_the_labels(self):
        found = self.TASK.recorded(np.array([[0.9, 0.1, 0.6]] * 2), np.array([[0.0, 0.0, 0.0], [NOTHING] * 3]))
        assert found["target"] == [[], None]
        assert found["predicted"] == [["a", "c"]] * 2
        assert np.isnan(self.TASK.score(np.full((1, 3), 0.5), np.full((1, 3), NOTHING))["f1_macro"])


class TestTokens:
    TASK = Tokens(["O", "PER", "LOC"], of="text")

    def test_loss_is_over_labelled_steps(self):
        prediction = torch.randn(2, 4, 3, requires_grad=True)
        target = torch.tensor([[0, 2, 1], [1, -1, -1]])  # the batch's longest text has a step more than any labels
        loss = self.TASK.loss(prediction, target)
        wanted = F.cross_entropy(torch.stack([*prediction[0, :3], prediction[1, 0]]), torch.tensor([0, 2, 1, 1]))
        torch.testing.assert_close(loss, wanted)

    def test_units_are_labelled_steps_with_their_rows(self):
        units = self.TASK.units(torch.arange(24.0).view(2, 4, 3), torch.tensor([[0, 2], [-1, 1]]))
        assert units.target.tolist() == [0, 2, 1]
        assert units.place.tolist() == [0, 0, 1]
        assert units.prediction[:, 0].tolist() == [0.0, 3.0, 15.0]

    def test_an_encoder_that_loses_steps_is_refused(self):
        with pytest.raises(ConfigError, match=r"encoder\.text returns 2 steps for 3"):
            self.TASK.loss(torch.zeros(1, 2, 3), torch.tensor([[0, 1, 2]]))

    def test_steps_of_one_row_are_drawn_together(self):
        """All right in row 7, all wrong in row 9: any draw of two rows is 0, 1/2 or 1, whatever the steps' number."""
        answer, target = np.eye(3)[[0, 0, 0, 1, 1, 1]], np.array([0, 0, 0, 2, 2, 2])
        low, high = intervals(self.TASK, [(np.array([7, 7, 7, 9, 9, 9]), answer, target)], 2000)["accuracy"]
        assert (low, high) == (0.0, 1.0)  # six steps drawn one by one would reach neither within 95 %

    def test_is_predicted_from_the_step_and_from_the_others(self):
        encoders = {"text": Identity(4), "audio": MLP(5, dim=8)}
        model = FeatureFusion(encoders, {"tags": self.TASK}, ConcatFusion).eval()
        text = Signal(torch.randn(2, 3, 4), torch.tensor([[True, True, True], [True, False, False]]))
        signals = {"text": text, "audio": Signal.vector(torch.randn(2, 5), torch.tensor([True, True]))}
        said = model(signals).predictions["tags"]
        assert said.shape == (2, 3, 3)
        assert not torch.equal(said[0, 0], said[0, 1])
        louder = signals | {"audio": Signal(signals["audio"].data + 1, signals["audio"].mask)}
        assert not torch.equal(model(louder).predictions["tags"][0, 0], said[0, 0])
        garbage = text.data.masked_fill(~text.mask[..., None], NOTHING)
        again = model(signals | {"text": Signal(garbage, text.mask)}).predictions["tags"]
        assert torch.equal(again[text.mask], said[text.mask])


class TestPairs:
    TASK = Pairs(["image", "text"])

    def codes(self, *angles):
        return np.array([[np.cos(a), np.sin(a)] for a in angles])

    def test_loss_of_unique_items_is_clips(self):
        codes = F.normalize(torch.randn(2, 5, 8), dim=-1)
        scores = codes[0] @ codes[1].T / 0.07
        wanted = (F.cross_entropy(scores, torch.arange(5)) + F.cross_entropy(scores.T, torch.arange(5))) / 2
        torch.testing.assert_close(self.TASK.loss(torch.cat([*codes], dim=1), torch.arange(5)), wanted)

    def test_loss_leaves_out_rows_that_lack_a_modality(self):
        codes = F.normalize(torch.randn(2, 4, 8), dim=-1)
        prediction = torch.cat([*codes], dim=1)
        broken = torch.cat([prediction, torch.full((1, 16), NOTHING)]).requires_grad_()
        loss = self.TASK.loss(broken, torch.tensor([0, 1, 2, 3, 2]))
        torch.testing.assert_close(loss, self.TASK.loss(prediction, torch.arange(4)))
        loss.backward()
        assert broken.grad[:4].isfinite().all()

    def test_ranks_by_hand(self):
        """Queries at 0, 90, 180 degrees; values at 10, 80, 100: items 0 and 1 are found, item 2 after one other."""
        queries, gallery = self.codes(0.0, np.pi / 2, np.pi), self.codes(*np.radians([10, 80, 95]))
        assert retrieval.ranks(queries, gallery, np.array([0, 1, 2])).rank.tolist() == [1, 2, 1]

    def test_several_captions_ask_for_one_picture_and_it_asks_once_for_them(self):
        pictures, captions = self.codes(0.0, 0.0, 1.5), self.codes(1.4, 0.1, 1.3)
        item = np.array([0, 0, 1])
        asked = retrieval.ranks(pictures, captions, item)
        assert (asked.rank[0], asked.gallery) == (1, 3)  # its better caption
        assert np.isnan(asked.rank[1])  # the same picture again
        back = retrieval.ranks(captions, pictures, item)
        assert (back.rank.tolist(), back.gallery) == ([2, 1, 1], 2)

    def test_a_tie_is_told_and_does_not_count(self):
        found = retrieval.ranks(self.codes(0.0, 1.0), self.codes(0.5, 0.5), np.array([0, 1]))
        assert found.rank.tolist() == [1, 1]
        assert found.tied.tolist() == [True, True]

    def test_figures_by_hand(self):
        rank = np.array([1.0, 2.0, 4.0, 20.0])
        about = retrieval.Ranks(rank, np.zeros(4, bool), 30)
        found = retrieval.scores((about, about), ("image", "text"))
        assert found["image_to_text/r@1"] == 0.25
        assert (found["r@5"], found["r@10"]) == (0.75, 0.75)
        assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 20) / 4)
        assert found["text_to_image/median_rank"] == 3.0

    def test_resampled_figures_are_those_of_the_drawn_queries(self, random):
        rank = random.integers(1, 30, size=20).astype(float)
        counts = random.multinomial(20, np.full(20, 1 / 20), size=6)
        about = retrieval.Ranks(rank, rank > 15, 30)
        found = retrieval.resampled((about, about), ("image", "text"), counts)
        for r, times in enumerate(counts):
            drawn = np.repeat(np.arange(20), times)
            again = retrieval.Ranks(rank[drawn], (rank > 15)[drawn], 30)
            for name, value in retrieval.scores((again, again), ("image", "text")).items():
                assert found[name][r] == pytest.approx(value), name

    def test_needs_no_head(self):
        encoders = {"image": Identity(4), "text": Identity(4)}
        model = FeatureFusion(encoders, {"match": self.TASK}, ConcatFusion)
        signals = {m: Signal.vector(torch.randn(3, 4), torch.tensor([True, m == "text", True])) for m in encoders}
        codes = model(signals).predictions["match"]
        assert not list(model.heads.parameters())
        assert codes[:, :4].isnan().all(dim=1).tolist() == [False, True, False]
        torch.testing.assert_close(codes[0, 4:], F.normalize(signals["text"].data[0, 0], dim=0))

    def test_codes_have_to_be_of_one_width(self):
        with pytest.raises(ValueError, match=r"encoder\.text\.dim=5"):
            FeatureFusion({"image": Identity(4), "text": Identity(5)}, {"match": self.TASK}, ConcatFusion)

    def test_two_modalities_are_needed(self):
        with pytest.raises(ValueError, match="two modalities are needed"):
            Pairs(["image", "image"])


@pytest.mark.parametrize("task", [Tokens("ab", of="text"), Pairs(["text", "audio"])], ids=["tokens", "pairs"])
def test_votes_are_about_whole_rows(task):
    with pytest.raises(ValueError, match="the task 'other' is not about: model=feature"):
        LateFusion({"text": Identity(4), "audio": Identity(4)}, {"kind": Multiclass("ab"), "other": task}, ConcatFusion)


def test_several_tasks_are_watched_together():
    """.5 of macro F1, and an error that is half of the best constant's: .5 in the mean."""
    tasks = {"kind": Multiclass(["a", "b"]), "size": Regression()}
    said = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]])  # a, b, a, b
    units = {
        "kind": Units(said, torch.tensor([0, 0, 1, 1]), torch.arange(4)),  # each class: precision .5, recall .5
        "size": Units(
            torch.tensor([[0.5], [1.5]]), torch.tensor([0.0, 2.0]), torch.arange(2)
        ),  # off by .5; constant: 1
    }
    assert scores(tasks, units)["val/skill"] == pytest.approx((0.5 + 0.5) / 2)
    assert scores(tasks, units, "text")["val@text/skill"] == pytest.approx(0.5)
    assert "val/skill" not in scores({"kind": tasks["kind"]}, units)
    units["size"] = Units(torch.zeros(1, 1), torch.tensor([torch.nan]), torch.arange(1))
    assert scores(tasks, units)["val/skill"] == pytest.approx(0.5)
