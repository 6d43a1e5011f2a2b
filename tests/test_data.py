"""Rows become batches, in an order and in splits that can be told in advance."""

import os
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from benches import held
from hypothesis import given, settings
from hypothesis import strategies as st

from mmfuse.data.array_file import ArrayFile, rows_of
from mmfuse.data.batches import Batches, Held
from mmfuse.data.by_length import ByLength, padded
from mmfuse.data.columns import Stored, Streamed
from mmfuse.data.lazy import Lazy
from mmfuse.data.order import Order
from mmfuse.data.splits import folds, split
from mmfuse.errors import ConfigError, DataError
from mmfuse.run.loader import ordered
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Examples, Ragged

RATIOS = [0.6, 0.2, 0.2]


def ragged(rows):
    """As a preparation returns them; None has no steps."""
    steps = [row for row in rows if row is not None]
    width = next((row.shape[1:] for row in steps), (3,))
    lengths = torch.tensor([0 if row is None else len(row) for row in rows])
    return Ragged(torch.cat([*steps, torch.empty(0, *width)]), lengths)


@pytest.fixture
def rows():
    return [None if steps is None else torch.randn(steps, 3) for steps in (4, 1, None, 6, 2, None)]


class TestColumns:
    @pytest.mark.parametrize("wanted", [[0, 1, 2, 3, 4, 5], [4, 4, 0], [5, 2], [3], [1, 2], [5, 0, 4]], ids=str)
    def test_a_batch_is_its_rows_padded_one_by_one(self, rows, wanted):
        lengths = [0 if rows[row] is None else len(rows[row]) for row in wanted]
        data, mask = torch.zeros(len(wanted), max(1, *lengths), 3), torch.zeros(len(wanted), max(1, *lengths))
        for place, (row, length) in enumerate(zip(wanted, lengths, strict=True)):
            if length:
                data[place, :length], mask[place, :length] = rows[row], 1
        batch = Stored(ragged(rows)).batch(torch.tensor(wanted))
        assert torch.equal(batch.mask, mask.bool())
        assert torch.equal(batch.data, data)

    @pytest.mark.parametrize("wanted", [[0, 1, 2, 3, 4, 5], [4, 4, 0], [5, 2], [3]], ids=str)
    def test_streamed_is_stored(self, rows, wanted):
        index = torch.tensor(wanted)
        streamed, stored = (
            Streamed(lambda wanted: ragged([rows[i] for i in wanted])).batch(index),
            Stored(ragged(rows)).batch(index),
        )
        assert torch.equal(streamed.mask, stored.mask)
        assert torch.equal(streamed.data, stored.data)

    def test_a_batch_is_its_own(self, rows):
        column = Stored(ragged(rows))
        column.batch(torch.tensor([0])).data.zero_()
        assert torch.equal(column.batch(torch.tensor([0])).data[0], rows[0])

    def test_no_row_at_all_has_the_modality(self):
        data, mask = Stored(ragged([None, None])).batch(torch.tensor([1, 0, 1]))
        assert not mask.any()
        assert torch.equal(data, torch.zeros(3, 1, 3))

    def test_batches_hold_signals_targets_and_rows(self, rows):
        columns = {"text": Stored(ragged(rows)), "audio": Streamed(lambda wanted: ragged([rows[i] for i in wanted]))}
        batch = Batches(columns, {"kind": torch.tensor([0, 1, 2, 3, 4, 5])})[[3, 2]]
        assert batch.rows.tolist() == batch.targets["kind"].tolist() == [3, 2]
        for signal in batch.signals.values():
            assert signal.present.tolist() == [True, False]
            assert torch.equal(signal.data[0], rows[3])


