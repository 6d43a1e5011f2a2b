"""The audit finds what was planted, with its rows, and nothing worth a warning in rows that are random."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mmfuse.audit.audit import audit
from mmfuse.audit.broken import broken
from mmfuse.audit.chance import by_number, by_value
from mmfuse.audit.classes import classes
from mmfuse.audit.content import coded
from mmfuse.audit.copies import rank_correlation
from mmfuse.audit.duplicates import duplicates
from mmfuse.audit.file_names import file_names
from mmfuse.audit.lengths import lengths, texts_of_numbers
from mmfuse.audit.missing import missing, unreadable
from mmfuse.audit.prepared import limit, reading
from mmfuse.audit.presence import presence
from mmfuse.audit.traits import traits
from mmfuse.cli import main
from mmfuse.data.columns import Stored
from mmfuse.data.splits import Split, split
from mmfuse.data.table import Table
from mmfuse.listener import Finding
from mmfuse.prepare.words import Words
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Examples, Ragged, Unreadable

KINDS = {"review": "text", "scores": "vector", "pose": "sequence", "photo": "image"}
WORDS = np.array(["the", "a", "of", "to", "in", "is", "film", "plot", "score", "old", "new", "cast", "end", "song"])


def clean(seed, n=300):
    """Rows of four modalities, some missing, and columns of every sort: none tells of another."""
    random = np.random.default_rng(seed)
    raw = {
        "review": [" ".join(random.choice(WORDS, random.integers(6, 20))) for _ in range(n)],
        "scores": list(random.standard_normal((n, 8)).astype(np.float32)),
        "pose": [random.standard_normal((random.integers(2, 9), 4)) for _ in range(n)],
        "photo": [Path(f"pictures/{k:06d}.png") for k in random.permutation(100_000)[:n]],
    }
    for column in raw.values():
        for row in np.flatnonzero(random.random(n) < 0.05):
            column[row] = None
    kind = random.permutation(np.arange(n) % 3)
    extras = {
        "city": [f"city {k}" for k in random.integers(0, 8, n)],
        "seller": [f"s{k}" for k in random.integers(0, 60, n)],
        "age": [str(k) for k in random.integers(18, 80, n)],
        "price": [f"{x:.2f}" for x in random.random(n)],
        "row": [str(row) for row in range(n)],
    }
    targets = {"kind": kind.astype(np.int64), "grade": random.standard_normal(n).astype(np.float32)}
    tasks = {"kind": Multiclass(["pro", "con", "so"]), "grade": Regression()}
    return Examples(raw, {m: m for m in raw}, targets, tasks, [str(row) for row in range(n)], extras=extras)


def divided(examples, seed=0):
    return split(examples, "kind", [0.6, 0.2, 0.2], seed)


@pytest.fixture
def rows():
    return clean(0)


@pytest.fixture
def parts(rows):
    return divided(rows)


def of(findings, check, where=None, grade=None):
    """The only finding of this check, place and grade."""
    found = [f for f in findings if f.check == check and where in (None, f.where) and grade in (None, f.grade)]
    assert len(found) == 1, findings
    return found[0]


def none_of(findings, check):
    return not [f for f in findings if f.check == check]


def test_random_rows_are_worth_no_warning():
    for seed in range(20):
        examples = clean(seed)
        alarms = [f for f in audit(examples, [divided(examples, seed)], KINDS) if f.grade != "note"]
        assert not alarms


class TestClasses:
    def test_rows_of_each_class_and_split(self):
        target = np.array([0] * 6 + [1] * 5 + [-1])
        parts = Split(np.array([0, 1, 2, 6, 7, 11]), np.array([3, 4, 8]), np.array([5, 9, 10]))
        found = list(classes("kind", target, ("pro", "con"), parts))
        assert of(found, "classes", grade="note").said == "Rows in train/val/test: pro 3/2/1, con 2/1/2."
        assert of(found, "unlabelled").rows == (11,)
        few = of(found, "classes", grade="warning")
        assert "'pro' (3), 'con' (2)" in few.said
        assert few.rows == tuple(range(11))

    def test_a_class_that_a_split_lacks_is_named(self):
        target = np.array([0, 1] * 30 + [0] * 10)
        parts = Split(np.arange(40), np.arange(40, 60), np.arange(60, 70))
        absent = of(classes("kind", target, ("pro", "con"), parts), "classes", grade="warning")
        assert absent.said == "The test split is empty for class 'con'."
        assert absent.rows == tuple(range(1, 60, 2))

    @pytest.mark.parametrize(("large", "warned"), [(150, False), (151, True)])
    def test_balance(self, large, warned):
        target = np.array([0] * large + [1] * 15 + [0, 1, 0, 1])
        n = large + 15
        parts = Split(np.arange(n), np.arange(n, n + 2), np.arange(n + 2, n + 4))
        assert none_of(classes("kind", target, ("pro", "con"), parts), "balance") != warned

    def test_several_answers_a_row_and_words_count_each(self):
        parts = Split(np.arange(2), np.arange(2, 3), np.arange(3, 4))
        many = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
        words = np.empty(4, dtype=object)
        words[:] = [np.array([0, 1]), np.array([0, 0]), np.array([1]), None]
        for target in (many, words):
            note = of(classes("tags", target, ("a", "b"), parts), "classes", grade="note")
            assert note.said == "Rows in train/val/test: a 2/0/0, b 1/1/0."

    def test_numbers(self):
        target = np.array([1, 2, 3, np.nan, 0.5, 9], dtype=np.float32)
        parts = Split(np.arange(4), np.array([4]), np.array([5]))
        found = list(classes("grade", target, None, parts))
        assert any("Train 1 to 3, mean 2" in f.said for f in found)
        assert any(f.rows == (4, 5) for f in found)  # out of the training rows' range
        constant = np.array([2.5] * 4 + [1, 3], dtype=np.float32)
        assert "2.5" in of(classes("grade", constant, None, parts), "range", grade="warning").said


class TestMissing:
    def test_by_split(self):
        lacks = np.zeros(300, dtype=bool)
        lacks[[3, 150, 250]] = True
        parts = Split(np.arange(100), np.arange(100, 200), np.arange(200, 300))
        note = of(missing("photo", lacks, parts), "missing")
        assert (note.grade, note.rows) == ("note", (3, 150, 250))
        lacks[200:260] = True
        found = list(missing("photo", lacks, parts))
        assert {f.grade for f in found} == {"warning"}
        assert found[1].rows == tuple(range(200, 260))

    def test_unreadable_is_an_error_with_the_first_reason(self):
        values = {
            7: Unreadable(7, "7.png", "cut"),
            4: Unreadable(4, "4.png", "a text"),
            2: Unreadable(2, "2.png", "", True),
        }
        found = list(unreadable("photo", values, 20, "error"))
        assert [(f.check, f.grade, f.rows) for f in found] == [
            ("not found", "warning", (2,)),
            ("unreadable", "error", (4, 7)),
        ]
        assert "2 of 20" in found[1].said
        assert "4.png: a text" in found[1].said

    def test_steps_that_are_no_numbers_are_counted(self):
        raw = [np.ones((3, 2)), None, np.array([[np.nan, 1], [np.nan, np.nan], [0, 0]]), "[1, 2, NaN]", Path("x.npy")]
        found = of(broken("pose", raw), "nan")
        assert found.rows == (2, 3)
        assert found.said.startswith("3 steps in 2 rows")
        assert of(broken("pose", [np.array([1.0, np.inf])]), "nan").grade == "warning"


class TestLengths:
    def test_what_is_cut_and_what_stands_out(self):
        steps = np.array([3, 0, 4, 5, 64, 4])
        first, cut, far = lengths("review", steps, limit=64)
        assert first.said == "3 to 64 steps, the median 4."
        assert cut.rows == far.rows == (4,)
        assert (cut.grade, far.grade) == ("note", "note")
        assert not list(lengths("scores", np.array([1, 0, 1])))

    def test_texts_that_are_numbers(self):
        assert of(texts_of_numbers("review", ["3", None, "4.5", "-1e3"]), "texts").rows == (0, 2, 3)
        assert not list(texts_of_numbers("review", ["3 men", "4.5", "a boat"]))

    def test_the_bound_is_the_preparations_own(self):
        assert limit(Words(max_length=7)) == 7


class TestDuplicates:
    def test_a_row_that_is_in_test_again(self, rows, parts):
        a, b = int(parts.train[5]), int(parts.test[3])
        raw = {m: list(column) for m, column in rows.raw.items()}
        for column in raw.values():
            column[b] = column[a]
        raw["review"][a], raw["review"][b] = "A  film", "a Film "
        target = rows.targets["kind"].copy()
        target[b] = target[a]
        same = replace(rows, raw=raw, targets={"kind": target})
        found = of(audit(same, [parts], KINDS), "duplicates", "")
        assert (found.grade, found.rows) == ("warning", tuple(sorted((a, b))))
        target[b] = (target[a] + 1) % 3
        assert of(audit(same, [parts], KINDS), "conflicts", "kind").rows == tuple(sorted((a, b)))

    def test_repeats_within_a_split_and_of_one_modality_are_notes(self):
        codes = {"photo": np.array([0, 0, 1, 1, -1, -1]), "review": np.array([0, 0, 1, 2, 3, 4])}
        found = list(duplicates(codes, {}, np.array([0, 0, 0, 2, 0, 2])))
        assert {f.grade for f in found} == {"note"}
        assert of(found, "duplicates", "").rows == (0, 1)
        assert of(found, "duplicates", "photo").rows == (2, 3)

    def test_a_row_told_of_as_a_whole_is_not_told_of_by_modality(self):
        codes = {"photo": np.array([0, 0]), "review": np.array([0, 0])}
        assert [f.where for f in duplicates(codes, {}, np.array([0, 2]))] == [""]

    def test_files_are_compared_by_content(self, tmp_path):
        contents = [b"one", b"two", b"one", b"x" * 9000 + b"a", b"x" * 9000 + b"b", b"x" * 9000 + b"a"]
        files = [tmp_path / f"{k}.bin" for k in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        found = coded([*files, None, tmp_path / "lost", tmp_path / "lost too", files[0]])
        assert [found.tolist().index(code) for code in found] == [0, 1, 0, 3, 4, 3, 6, 7, 8, 0]
        assert found[6] == -1

    def test_arrays_by_value_type_and_shape(self):
        one = np.arange(6.0)
        found = coded([one, one.copy(), one.reshape(2, 3), one.astype(np.float32), (one, 8000), (one, 16000), [1, 2]])
        assert found.tolist() == [0, 0, 1, 2, 3, 4, 5]


class TestGroups:
    @staticmethod
    def grouped(values=40, each=10, kind=str):
        """Rows of one source have scores that lie about the source's own."""
        random, n = np.random.default_rng(1), values * each
        source = np.arange(n) // each
        centres = random.standard_normal((values, 6))
        scores = (centres[source] + 0.7 * random.standard_normal((n, 6))).astype(np.float32)
        return Examples(
            raw={"scores": list(scores)},
            columns={"scores": "scores"},
            targets={"kind": random.integers(0, 2, n)},
            tasks={"kind": Multiclass("ab")},
            ids=[str(row) for row in range(n)],
            extras={"source": [kind(k) for k in source]},
        )

    @pytest.mark.parametrize("kind", [str, lambda k: f"video {k}"])
    def test_a_column_of_sources_across_a_random_split(self, kind):
        examples = self.grouped(kind=kind)
        parts = divided(examples)
        found = of(audit(examples, [parts], {"scores": "vector"}), "groups", "source")
        assert found.grade == "warning"
        assert "100 % of test" in found.said
        assert found.rows == tuple(sorted([*parts.val.tolist(), *parts.test.tolist()]))

    def test_a_split_by_source_is_no_warning(self):
        examples = self.grouped()
        parts = divided(replace(examples, groups=np.array(examples.extras["source"])))
        found = of(audit(examples, [parts], {"scores": "vector"}), "groups", "source")
        assert (found.grade, found.rows) == ("note", ())

    def test_named_groups_are_taken_at_their_word(self):
        examples = replace(self.grouped(), groups=np.array(["g"] * 3 + [f"h{k}" for k in range(397)]))
        parts = Split(np.array([0, 1, 5, 6]), np.array([3, 4]), np.array([2, 7]))
        found = of(audit(examples, [parts], {"scores": "vector"}), "groups")
        assert (found.grade, found.rows) == ("warning", (2,))

    def test_a_condition_that_all_splits_share_is_a_note(self):
        examples = self.grouped(values=8, each=60)
        assert of(audit(examples, [divided(examples)], {"scores": "vector"}), "groups", "source").grade == "note"

    def test_kinds_of_things_are_no_groups(self):
        """Topics, which the scores tell, come in a few large ones and many small ones."""
        random = np.random.default_rng(2)
        topic = (40 * random.random(400) ** 4).astype(int)
        scores = random.standard_normal((40, 6))[topic] + 0.3 * random.standard_normal((400, 6))
        examples = replace(self.grouped(), raw={"scores": list(scores)}, extras={"topic": [f"t{k}" for k in topic]})
        assert none_of(audit(examples, [divided(examples)], {"scores": "vector"}), "groups")

    def test_a_target_by_another_name_is_no_group(self):
        examples = self.grouped(values=8, each=60)
        source = np.array([int(k) for k in examples.extras["source"]])
        named = replace(examples, targets={"kind": source}, tasks={"kind": Multiclass("abcdefgh")})
        found = audit(named, [divided(named)], {"scores": "vector"})
        assert none_of(found, "groups")
        assert of(found, "target copy").where == "source"

    def test_a_quantity_is_no_group(self):
        random = np.random.default_rng(2)
        age = random.integers(18, 80, 600)
        scores = np.stack([age / 20 + 0.1 * random.standard_normal(600), random.standard_normal(600)], axis=1)
        examples = replace(
            self.grouped(60), raw={"scores": list(scores.astype(np.float32))}, extras={"age": [str(k) for k in age]}
        )
        assert none_of(audit(examples, [divided(examples)], {"scores": "vector"}), "groups")


