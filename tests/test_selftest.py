"""Each check that fusions are put to finds what it is there for, and nothing wrong with a sound one."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmfuse.cli import main
from mmfuse.fusion.mean import MeanFusion
from mmfuse.selftest import known
from mmfuse.selftest.contract import CHECKS
from mmfuse.selftest.specimens import BrokenError
from mmfuse.types import Fused, Signal


class Sound(MeanFusion):
    """A fusion that keeps its contract, for others to break."""

    def __init__(self, dims):
        super().__init__(dims, dim=7)

    def pooled(self, signals):
        return {m: s.pooled() for m, s in signals.items()}


class Masked(Sound):
    """0 times NaN is NaN."""

    def forward(self, signals):
        steps = [self.space.maps[m](s.data * s.mask[..., None]) * s.mask[..., None] for m, s in signals.items()]
        present = torch.stack([s.present for s in signals.values()]).any(dim=0)
        return Signal.vector(sum(s.sum(dim=1) for s in steps), present)


class Deaf(Sound):
    def forward(self, signals):
        first = next(iter(self.space.maps))
        hidden = {m: Signal(s.data, s.mask & (m == first)) for m, s in signals.items()}
        fused = super().forward(hidden)
        return Signal.vector(fused.pooled(), torch.stack([s.present for s in signals.values()]).any(dim=0))


class Leaking(Sound):
    def forward(self, signals):
        fused = super().forward(signals).pooled()
        return Signal.vector(fused + fused.mean(dim=0), torch.stack([s.present for s in signals.values()]).any(dim=0))


class Alphabetic(Sound):
    """Takes modalities in the order in which they come."""

    def forward(self, signals):
        steps = dict(zip(self.space.maps, signals.values(), strict=True))
        widths = {m: layer.in_features for m, layer in self.space.maps.items()}
        cut = {m: Signal(nn.functional.pad(s.data, (0, 9))[..., : widths[m]], s.mask) for m, s in steps.items()}
        return super().forward(cut)


class Loose(Sound):
    """Weights in a list, which are neither trained nor saved (as in a published low-rank fusion)."""

    def __init__(self, dims):
        super().__init__(dims)
        self.factors = [torch.randn(7)]

    def forward(self, signals):
        fused = super().forward(signals)
        return Signal(fused.data * self.factors[0], fused.mask)


class Idle(Sound):
    def __init__(self, dims):
        super().__init__(dims)
        self.unused = nn.Parameter(torch.ones(3))


class Present(Sound):
    """A row without anything is told as present."""

    def forward(self, signals):
        fused = super().forward(signals)
        return Signal(fused.data, torch.ones_like(fused.mask))


class Rooted(Sound):
    """The root of a sum of squares has no gradient at zero."""

    def forward(self, signals):
        fused = super().forward(signals)
        mapped = sum(s.pooled() @ self.space.maps[m].weight.T for m, s in signals.items())  # (B, 7)
        norm = (mapped**2).sum(dim=1) ** 0.5
        return Signal(fused.data + norm[:, None, None] * fused.mask[..., None], fused.mask)


class Random(Sound):
    def forward(self, signals):
        fused = super().forward(signals)
        return Signal(fused.data + fused.mask[..., None] * torch.rand(1), fused.mask)


class Narrow(Sound):
    def __init__(self, dims):
        super().__init__(dims)
        self.dim = 6


class Unequal(Sound):
    def fuse(self, signals):
        return Fused(self(signals), weights=torch.ones(len(next(iter(signals.values())).mask), len(signals)))


class Diverging(Sound):
    def fuse(self, signals):
        return Fused(self(signals), losses={"own": torch.tensor(float("nan"))})


class Detached(Sound):
    def forward(self, signals):
        return super().forward({m: Signal(s.data.detach(), s.mask) for m, s in signals.items()})


class Wrong(torch.autograd.Function):
    """The identity, whose gradient is twice what it should be."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


class Twofold(Sound):
    def forward(self, signals):
        fused = super().forward(signals)
        return Signal(Wrong.apply(fused.data), fused.mask)


class Coarse(Sound):
    """Does not fit half precision's range."""

    def forward(self, signals):
        fused = super().forward(signals)
        small = torch.is_autocast_enabled("cpu")
        return Signal(fused.data * (3.0 if small else 1.0), fused.mask)


class Padded(Sound):
    """A mean over all steps, the padded ones among them."""

    def forward(self, signals):
        shares = {m: s.mask.float().mean(dim=1)[:, None, None] for m, s in signals.items()}
        clean = {m: Signal(s.data.masked_fill(~s.mask[..., None], 0.0) * shares[m], s.mask) for m, s in signals.items()}
        return super().forward(clean)