class TestOrder:
    ROWS = [3, 5, 8, 9, 11, 12, 20]

    def seen(self, seed, epoch=0):
        order = Order(self.ROWS, batch_size=3, seed=seed)
        order.set_epoch(epoch)
        return [batch.tolist() for batch in order]

    def test_sees_each_row_once_an_epoch(self):
        batches = self.seen(seed=0)
        assert [len(batch) for batch in batches] == [3, 3, 1]
        assert sorted(chain(*batches)) == self.ROWS
        assert len(Order(self.ROWS, batch_size=3, seed=0)) == 3

    def test_is_a_function_of_seed_and_epoch(self):
        assert self.seen(seed=1, epoch=4) == self.seen(seed=1, epoch=4)
        orders = {str(self.seen(seed, epoch)) for seed in range(3) for epoch in range(4)}
        assert len(orders) == 12

    def test_without_a_seed_is_as_the_rows_are(self):
        assert self.seen(seed=None, epoch=3) == [[3, 5, 8], [9, 11, 12], [20]]

    def test_batches_need_a_row(self):
        with pytest.raises(ValueError, match="batch_size=0"):
            Order(self.ROWS, batch_size=0, seed=0)


class TestByLength:
    def orders(self, n, lengths, batch_size=8, **knobs):
        return ByLength(range(n), batch_size, 3, lengths, **knobs)

    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 7), st.integers(0, 9), st.integers(1, 3))
    def test_sees_each_row_once_an_epoch_in_as_many_batches(self, n, batch_size, window, epoch, modalities):
        random = np.random.default_rng(n)
        lengths = {str(m): random.integers(0, 50, n) for m in range(modalities)}
        order = self.orders(n, lengths, batch_size, window=window)
        order.set_epoch(epoch)
        batches = [batch.tolist() for batch in order]
        assert sorted(chain(*batches)) == list(range(n))
        assert len(batches) == len(order)
        assert max(map(len, batches)) <= batch_size

    def test_is_a_function_of_seed_and_epoch(self):
        def seen(seed, epoch):
            order = ByLength(range(200), 8, seed, {"a": np.arange(200) % 30})
            order.set_epoch(epoch)
            return [batch.tolist() for batch in order]

        assert seen(1, 4) == seen(1, 4)
        assert len({str(seen(seed, epoch)) for seed in range(3) for epoch in range(4)}) == 12

    def test_pads_under_15_percent_of_steps_of_skewed_lengths(self):
        random, n = np.random.default_rng(0), 6400
        text = random.lognormal(3.4, 0.8, n).clip(5, 200).astype(np.int64)
        sound = (text * random.uniform(0.8, 1.2, n)).astype(np.int64)  # as long, but for a fifth
        lengths = np.stack([text, sound], axis=1)
        sorted_ = self.orders(n, {"text": text, "sound": sound}, 64)
        assert padded(list(sorted_), lengths) < 0.15
        assert padded(list(Order(range(n), 64, 3)), lengths) > 0.6

    def test_short_rows_do_not_all_come_first(self):
        lengths = np.arange(6400)
        means = np.array([lengths[batch].mean() for batch in self.orders(6400, {"a": lengths}, 64)])
        assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5

    def test_a_window_has_a_batch(self):
        with pytest.raises(ValueError, match="window=0"):
            self.orders(5, {"a": np.arange(5)}, window=0)