class TestPresence:
    def test_a_modality_that_is_there_for_some_classes_only(self, rows, parts):
        random = np.random.default_rng(3)
        review = list(clean(0).raw["review"])
        for row in np.flatnonzero((rows.targets["kind"] == 0) & (random.random(len(rows)) < 0.8)):
            review[row] = None
        leaky = replace(rows, raw=dict(rows.raw) | {"review": review}, targets={"kind": rows.targets["kind"]})
        found = of(audit(leaky, [parts], KINDS), "presence")
        assert (found.grade, found.where) == ("warning", "review")
        assert found.rows == tuple(row for row, text in enumerate(review) if text is None)

    def test_a_rare_class_that_the_majority_hides(self):
        classes = np.array([1] * 40 + [0] * 360)
        lacks = np.zeros(400, dtype=bool)
        lacks[:16] = lacks[40:50] = True  # 40 % of the rare class, 3 % of the other: no accuracy gained
        guess = by_value(lacks.astype(np.int64), classes)
        found = list(presence({"audio": lacks}, "kind", classes, np.arange(400)))
        assert guess.accuracy <= 0.92
        assert found[0].rows == (*range(16), *range(40, 50))

    def test_which_of_two_are_there(self):
        random = np.random.default_rng(4)
        a, b = random.random(600) < 0.5, random.random(600) < 0.5
        found = list(presence({"text": a, "audio": b}, "kind", (a ^ b).astype(np.int64), np.arange(600)))
        assert [(f.where, f.rows) for f in found] == [("", tuple(np.flatnonzero(a | b).tolist()))]


