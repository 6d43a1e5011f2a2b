"""From a row's cells to a vector, beside scikit-learn's."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mmfuse.errors import DataError
from mmfuse.prepare.cells import Cells
from mmfuse.types import UnreadableError


@pytest.fixture
def table(random):
    """60 rows: two columns of numbers, the second with holes, and two of categories, one of them with holes."""
    return pd.DataFrame(
        {
            "age": random.normal(40, 12, size=60),
            "income": np.where(random.random(60) < 0.3, np.nan, random.lognormal(10, 1, size=60)),
            "town": random.choice(["Bonn", "Köln", "Ulm"], size=60),
            "job": np.where(random.random(60) < 0.2, None, random.choice(["cook", "nurse"], size=60)),
        }
    )


def rows_of(table):
    return table.to_dict("records")


def fitted(rows, **settings):
    cells = Cells(**settings)
    cells.fit(rows)
    return cells


class TestBesideScikitLearn:
    @pytest.fixture
    def theirs(self):
        """Standardised by what is there, then filled with the mean, which is 0."""
        zeros = {"handle_unknown": "ignore", "sparse_output": False}
        return ColumnTransformer(
            [
                ("age", StandardScaler(), ["age"]),
                ("income", make_pipeline(StandardScaler(), SimpleImputer(add_indicator=True)), ["income"]),
                ("town", OneHotEncoder(**zeros), ["town"]),
                (
                    "job",
                    OneHotEncoder(categories=[["cook", "nurse"]], **zeros),
                    ["job"],
                ),
            ]
        )

    def test_features_are_the_same(self, table, theirs):
        """On the rows that it is fitted on and on others, of which some have a town that none of those has."""
        training, other = table[:40], table[40:].copy()
        other.iloc[3, 2], other.iloc[5, 2] = "Rom", None
        cells, theirs = fitted(rows_of(training)), theirs.fit(training)
        assert cells.size == 1 + 2 + 3 + 2
        for part in (training, other):
            prepared = cells(rows_of(part))
            assert prepared.lengths.tolist() == [1] * len(part)
            np.testing.assert_allclose(prepared.data, theirs.transform(part), rtol=1e-4, atol=1e-6)

    def test_numbers_as_text_are_numbers(self, table):
        text = [{k: "" if pd.isna(v) else f" {v} " for k, v in row.items()} for row in rows_of(table)]
        assert fitted(text)(text).data.equal(fitted(rows_of(table))(rows_of(table)).data)


class TestNumbers:
    def test_only_training_rows_are_learned_from(self):
        """Mean 2, deviation 1 of 1 and 3, whatever comes after."""
        cells = fitted([{"a": 1}, {"a": 3}])
        assert cells([{"a": 5}, {"a": 2.5}]).data.tolist() == [[3.0], [0.5]]
        assert cells([{"a": 5}]).data.tolist() == [[3.0]]

    def test_a_missing_one_is_the_mean(self):
        """The column tells of it only if training rows lack it, too."""
        told = fitted([{"a": 1, "b": "x"}, {"a": 3, "b": "x"}, {"a": "", "b": "x"}])
        assert told([{"a": 3, "b": None}, {"a": None, "b": "x"}]).data.tolist() == [[1, 0, 0], [0, 1, 1]]
        untold = fitted([{"a": 1, "b": "x"}, {"a": 3, "b": "x"}])
        assert untold([{"a": 3, "b": None}, {"a": None, "b": "x"}]).data.tolist() == [[1, 0], [0, 1]]

    @pytest.mark.parametrize(
        "missing", [None, "", "  ", float("nan"), float("-inf"), "nan", "Infinity", 1e300, 10**400]
    )
    def test_what_is_not_finite_is_missing(self, missing):
        cells = fitted([{"a": 1, "b": 0}, {"a": 3, "b": 0}, {"a": missing, "b": 0}])
        assert cells([{"a": missing, "b": 0}, {"a": 3, "b": 0}]).data.tolist() == [[0, 1, 0], [1, 0, 0]]

    @pytest.mark.parametrize("numbers", [[7, 7, 7], [0.1] * 10, [1e-300, 0], [1e16, 1e16]])
    def test_one_that_never_varies_is_zero(self, numbers):
        data = fitted([{"a": n} for n in numbers])([{"a": n} for n in numbers]).data
        assert data.tolist() == [[0.0]] * len(numbers)

    def test_text_among_them_is_unreadable(self):
        cells = fitted([{"age": 1, "town": "Ulm"}, {"age": 3, "town": "Bonn"}])
        with pytest.raises(UnreadableError) as error:
            cells([{"age": 1, "town": "x"}, {"age": "old", "town": "x"}, None, {"age": True}, {"age": "1_0"}])
        reasons = {failure.row: failure.reason for failure in error.value.failures}
        assert list(reasons) == [1, 3, 4]
        assert reasons[1] == "column 'age': 'old' is not a number"

    def test_one_that_32_bits_cannot_hold_is_unreadable(self):
        with pytest.raises(UnreadableError, match="column 'a': 1e\\+30 is too far"):
            fitted([{"a": 0.0}, {"a": 1e-20}])([{"a": 1e30}])


class TestCategories:
    def test_a_column_with_any_text_has_categories(self):
        cells = fitted([{"a": 3}, {"a": "3"}, {"a": 3.0}, {"a": "low"}, {"a": True}])
        assert cells.size == 3
        assert cells([{"a": 3}, {"a": "3"}, {"a": " low "}]).data.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]

    def test_yes_and_no_are_categories(self):
        cells = fitted([{"a": True}, {"a": False}])
        assert cells([{"a": True}, {"a": "False"}]).data.tolist() == [[0, 1], [1, 0]]

    def test_new_and_missing_ones_are_zeros(self):
        cells = fitted([{"a": "x", "b": 0}, {"a": "y", "b": 0}])
        assert cells([{"a": "z", "b": 0}, {"a": None, "b": 0}]).data.tolist() == [[0, 0, 0]] * 2

    def test_rare_ones_have_no_feature(self):
        rows = [{"a": name} for name in "xxxyyz"]
        assert fitted(rows, min_count=2)([{"a": "x"}, {"a": "y"}, {"a": "z"}]).data.tolist() == [[1, 0], [0, 1], [0, 0]]

    def test_the_most_frequent_have_one(self):
        rows = [{"a": name} for name in "wxxxyyzz"]
        cells = fitted(rows, max_categories=2)
        assert cells([{"a": n} for n in "wxyz"]).data.tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]


class TestRows:
    def test_those_without_any_cell_lack_the_modality(self):
        rows = [{"a": 1, "b": "x"}, {"a": "nan", "b": " "}, None, {"a": None, "b": None}, {"a": 3, "b": "x"}]
        cells = fitted(rows)
        assert cells.size == 2  # a row that lacks the modality is no row that lacks a number
        prepared = cells(rows)
        assert prepared.lengths.tolist() == [1, 0, 0, 0, 1]
        assert prepared.data.tolist() == [[-1, 1], [1, 1]]

    def test_that_all_lack_the_modality_have_no_steps(self):
        prepared = fitted([{"a": 1}, None, {"a": 2}])([None, {"a": None}])
        assert prepared.lengths.tolist() == [0, 0]
        assert prepared.data.shape == (0, 1)

    def test_a_column_without_a_cell_has_no_feature(self):
        cells = fitted([{"a": 1, "b": None}, {"a": 2, "b": ""}])
        assert cells.size == 1
        assert cells([{"a": 1.5, "b": "text"}]).data.tolist() == [[0.0]]

    def test_a_column_that_training_rows_do_not_have_is_unreadable(self):
        with pytest.raises(UnreadableError, match="column 'b'"):
            fitted([{"a": 1}])([{"a": 1, "b": 2}])

    @pytest.mark.parametrize("cell", [[1, 2], {"x": 1}, np.zeros(2)])
    def test_a_cell_is_text_or_a_number(self, cell):
        with pytest.raises(UnreadableError, match="column 'a'") as error:
            fitted([{"a": 1}, {"a": cell}])
        assert [failure.row for failure in error.value.failures] == [1]

    def test_nothing_to_learn_from_is_an_error(self):
        with pytest.raises(DataError, match="the columns a, b"):
            fitted([{"a": "x", "b": None}, {"a": "y", "b": None}], min_count=2)

    @pytest.mark.parametrize("wrong", [{"min_count": 0}, {"max_categories": 0}])
    def test_refuses_settings_that_cannot_be(self, wrong):
        with pytest.raises(ValueError, match="|".join(wrong)):
            Cells(**wrong)

    def test_are_the_same_once_restored(self, table, through_json):
        cells = fitted(rows_of(table))
        other = through_json(cells)
        assert other.size == cells.size
        assert other(rows_of(table)).data.equal(cells(rows_of(table)).data)
        assert json.loads(json.dumps(cells.state(), sort_keys=True)) == cells.state()