class TestRowsOfOneLength:
    """They are fetched another way, which must not show."""

    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 9), st.integers(1, 4), st.data())
    def test_are_as_those_that_are_padded(self, n, steps, data):
        wanted = torch.tensor(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=12)))
        rows = torch.randn(n * steps, 3)
        even = Stored(Ragged(rows, torch.full((n,), steps)))
        uneven = Stored(
            Ragged(torch.cat([rows, torch.zeros(steps + 1, 3)]), torch.tensor([steps] * n + [steps + 1]))
        )  # one more row
        assert even.rows is not None
        assert uneven.rows is None
        for ours, general in zip(even.batch(wanted), uneven.batch(wanted), strict=True):
            assert ours.dtype == general.dtype
            assert torch.equal(ours, general)

    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 1 << 14))
    def test_many_batches_gathered_at_once_are_the_same_batches(self, n, batch_size, gathered):
        columns = {
            "vector": Stored(Ragged(torch.randn(n, 3), torch.ones(n, dtype=torch.long))),
            "film": Stored(Ragged(torch.randint(0, 256, (2 * n, 1, 2, 2)).byte(), torch.full((n,), 2))),
        }
        whole = Batches(columns, {"label": torch.arange(n)})
        order = Order(range(n), batch_size, seed=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mmfuse.data.batches.GATHERED", gathered)
            batches = list(Held(whole, sampler=order, batch_size=None))
        assert len(batches) == len(order)
        for batch, rows in zip(batches, order, strict=True):
            assert batch.rows.tolist() == batch.targets["label"].tolist() == rows.tolist()
            for modality, (data, mask) in batch.signals.items():
                alone = columns[modality].batch(torch.from_numpy(rows))
                assert torch.equal(data, alone.data)
                assert torch.equal(mask, alone.mask)

    def test_a_batch_may_be_written_to(self):
        column = Stored(Ragged(torch.ones(4, 2), torch.ones(4, dtype=torch.long)))
        column.batch(torch.tensor([1, 1])).data.zero_()
        assert column.data.all()


class TestArrayFile:
    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.integers(0, 19), max_size=30))
    def test_gives_the_rows_that_numpy_gives(self, wanted):
        with TemporaryDirectory() as folder:
            file = Path(folder) / "rows.npy"
            np.save(file, np.arange(20 * 6, dtype=np.int16).reshape(20, 2, 3))
            held = np.load(file, mmap_mode="r")
            read = ArrayFile(file, held).read(wanted)
            assert len(read) == len(wanted)
            for ours, row in zip(read, wanted, strict=True):
                assert ours.dtype == np.int16
                assert np.array_equal(ours, held[row])

    def test_a_file_that_was_cut_short_since_is_an_error(self, tmp_path):
        np.save(tmp_path / "rows.npy", np.ones((20, 3)))
        there = ArrayFile(tmp_path / "rows.npy", np.load(tmp_path / "rows.npy", mmap_mode="r"))
        os.truncate(tmp_path / "rows.npy", 200)
        with pytest.raises(OSError, match="ends at byte"):
            there.read([19])

    def test_only_large_files_are_read_so_and_their_contents_tell_them_apart(self, tmp_path, monkeypatch):
        for name, value in (("a", 1.0), ("b", 2.0), ("again", 1.0)):
            np.save(tmp_path / f"{name}.npy", np.full((20, 3), value))
        held = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("a", "b", "again")}
        assert isinstance(rows_of(tmp_path / "a.npy", held["a"]), list)
        monkeypatch.setattr("mmfuse.data.array_file.LARGE", 100)
        seen = {}
        for name, array in held.items():
            lazy = rows_of(tmp_path / f"{name}.npy", array)
            assert isinstance(lazy, Lazy)
            assert len(lazy) == 20
            assert not lazy.missing.any()
            seen[name] = lazy.of([3, 4]).fingerprint
        assert seen["a"] == seen["again"] != seen["b"]


@pytest.fixture
def examples():
    """Rows of a classification "kind" and, where asked, a regression "score"."""

    def make(kind, score=None, split=None, groups=None):
        kind = np.asarray(kind, dtype=np.int64)
        targets, tasks = {"kind": kind}, {"kind": Multiclass("abc")}
        if score is not None:
            targets["score"], tasks["score"] = np.asarray(score, dtype=np.float32), Regression()
        return Examples(
            raw={"text": ["word"] * len(kind)},
            columns={"text": "text"},
            targets=targets,
            tasks=tasks,
            ids=[str(row) for row in range(len(kind))],
            split=None if split is None else np.asarray(split),
            groups=None if groups is None else np.asarray(groups),
        )

    return make


KINDS = np.repeat([0, 1, 2], [100, 60, 40])  # a half, three tenths, a fifth of 200 rows