class TestFileNames:
    CLASSES = np.random.default_rng(5).integers(0, 4, 400)

    def found(self, names, classes=CLASSES):
        return list(file_names("audio", [Path("d", f"{name}.wav") for name in names], "kind", classes))

    def test_the_class_in_the_name(self):
        people = np.random.default_rng(6).choice(["anna", "bert", "carl"], 400)
        (found,) = self.found(
            [f"{k}_{who}_{row}" for row, (k, who) in enumerate(zip(self.CLASSES, people, strict=True))]
        )
        assert (found.grade, found.rows) == ("warning", tuple(range(400)))
        assert "100 %" in found.said

    def test_arbitrary_names_tell_nothing(self):
        numbers = np.random.default_rng(7).permutation(99_999)[:400]
        assert not self.found([f"{k:05d}" for k in numbers])
        assert not self.found([f"take-{k % 7}-{k:x}" for k in numbers])
        assert not self.found(["same"] * 400)

    def test_one_picture_of_many_rows_is_one_name(self):
        """40 pictures of 10 rows, each picture of one class: a name is not learned by heart from the other rows."""
        numbers = np.random.default_rng(8).permutation(99_999)[:40]
        classes = np.random.default_rng(9).integers(0, 4, 40)
        assert not self.found([f"{k:05d}" for k in np.repeat(numbers, 10)], np.repeat(classes, 10))

    def test_files_numbered_class_by_class_are_a_note(self):
        (found,) = self.found([f"{row:05d}" for row in range(400)], np.sort(self.CLASSES))
        assert found.grade == "note"


