"""What encoders of a table's row are held to: numpy by hand, and what their papers say of columns."""

import numpy as np
import pytest
import torch
from torch import nn

from mmfuse.encoders.embed_mlp import EmbedMLP
from mmfuse.encoders.ft_transformer import FTTransformer
from mmfuse.prepare.cells import Cells
from mmfuse.run.encoded import taken
from mmfuse.types import Signal

ROWS = [
    {"age": 30, "town": "Ulm", "pay": 1.0, "empty": None},
    {"age": 40, "town": "Bonn", "pay": "", "empty": None},
    {"age": 50, "town": "Köln", "pay": 3.0, "empty": None},
]
NEW = {"age": 40, "town": "Rom", "pay": 2.0}
MISSING = {"age": 40, "town": None, "pay": 2.0}


@pytest.fixture
def cells():
    prepared = Cells()
    prepared.fit(ROWS)
    return prepared


@pytest.fixture
def signal(cells):
    """Of rows, as their encoder reads them."""
    return lambda rows: Signal(cells(rows).data.unsqueeze(1), torch.ones(len(rows), 1, dtype=torch.bool))


class TestColumns:
    def test_are_those_of_the_training_rows_end_to_end(self, cells, through_json):
        """A number, three towns, a number that is missing somewhere; a column without any cell has no features."""
        expected = [("number", 1), ("category", 3), ("number", 2)]
        assert cells.parts() == {"columns": expected}
        assert sum(width for _, width in expected) == cells.size
        assert through_json(cells).parts() == cells.parts()

    def test_go_to_the_encoders_that_take_them(self, cells):
        for name, given in {"embed_mlp.EmbedMLP": cells.parts(), "mlp.MLP": {}, "linear.Linear": {}}.items():
            assert taken({"_target_": f"mmfuse.encoders.{name}"}, cells) == given

    @pytest.mark.parametrize("encoder", [EmbedMLP, FTTransformer])
    def test_have_to_be_as_wide_as_the_features(self, encoder):
        with pytest.raises(ValueError, match=r"3 features, and not size=4"):
            encoder(4, [("number", 1), ("category", 2)])


class TestEmbedMLP:
    def test_looks_categories_up_and_takes_numbers_as_they_are(self, cells, signal):
        """By hand: Bonn, Köln and Ulm are the columns of a matrix of ceil(3 / 2) rows."""
        encoder = EmbedMLP(cells.size, **cells.parts(), dim=4).eval()
        towns = encoder.columns[1].weight.detach().numpy()
        assert towns.shape == (2, 3)
        w1, b1, w2, b2 = (p.detach().numpy() for p in encoder.mlp.parameters())
        zero = np.zeros(2)
        for row, age, town, pay in [  # the mean of 30, 40 and 50 is 40, their deviation the root of 200 / 3
            (ROWS[2], 10 / np.sqrt(200 / 3), towns[:, 1], [1, 0]),
            (ROWS[1], 0, towns[:, 0], [0, 1]),
            (NEW, 0, zero, [0, 0]),
            (MISSING, 0, zero, [0, 0]),
        ]:
            entered = np.concatenate([[age], town, pay])
            expected = w2 @ np.maximum(w1 @ entered + b1, 0) + b2
            np.testing.assert_allclose(encoder(signal([row])).data[0, 0].detach().numpy(), expected, atol=1e-5)

    @pytest.mark.parametrize(("categories", "wide"), [(1, 1), (2, 1), (3, 2), (7, 4), (99, 50), (5000, 50)])
    def test_a_category_is_half_as_wide_as_its_column_and_50_at_most(self, categories, wide):
        columns = [("category", categories), ("number", 1)]
        assert EmbedMLP(categories + 1, columns).columns[0].weight.shape == (wide, categories)

    def test_or_as_wide_as_it_is_told_to_be(self):
        columns = [("category", 9), ("category", 2)]
        assert [c.weight.shape for c in EmbedMLP(11, columns, embedding=5).columns] == [(5, 9), (5, 2)]


def normed(x):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def attended(x, attention, heads):
    """(C, D) by hand."""
    queries, keys, values = np.split(x @ attention.in_proj_weight.detach().numpy().T, 3, axis=1)
    out = []
    for q, k, v in zip(*(np.split(each, heads, axis=1) for each in (queries, keys, values)), strict=True):
        weights = np.exp(q @ k.T / np.sqrt(q.shape[1]))
        out.append(weights / weights.sum(axis=1, keepdims=True) @ v)
    return np.hstack(out) @ attention.out_proj.weight.detach().numpy().T


class TestFTTransformer:
    def test_is_the_papers_by_hand(self, cells, signal):
        """x + MHA(x), and x + FFN(norm(x)); then with a norm before both; relu(norm(first token)) at last.

        Biases that are left out here are 0: those of attention start so.
        """
        encoder = FTTransformer(cells.size, **cells.parts(), dim=8, layers=2, heads=2, feedforward=5).eval()
        for block in encoder.blocks:
            nn.init.zeros_(block.widen.bias)
            nn.init.zeros_(block.narrow.bias)
        weight, bias, first = (p.detach().numpy() for p in (encoder.weight, encoder.bias, encoder.first))
        for row, features in [(ROWS[1], [0, 1, 0, 0, 0, 1]), (NEW, [0, 0, 0, 0, 0, 0])]:
            x = np.array(features, np.float32)
            own = np.stack([x[:1] @ weight[:1], x[1:4] @ weight[1:4], x[4:] @ weight[4:]])  # (3, D)
            x = np.vstack([first, own + bias])
            for layer, block in enumerate(encoder.blocks):
                x = x + attended(normed(x) if layer else x, block.attention, 2)
                value, gate = np.split(normed(x) @ block.widen.weight.detach().numpy().T, 2, axis=1)
                x = x + (value * np.maximum(gate, 0)) @ block.narrow.weight.detach().numpy().T
            encoded = encoder(signal([row])).data[0].detach().numpy()
            np.testing.assert_allclose(encoded, np.maximum(normed(x[:1]), 0), atol=1e-4)

    def test_the_order_of_columns_says_nothing_to_its_first_token(self, cells, signal):
        encoder = FTTransformer(cells.size, **cells.parts(), dim=8, heads=2).eval()
        turned = FTTransformer(cells.size, cells.parts()["columns"][::-1], dim=8, heads=2).eval()
        order = [4, 5, 1, 2, 3, 0]
        state = encoder.state_dict()
        turned.load_state_dict(state | {"weight": state["weight"][order], "bias": state["bias"].flip(0)})
        data, mask = signal(ROWS)
        torch.testing.assert_close(turned(Signal(data[..., order], mask)), encoder(Signal(data, mask)))

    def test_all_is_a_step_for_each_column_and_the_first_one(self, cells, signal):
        first, every = (
            FTTransformer(cells.size, **cells.parts(), dim=8, heads=2, pool=pool).eval() for pool in ("first", "all")
        )
        every.load_state_dict(first.state_dict())
        data, _ = signal(ROWS)
        mask = torch.tensor([[True], [False], [True]])
        one, four = first(Signal(data, mask)), every(Signal(data, mask))
        assert (one.data.shape, four.data.shape) == ((3, 1, 8), (3, 4, 8))
        assert four.mask.tolist() == [[True] * 4, [False] * 4, [True] * 4]
        torch.testing.assert_close(four.data[:, :1], one.data)

    def test_refuses_a_width_that_heads_cannot_share(self):
        with pytest.raises(ValueError, match="dim=10: heads=8"):
            FTTransformer(1, [("number", 1)], dim=10)