BROKEN = {
    "returns_one_signal_of_its_own_width": Narrow,
    "does_not_look_at_what_is_masked": Masked,
    "does_not_hear_an_absent_modality": Masked,
    "hears_every_modality": Deaf,
    "rows_do_not_leak": Leaking,
    "padding_changes_nothing": Padded,
    "keeps_the_order_it_was_made_with": Alphabetic,
    "every_parameter_learns": Idle,
    "gradient_reaches_the_present_and_only_them": Detached,
    "what_is_masked_spoils_no_gradient": Masked,
    "derivatives_are_right": Twofold,
    "a_row_without_anything_is_absent": Present,
    "constant_features_are_finite": Rooted,
    "is_the_same_once_saved_and_loaded": Loose,
    "says_the_same_twice": Random,
    "weights_are_shares_of_those_present": Unequal,
    "its_losses_are_finite": Diverging,
    "works_in_half_precision": Coarse,
}


def test_every_check_has_something_to_find():
    assert set(BROKEN) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_finds_what_it_is_there_for_and_nothing_else(check):
    CHECKS[check](Sound)
    with pytest.raises(BrokenError):
        CHECKS[check](BROKEN[check])


def test_weights_in_a_list_are_found():
    with pytest.raises(BrokenError, match="neither trained nor saved"):
        CHECKS["every_parameter_learns"](Loose)


def test_limits_on_the_number_of_modalities_have_to_be_named():
    def two(dims, said):
        if len(dims) != 2:
            raise ValueError(said)
        return Sound(dims)

    CHECKS["returns_one_signal_of_its_own_width"](lambda dims: two(dims, "it takes two modalities"))
    with pytest.raises(BrokenError, match="without a word"):
        CHECKS["returns_one_signal_of_its_own_width"](lambda dims: two(dims, "no"))


class TestKnown:
    def test_answers_are_what_their_equations_say(self):
        for task in known.TASKS:
            rows = known.rows(task)
            along = torch.full((8,), 8**-0.5)
            a, b = rows.a @ along, rows.b @ along
            assert 0.45 < rows.answer.float().mean() < 0.55
            if task == "redundant":
                torch.testing.assert_close(a, b)
            expected = {"additive": a + b > 0, "xor": (a > 0) == (b > 0)}.get(task, a > 0)
            assert torch.equal(rows.answer, expected)

    def test_adding_is_enough_for_one_and_never_for_the_other(self):
        adds = lambda dims: MeanFusion(dims, dim=8)  # noqa: E731
        assert known.accuracy(adds, "additive") > 0.94
        assert known.accuracy(adds, "xor") < 0.6


KNOWN = {  # accuracies that are known: additive from .94 on for all, and xor for those in which modalities interact
    "average": False,
    "concat": True,
    "gated": True,
    "lmf": True,
    "mlb": True,
    "sum": False,
    "tfn": True,
    "weighted": False,
}


@pytest.mark.parametrize("fusion", KNOWN)
def test_learns_what_it_can_represent_and_fails_at_what_it_cannot(fusion, build):
    make = partial_of(build, Path(__file__).parents[1] / "configs" / "fusion" / f"{fusion}.yaml")
    assert known.accuracy(make, "additive") > 0.93
    xor = known.accuracy(make, "xor")
    assert xor > 0.88 if KNOWN[fusion] else xor < 0.6


def partial_of(build, config):
    return lambda dims: build(config, dims=dims)


class TestCommand:
    def test_says_in_words_what_is_wrong_with_somebodys_own(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "mine.py").write_text(
            "import torch\nfrom mmfuse.fusion.mean import MeanFusion\nfrom mmfuse.types import Signal\n\n"
            "class Mine(MeanFusion):\n    def forward(self, signals):\n        fused = super().forward(signals)\n"
            "        return Signal(fused.data, torch.ones_like(fused.mask))\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(known, "EPOCHS", 2)
        assert main(["selftest", "--target", "mine.Mine"]) == 5
        said = capsys.readouterr().out
        assert "17 of 18 kept" in said
        assert (
            "broken   a row without anything is absent: of 1 modalities: a row without any is told as present" in said
        )
        assert "0 of 1 pass; not mine.Mine" in said

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            (["--target", "nowhere.Mine"], "No module named 'nowhere'"),
            (["--target", "mmfuse.types.Nobody"], "mmfuse.types has no Nobody"),
            (["--target", "mmfuse.types.Signal"], "has to be a subclass"),
            (["gatd"], "did you mean 'gated'?"),
        ],
    )
    def test_what_cannot_be_tested(self, typed, says, capsys):
        assert main(["selftest", *typed]) == 2
        assert says in capsys.readouterr().err