class TestCopies:
    def findings(self, rows, parts, **parts_of):
        return audit(replace(rows, targets={"kind": rows.targets["kind"]}, **parts_of), [parts], KINDS)

    @pytest.mark.parametrize("cell", [lambda k: f"class {k}", lambda k: str(7 - k), lambda k: f"{k + 0.25:.2f}"])
    def test_a_column_that_is_not_learned_from(self, rows, parts, cell):
        extras = dict(rows.extras) | {"answer": [cell(k) for k in rows.targets["kind"].tolist()]}
        assert of(self.findings(rows, parts, extras=extras), "target copy").grade == "note"
        assert of(self.findings(rows, parts, extras=extras), "target copy").where == "answer"

    def test_a_feature(self, rows, parts):
        scores = [v if v is None else v.copy() for v in rows.raw["scores"]]
        for value, k in zip(scores, rows.targets["kind"].tolist(), strict=True):
            if value is not None:
                value[6] = 10.0 - 2 * k
        found = of(self.findings(rows, parts, raw=dict(rows.raw) | {"scores": scores}), "target copy")
        assert (found.grade, found.where) == ("warning", "scores")
        assert found.said.startswith("Feature 6 ")

    def test_a_number(self, rows, parts):
        grade = rows.targets["grade"]
        scores = [v if v is None else np.append(v, np.exp(g)) for v, g in zip(rows.raw["scores"], grade, strict=True)]
        extras = {"log": [f"{-g:.4f}" for g in grade]}
        leaky = replace(rows, targets={"grade": grade}, raw=dict(rows.raw) | {"scores": scores}, extras=extras)
        found = audit(leaky, [parts], KINDS)
        assert of(found, "target copy", "log").grade == "note"
        assert of(found, "target copy", "scores").said.startswith("Feature 8 ")

    def test_rank_correlation_is_scipys(self):
        x, y = np.random.default_rng(0).integers(0, 9, (2, 50)).astype(float)
        assert rank_correlation(x[:, None], y)[0] == pytest.approx(spearmanr(x, y).statistic)

    @pytest.mark.parametrize("said", ["all told, {}!", "{} 很好"])
    def test_a_text_that_names_its_class(self, rows, parts, said):
        names = rows.tasks["kind"].classes
        review = [
            text if text is None else f"{text} {said.format(names[k])} {row}"
            for row, (text, k) in enumerate(zip(rows.raw["review"], rows.targets["kind"].tolist(), strict=True))
        ]
        found = of(self.findings(rows, parts, raw=dict(rows.raw) | {"review": review}), "target copy")
        assert (found.grade, found.where) == ("warning", "review")
        assert found.rows == tuple(row for row, text in enumerate(review) if text is not None)

    def test_a_text_that_names_it_in_half_of_the_rows(self, rows, parts):
        names, review = rows.tasks["kind"].classes, list(rows.raw["review"])
        for row in range(0, len(rows), 2):
            review[row] = f"{row} is {names[rows.targets['kind'][row]]}"
        found = of(self.findings(rows, parts, raw=dict(rows.raw) | {"review": review}), "target copy")
        assert (found.grade, found.rows) == ("warning", tuple(range(0, len(rows), 2)))


