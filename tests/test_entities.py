"""Whole entities are scored as seqeval scores them, row by row, and rows are drawn whole."""

import numpy as np
import pytest

from mmfuse.listener import Listener
from mmfuse.metrics import entities
from mmfuse.metrics.summary import Answers
from mmfuse.run import besides as figures
from mmfuse.run.besides import besides
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.tokens import Tokens

CLASSES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def run(*rows):
    """Of (said, true) a row, each class numbers; the rows are numbered 7, 9, 11 and so on."""
    said, true = (np.concatenate([row[which] for row in rows]) for which in (0, 1))
    place = np.repeat(7 + 2 * np.arange(len(rows)), [len(row[1]) for row in rows])
    return Answers({"t": place}, {"t": np.eye(5)[said]}, {"t": true})


class Heard(Listener):
    def __init__(self):
        self.said = []

    def advised(self, about, said):
        self.said.append((about, said))


class TestFigures:
    @pytest.fixture(autouse=True)
    def _needs_seqeval(self):
        pytest.importorskip("seqeval")

    def test_by_hand(self):
        """One of two persons is found whole, one only by half; a place is named where there is none."""
        one = run(([1, 2, 0, 1, 0], [1, 2, 0, 1, 2]), ([0, 3, 4], [0, 0, 0]))
        found = entities.summarise("t", CLASSES, [one], samples=20)
        assert found["precision"]["values"] == [pytest.approx(1 / 3)]
        assert found["recall"]["values"] == [pytest.approx(1 / 2)]
        assert found["f1"]["values"] == [pytest.approx(2 / 5)]

    def test_an_entity_ends_with_its_row(self):
        """Joined, B-PER of the first row and I-PER of the second would be one entity, and be found."""
        found = entities.summarise("t", CLASSES, [run(([1], [1]), ([2], [0]))], samples=20)
        assert (found["precision"]["mean"], found["recall"]["mean"]) == (0.5, 1.0)

    def test_resampled_is_seqeval_on_the_rows_repeated(self, random):
        from seqeval.metrics import f1_score, precision_score, recall_score

        rows = [random.integers(0, 5, size=(2, random.integers(1, 9))) for _ in range(12)]
        rows = [(np.where(random.random(len(t)) < 0.6, t, s), t) for s, t in rows]
        which, said, true = entities.sentences(run(*rows), "t", CLASSES)
        assert which.tolist() == list(range(7, 31, 2))
        counts = random.multinomial(12, np.full(12, 1 / 12), size=15)
        table = np.array([entities.counts(*pair) for pair in zip(said, true, strict=True)])
        found = entities.Counted().resampled(table, which, counts)
        names = np.array(CLASSES, dtype=object)
        for r, times in enumerate(counts):
            drawn = [row for row, n in zip(rows, times, strict=True) for _ in range(n)]
            pair = [names[t].tolist() for _, t in drawn], [names[s].tolist() for s, _ in drawn]
            for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
                assert found[name][r] == pytest.approx(score(*pair, zero_division=0)), name

    def test_rows_are_drawn_whole(self):
        """Three entities in a row that is all right, three in one that is all wrong: 0 and 1 are likely draws."""
        one = run(([1, 0, 1, 0, 1], [1, 0, 1, 0, 1]), ([0] * 5, [1, 0, 1, 0, 1]))
        assert entities.summarise("t", CLASSES, [one], samples=500)["recall"]["ci95"] == [0.0, 1.0]

    def test_are_of_steps_that_are_labelled_so(self):
        one = run(([1, 2], [1, 2]))
        tasks = {"t": Tokens(CLASSES, of="text")}
        assert besides(tasks, [one], [one], 5, Listener())["entities"]["t"]["f1"]["mean"] == 1.0
        for other in (Tokens("abcde", of="text"), Multiclass(CLASSES)):
            assert "entities" not in besides({"t": other}, [one], [one], 5, Listener())


def test_without_seqeval_a_run_goes_on_and_says_so(monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    one, heard = run(([1, 2], [1, 2])), Heard()
    found = besides({"t": Tokens(CLASSES, of="text")}, [one], [one], 5, heard)
    assert set(found) == {"calibration"}
    assert heard.said == [("dataset.tasks.t", "the F1 of whole entities needs pip install 'mmfuse[ner]'")]