class TestSplit:
    def test_by_ratios_in_every_class(self, examples):
        """60, 20 and 20 % of each of the classes."""
        found = split(examples(KINDS), "kind", RATIOS, seed=0)
        assert [np.bincount(KINDS[rows]).tolist() for rows in found] == [[60, 36, 24], [20, 12, 8], [20, 12, 8]]

    def test_each_row_is_in_one_part(self, examples):
        found = split(examples(KINDS), "kind", [3.0, 1.0, 1.0], seed=0)
        assert sorted(np.concatenate(found)) == list(range(200))
        assert all((np.diff(rows) > 0).all() for rows in found)

    def test_is_a_function_of_the_seed(self, examples):
        tests = [split(examples(KINDS), "kind", RATIOS, seed).test.tolist() for seed in (0, 0, 1)]
        assert tests[0] == tests[1] != tests[2]

    def test_a_number_is_stratified_by_its_size(self, examples):
        score = np.random.default_rng(0).permutation(200)
        found = split(examples(KINDS, score), "score", RATIOS, seed=0)
        assert [len(rows) for rows in found] == [120, 40, 40]
        for rows in found:  # ten ranges of twenty numbers, a tenth of the rows in each
            assert np.abs(np.bincount(score[rows] // 20, minlength=10) / len(rows) - 0.1).max() < 0.03

    def test_groups_are_never_torn_apart(self, examples):
        groups = np.random.default_rng(0).integers(25, size=200)
        found = split(examples(KINDS, groups=groups), "kind", RATIOS, seed=0)
        sides = [set(groups[rows]) for rows in found]
        assert [len(side) for side in sides] == [15, 5, 5]
        assert len(set.union(*sides)) == 25
        assert sum(len(rows) for rows in found) == 200

    def test_few_groups_leave_one_to_train_on(self, examples):
        groups = np.arange(200) % 4
        found = split(examples(KINDS, groups=groups), "kind", [0.2, 0.4, 0.4], seed=0)
        assert [len(set(groups[rows])) for rows in found] == [1, 1, 2]

    def test_leaves_out_rows_without_any_label(self, examples):
        kinds = KINDS.copy()
        kinds[::10] = -1
        found = split(examples(kinds), "kind", RATIOS, seed=0)
        assert sorted(np.concatenate(found)) == np.flatnonzero(kinds >= 0).tolist()

    def test_keeps_rows_that_another_task_has_a_label_for(self, examples):
        kinds, score = KINDS.copy(), np.full(200, np.nan)
        kinds[::10], score[::20] = -1, 1.0
        found = split(examples(kinds, score), "kind", RATIOS, seed=0)
        assert sorted(np.concatenate(found)) == np.flatnonzero((kinds >= 0) | ~np.isnan(score)).tolist()

    def test_one_row_without_this_tasks_label_is_no_obstacle(self, examples):
        kinds = KINDS.copy()
        kinds[0] = -1
        found = split(examples(kinds, score=np.ones(200)), "kind", RATIOS, seed=0)
        assert sorted(np.concatenate(found)) == list(range(200))

    def test_keeps_to_the_data_sets_own(self, examples):
        own = np.array(["test", "train", "val", "", "train"] * 40)
        found = split(examples(KINDS, split=own), "kind", RATIOS, seed=0)
        for name, rows in found._asdict().items():
            assert rows.tolist() == np.flatnonzero(own == name).tolist()

    def test_takes_validation_rows_from_the_training_rows_where_there_are_none(self, examples):
        own = np.array(["test", "train", "train", "train", "train"] * 40)
        found = split(examples(KINDS, split=own), "kind", RATIOS, seed=0)
        assert found.test.tolist() == list(range(0, 200, 5))
        assert np.bincount(KINDS[found.val]).tolist() == [20, 12, 8]  # a quarter of each class's 80, 48 and 32
        assert sorted([*found.train, *found.val]) == np.flatnonzero(own == "train").tolist()

    def test_a_class_of_one_row_cannot_be_split(self, examples):
        with pytest.raises(DataError, match="task 'kind': class 'b' has 1 row, too few"):
            split(examples([0] * 20 + [1]), "kind", RATIOS, seed=0)

    def test_a_part_without_rows_is_an_error(self, examples):
        with pytest.raises(DataError, match="the test split is empty: 3 train / 1 val / 0 test of 4 rows"):
            split(examples([0, 1, 0, 1], split=["train", "train", "val", "train"]), "kind", RATIOS, seed=0)

    def test_a_part_without_labels_is_an_error(self, examples):
        own = ["train", "val", "test"] * 4
        with pytest.raises(DataError, match="the test split has no row with a label for the task 'kind'"):
            split(examples([0, 1, -1] * 4, score=[1.0] * 12, split=own), "kind", RATIOS, seed=0)

    def test_no_label_at_all_is_an_error(self, examples):
        with pytest.raises(DataError, match="no row has a label for the task 'kind'"):
            split(examples([-1] * 10), "kind", RATIOS, seed=0)

    def test_one_group_cannot_be_split(self, examples):
        with pytest.raises(DataError, match="all rows to be split are of one group"):
            split(examples(KINDS, groups=["same"] * 200), "kind", RATIOS, seed=0)

    @pytest.mark.parametrize("ratios", [[0.8, 0.2], [1.2, -0.1, -0.1], [0.0, 0.0, 0.0]], ids=str)
    def test_needs_three_shares(self, examples, ratios):
        with pytest.raises(ConfigError, match="three shares are needed"):
            split(examples(KINDS), "kind", ratios, seed=0)

    @pytest.mark.parametrize("ratios", [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]], ids=str)
    @pytest.mark.parametrize(
        "about",
        [{}, {"groups": np.arange(200) // 10}, {"split": ["train", "test"] * 100}],
        ids=["rows", "groups", "own"],
    )
    def test_shares_that_leave_a_part_without_rows_are_an_error(self, examples, ratios, about):
        with pytest.raises((ConfigError, DataError)):
            split(examples(KINDS, **about), "kind", ratios, seed=0)


class TestFolds:
    @pytest.mark.parametrize("k", [3, 5])
    def test_test_each_row_once_and_validate_on_each_once(self, examples, k):
        found = list(folds(examples(KINDS), "kind", k, seed=0))
        assert len(found) == k
        for part in ("val", "test"):
            assert sorted(np.concatenate([getattr(fold, part) for fold in found])) == list(range(200))
        for fold in found:
            assert sorted(np.concatenate(fold)) == list(range(200))

    def test_are_stratified(self, examples):
        for fold in folds(examples(KINDS), "kind", 5, seed=0):
            assert np.bincount(KINDS[fold.test]).tolist() == [20, 12, 8]
            assert np.bincount(KINDS[fold.train]).tolist() == [60, 36, 24]

    def test_never_tear_groups_apart(self, examples):
        groups = np.random.default_rng(0).integers(25, size=200)
        tested = []
        for fold in folds(examples(KINDS, groups=groups), "kind", 5, seed=0):
            train, val, test = (set(groups[rows]) for rows in fold)
            assert not train & val | train & test | val & test
            tested.extend(fold.test)
        assert sorted(tested) == list(range(200))

    def test_leave_out_rows_without_any_label(self, examples):
        kinds = KINDS.copy()
        kinds[::10] = -1
        tested = np.concatenate([fold.test for fold in folds(examples(kinds), "kind", 4, seed=0)])
        assert sorted(tested) == np.flatnonzero(kinds >= 0).tolist()

    def test_need_three_parts(self, examples):
        with pytest.raises(ConfigError, match="folds=2: at least 3"):
            list(folds(examples(KINDS), "kind", 2, seed=0))

    def test_need_a_row_of_each_class_each(self, examples):
        with pytest.raises(DataError, match="class 'b' has 4 rows, too few"):
            list(folds(examples([0] * 20 + [1] * 4), "kind", 5, seed=0))

    def test_need_a_group_each(self, examples):
        with pytest.raises(DataError, match="there are only 4 groups"):
            list(folds(examples(KINDS, groups=np.arange(200) % 4), "kind", 5, seed=0))


def test_rows_that_are_all_as_long_as_each_other_are_in_the_usual_order():
    """There is nothing to batch by: the order is the one of a run that does not ask for it."""
    column = Stored(Ragged(torch.randn(12, 2), torch.full((6,), 2)))
    about = held.prepared({"v": column}, {"y": torch.zeros(6, dtype=torch.long)}, 6)
    found = ordered(held.settings(2, by_length=True), about, np.arange(6), 3)
    assert [batch.tolist() for batch in found] == [batch.tolist() for batch in Order(np.arange(6), 2, 3)]