class TestShift:
    def test_a_modality_that_differs_in_test(self, rows, parts):
        scores = list(rows.raw["scores"])
        for row in parts.test.tolist():
            scores[row] = None if scores[row] is None else scores[row] + np.float32([0, 0, 30, 0, 0, 0, 0, 0])
        found = of(audit(replace(rows, raw=dict(rows.raw) | {"scores": scores}), [parts], KINDS), "shift")
        assert (found.grade, found.where) == ("warning", "scores")
        assert "feature 2" in found.said
        assert found.rows == tuple(row for row in parts.test.tolist() if scores[row] is not None)

    def test_classes_that_come_more_often(self, rows):
        order = np.argsort(rows.targets["kind"], kind="stable")
        parts = Split(np.sort(order[:200]), order[200:230], np.sort(order[230:]))
        assert "'so'" in [f for f in audit(rows, [parts], KINDS) if f.check == "shift" and f.where == "kind"][-1].said


def test_what_tells_by_value_and_by_number():
    """Each told by rows other than itself: a value of one row tells nothing."""
    classes = np.arange(200) % 2
    assert by_value(np.arange(200), classes).accuracy <= 0.5
    assert by_number(np.arange(200) // 50 * 100.0, np.arange(200) // 50).accuracy == 1.0
    right = [by_number(np.random.default_rng(s).random(400), np.arange(400) % 2).accuracy for s in range(20)]
    assert np.mean(right) == pytest.approx(0.5, abs=0.02)  # 20 x 400 coins: 0.006


def test_preparations_say_what_files_hold():
    ragged = Ragged(torch.arange(6.0)[:, None], torch.tensor([2, 0, 4]))
    read = reading(Stored(ragged))
    assert read(1) is None
    assert read(2)[:, 0].tolist() == [2, 3, 4, 5]


def test_a_sound_is_described_by_its_length_loudness_and_bands():
    low, high = (np.sin(2 * np.pi * f * np.arange(8000) / 8000).astype(np.float32) for f in (100, 3900))
    found = traits("audio", [(low, 8000), (low / 2, 8000), None, (high, 8000)], range(4))
    assert found.values[[0, 1, 3], 0].tolist() == [8000] * 3
    assert np.isnan(found.values[2]).all()
    assert found.values[0, 1] - found.values[1, 1] == pytest.approx(6.02, abs=0.01)  # decibels of a half
    assert [int(found.values[row, 2:].argmax()) for row in (0, 3)] == [0, 7]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_handful_of_rows_is_audited_whatever_it_lacks(data):
    n = data.draw(st.integers(3, 12))

    def cells(of):
        return data.draw(st.lists(st.none() | of, min_size=n, max_size=n))

    numbers = st.lists(st.floats(width=32), min_size=2, max_size=2).map(np.float32)
    raw = {"review": cells(st.sampled_from(["a", "A b", "7", ""])), "scores": cells(numbers)}
    extras = {"city": cells(st.sampled_from(["1", "2", "x"])), "list": cells(st.just([1, 2]))}
    targets = {
        "kind": np.array(data.draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n))),
        "grade": np.array(data.draw(st.lists(st.sampled_from([0, 1.5, np.nan]), min_size=n, max_size=n)), np.float32),
    }
    tasks = {"kind": Multiclass("abc"), "grade": Regression()}
    examples = Examples(raw, {m: m for m in raw}, targets, tasks, [str(k) for k in range(n)], extras=extras)
    side = np.array([0, 1, 2, *data.draw(st.lists(st.integers(-1, 2), min_size=n - 3, max_size=n - 3))])
    found = audit(examples, [Split(*(np.flatnonzero(side == k) for k in range(3)))], KINDS)
    assert all(0 <= row < n for f in found for row in f.rows)
    json.dumps([f._asdict() for f in found])


def test_of_folds_the_first_is_audited(rows, parts):
    assert of(audit(rows, [parts, parts], KINDS), "folds").grade == "note"


def test_tasks_of_every_kind_are_audited(rows, parts):
    n, random = len(rows), np.random.default_rng(0)
    words = np.empty(n, dtype=object)
    words[:] = [None if row % 7 == 0 else random.integers(0, 3, 4) for row in range(n)]
    tags = (random.random((n, 4)) < 0.5).astype(np.float32)
    tags[::9] = np.nan
    targets = {"words": words, "tags": tags}
    tasks = {"words": Multiclass("abc"), "tags": Multiclass("abcd")}
    found = audit(replace(rows, targets=targets, tasks=tasks), [parts], KINDS)
    assert {f.grade for f in found} == {"note"}
    assert of(found, "unlabelled", "tags").rows == tuple(range(0, n, 9))


class TestCommands:
    @pytest.fixture(autouse=True)
    def table(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        random = np.random.default_rng(0)
        label = random.permutation(np.arange(90) % 2)
        vectors = random.standard_normal((90, 3))
        table = pd.DataFrame(vectors, columns=["a", "b", "c"]).assign(label=label, given=label * 3 - 1)
        table.to_csv("rows.csv", index=False)

    KEYS = ("dataset=table", "dataset.file=rows.csv", "dataset.tasks={label: {kind: multiclass}}", "threads=1")

    def test_a_copy_among_the_inputs_is_told(self, capsys):
        keys = (*self.KEYS, "dataset.modalities={v: {kind: vector, columns: [a, given]}}")
        assert main(["check", *keys, "--json"]) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        first = next(e for e in events if e["event"] == "finding")
        assert (first["grade"], first["check"], first["where"]) == ("warning", "target copy", "v")
        assert events[-1]["event"] == "checked"

    def test_a_copy_beside_the_inputs_does_not(self, capsys):
        keys = (*self.KEYS, "dataset.modalities={v: {kind: vector, columns: [a, b]}}")
        assert main(["check", *keys]) == 0
        out = capsys.readouterr().out
        assert "audit    no error, no warning, " in out
        assert "given" in out
        assert max(map(len, out.split("audit")[1].splitlines())) <= 100

    def test_a_run_says_it_in_a_paragraph_and_keeps_it(self, capsys):
        keys = (*self.KEYS, "dataset.modalities={v: {kind: vector, columns: [a, b]}}")
        Path("rows.csv").write_text(Path("rows.csv").read_text() + Path("rows.csv").read_text().split("\n", 1)[1])
        assert main(["train", *keys, "trainer.max_epochs=1", "bootstrap=20"]) == 0
        opening = capsys.readouterr().out.split("seed 0")[0].splitlines()
        assert opening[-4].startswith("audit    at a glance no error, ")
        assert all(line.lstrip().startswith("warning  duplicates: ") for line in opening[-3:])
        kept = [Finding(**f) for f in json.loads(Path("outputs/latest/audit.json").read_text())]
        in_test = [f for f in kept if f.check == "duplicates" and "test rows" in f.said and "training" in f.said]
        assert {row % 90 for row in in_test[0].rows} == {row - 90 for row in in_test[0].rows if row >= 90}


def data(name, *files):
    folder = Path(os.environ.get("MMFUSE_DATA", "data"), name)
    if not all((folder / file).exists() for file in files):
        pytest.skip(f"{folder} is not here: set MMFUSE_DATA")
    return folder


class TestRealData:
    def test_av_digits_has_the_class_in_its_sounds_names(self):
        root = data("av_digits", "samples.csv")
        kinds = {"image": "image", "audio": "audio"}
        about = {"digit": {"kind": "multiclass", "column": "label"}}
        table = Table("samples.csv", {m: {"kind": kind} for m, kind in kinds.items()}, about, root=str(root), id="id")
        examples = table.load(split="split")
        found = audit(examples, [split(examples, "digit", [0.6, 0.2, 0.2], 0)], kinds)
        assert [(f.check, f.where) for f in found if f.grade != "note"] == [("file names", "audio")]
        assert len(of(found, "file names").rows) == 3000

    @pytest.mark.parametrize("column", ["split", "split3", None])
    def test_mosi_is_split_by_video(self, column):
        root = data("mosi_bclstm", "utterances.csv", "features.npz")
        kinds = dict.fromkeys(("text", "audio", "video"), "vector")
        about = {m: {"kind": kind, "file": "features.npz", "key": m} for m, kind in kinds.items()}
        examples = Table("utterances.csv", about, {"label": {"kind": "multiclass"}}, root=str(root)).load(split=column)
        parts = split(examples, "label", [0.6, 0.2, 0.2], 0)
        found = of(audit(examples, [parts], kinds), "groups", "video_id")
        videos = np.array(examples.extras["video_id"])
        known = set(videos[parts.train])
        assert found.rows == tuple(
            row for row in sorted([*parts.val.tolist(), *parts.test.tolist()]) if videos[row] in known
        )
        assert found.grade == ("warning" if column is None else "note")
