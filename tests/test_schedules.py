"""Who learns when: what changes in a phase, bit for bit, and what does not."""

import copy

import pytest
import pytorch_lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader

from mmfuse.balance.plain import Plain
from mmfuse.errors import ConfigError
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.learner.fit import Patience, fit
from mmfuse.learner.learner import Learner
from mmfuse.learner.rates import Rates
from mmfuse.listener import Listener
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.models.task import TaskFusion
from mmfuse.objectives.unimodal import Unimodal
from mmfuse.run.build import check_phases
from mmfuse.schedules.alternating import Alternating
from mmfuse.schedules.asynchronous import Asynchronous
from mmfuse.schedules.pretrain_finetune import PretrainFinetune
from mmfuse.schedules.semi_synchronous import SemiSynchronous
from mmfuse.schedules.synchronous import Synchronous
from mmfuse.schedules.transfer import Transfer
from mmfuse.schedules.unfreeze import Unfreeze
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Batch, Encoder, Phase, Schedule, Signal

NAMES = ("text", "image", "audio")
TASKS = {"t": Multiclass(["a", "b", "c"])}


class Normed(Encoder):
    """With statistics of batches, which are buffers."""

    def __init__(self):
        super().__init__()
        self.dim = 6
        self.layer, self.norm = nn.Linear(4, 6), nn.BatchNorm1d(6)

    def forward(self, signal):
        return Signal.vector(self.norm(self.layer(signal.pooled())), signal.present)


class Watched(L.Callback):
    """The whole state of the learner, and the optimizer's rates, before the first step and after each."""

    def __init__(self):
        self.states, self.rates, self.grads = [], [], []

    def on_train_start(self, trainer, learner):
        self.states.append(copy.deepcopy(learner.state_dict()))

    def on_train_batch_end(self, trainer, learner, *_):
        self.states.append(copy.deepcopy(learner.state_dict()))
        self.rates.append({g["name"]: g["lr"] for g in trainer.optimizers[0].param_groups})


def batches(number=3):
    torch.manual_seed(5)
    found = []
    for k in range(number):
        signals = {m: Signal(torch.randn(8, 2, 4), torch.ones(8, 2, dtype=torch.bool)) for m in NAMES}
        found.append(Batch(signals, {"t": torch.randint(3, (8,))}, torch.arange(8) + 8 * k))
    return DataLoader(found, batch_size=None)


def learner(schedule, model=FeatureFusion, objectives=None, **more):
    torch.manual_seed(0)
    encoders = {m: Normed() for m in NAMES}
    return Learner(
        model(encoders, TASKS, lambda dims: ConcatFusion(dims, dim=8)),
        TASKS,
        objectives or {},
        Plain(["task/t"]),
        schedule,
        lambda params: torch.optim.AdamW(params, lr=0.1),
        **more,
    )


def trained(schedule, tmp_path, epochs, **about):
    watched = Watched()
    learning = learner(schedule, **about)

    def trainer(callbacks, **parts):
        return L.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[*callbacks, watched], **parts)

    waits = Patience("val/loss", "min", 100, 0.0, schedule.settles)
    fit(learning, trainer, batches(), batches(), tmp_path / "checkpoints", waits, Listener())
    return watched


def moved(before, after):
    """The parts, of whose parameters and buffers a bit has changed."""
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    return {name.split(".")[2] if ".encoders." in name else name.split(".")[1] for name in changed}


class TestWhatChangesInAPhase:
    def test_asynchronous(self, tmp_path):
        states = trained(Asynchronous(NAMES, epochs=5, each=1, order=["audio", "text", "image"]), tmp_path, 5).states
        for epoch, own in enumerate(["audio", "text", "image"]):
            assert moved(states[3 * epoch], states[3 * epoch + 3]) == {own, "fusion", "heads"}
        assert moved(states[9], states[15]) == {"fusion", "heads"}

    def test_asynchronous_with_encoders_that_go_on_at_a_lower_rate(self, tmp_path):
        watched = trained(Asynchronous(NAMES, epochs=4, each=1, rate=0.01), tmp_path, 4)
        assert moved(watched.states[9], watched.states[12]) == {*NAMES, "fusion", "heads"}
        assert watched.rates[-1] == pytest.approx({**dict.fromkeys(NAMES, 0.001), "fusion": 0.1, "heads": 0.1})

    def test_alternating(self, tmp_path):
        states = trained(Alternating(NAMES), tmp_path, 2).states
        for step, own in enumerate(["text", "image", "audio", "none", "text", "image"]):
            assert moved(states[step], states[step + 1]) == {own, "fusion", "heads"} - {"none"}

    def test_semi_synchronous(self, tmp_path):
        states = trained(SemiSynchronous(NAMES, steps=2), tmp_path, 2).states
        for step, own in enumerate(["text", "text", "image", "image", "audio", "audio"]):
            assert moved(states[step], states[step + 1]) == {own, "fusion", "heads"}

    def test_pretrain_finetune(self, tmp_path):
        schedule = PretrainFinetune(NAMES, epochs=2, first=["unimodal/*"], rate=0.0)
        objectives = {"unimodal": Unimodal(dict.fromkeys(NAMES, 6), TASKS)}
        states = trained(schedule, tmp_path, 2, objectives=objectives).states
        assert moved(states[0], states[3]) == set(NAMES)
        assert moved(states[3], states[6]) == {"fusion", "heads"}

    def test_unfreeze(self, tmp_path):
        states = trained(Unfreeze(NAMES, epochs=3, at={"text": 1, "fusion": 2}), tmp_path, 3).states
        assert moved(states[0], states[3]) == {"image", "audio", "heads"}
        assert moved(states[3], states[6]) == {"text", "image", "audio", "heads"}
        assert moved(states[6], states[9]) == {"text", "image", "audio", "fusion", "heads"}

    def test_synchronous(self, tmp_path):
        assert moved(*trained(Synchronous(), tmp_path, 1).states[:2]) == {*NAMES, "fusion", "heads"}


@pytest.mark.parametrize("model", [FeatureFusion, LateFusion, TaskFusion])
def test_every_model_has_parts_of_the_same_names(model):
    """A modality's own heads, of late fusion, are the modality's."""
    learning = learner(Synchronous(), model=model)
    assert list(learning.parts.modules) == [*NAMES, "completion", "fusion", "heads", "objectives", "balance"]
    known = [p for parameters in learning.parts.parameters.values() for p in parameters]
    assert {id(p) for p in known} == {id(p) for p in learning.parameters()}
    assert len(known) == len(list(learning.parameters()))


def test_freezing_what_is_not_there_fails():
    class Wrong(Schedule):
        def __call__(self, epoch, step):
            return Phase(frozen=("video",))

    with pytest.raises(ValueError, match="video"):
        learner(Wrong())


class TestTransfer:
    def test_only_the_source_is_heard_in_training(self):
        """The target's encoder gets no gradient from the task."""
        learning = learner(Transfer(NAMES, source=["text", "image"]))
        batch = next(iter(batches()))
        learning.phase = learning.schedule(0, 0)
        learning.training_step(batch, 0)["loss"].backward()
        grads = {m: [p.grad for p in e.parameters()] for m, e in learning.model.encoders.items()}
        learned = {m: any(g is not None and bool(g.any()) for g in each) for m, each in grads.items()}
        assert learned == {"text": True, "image": True, "audio": False}


class TestWhichEpochIsTheBest:
    @pytest.mark.parametrize("settles", [0, 2])
    def test_not_one_before_it_settles(self, tmp_path, settles):
        """What learns backwards is best at its first epoch."""
        learning = learner(Synchronous())
        learning.optimizer = lambda params: torch.optim.SGD(params, lr=0.1, maximize=True)

        def trainer(callbacks, **parts):
            return L.Trainer(max_epochs=4, accelerator="cpu", callbacks=callbacks, **parts)

        waits = Patience("val/loss", "min", 100, 0.0, settles)
        fit(learning, trainer, batches(), batches(), tmp_path / "checkpoints", waits, Listener())
        saved = torch.load(tmp_path / "checkpoints/best.ckpt", weights_only=True)
        assert saved["epoch"] == settles


class TestRates:
    def test_are_the_optimizers_times_the_share_of_the_step(self, tmp_path):
        """Six steps, of which a third is warm-up: 1/2, 1, then from 1 down to .25 along a line."""
        watched = trained(Synchronous(), tmp_path, 2, rates=Rates(warmup=1 / 3, decay="linear", end=0.25))
        shares = [0.5, 1.0, 1.0, 1 - 0.75 / 4, 1 - 1.5 / 4, 1 - 2.25 / 4]
        assert all("text" in name.split("+") for rates in watched.rates for name in rates)
        assert [rate for rates in watched.rates for rate in rates.values()] == pytest.approx([0.1 * s for s in shares])

    def test_stay_as_they_are_by_default(self, tmp_path):
        assert {lr for rates in trained(Synchronous(), tmp_path, 1).rates for lr in rates.values()} == {0.1}

    @pytest.mark.parametrize(
        ("keys", "says"), [({"warmup": 1.0}, "warmup"), ({"end": 1.5}, "end"), ({"decay": "exponential"}, "above 0")]
    )
    def test_that_cannot_be_are_refused(self, keys, says):
        with pytest.raises(ValueError, match=says):
            learner(Synchronous(), rates=Rates(**keys))


class TestSettingsThatCannotBe:
    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda: Asynchronous(NAMES, epochs=3), "leave none"),
            (lambda: Asynchronous(NAMES, epochs=9, order=["text"]), "each of"),
            (lambda: SemiSynchronous(["text"]), "alone"),
            (lambda: SemiSynchronous(NAMES, active="video"), "active=video"),
            (lambda: Transfer(NAMES, source=["video"]), "no modality"),
            (lambda: Transfer(NAMES, source=NAMES), "at least one"),
            (lambda: Unfreeze(NAMES, epochs=3, at={"text": 3}), "never wake"),
            (lambda: PretrainFinetune(NAMES, epochs=3, pretrain=3), "leaves none"),
        ],
    )
    def test_are_refused(self, make, says):
        with pytest.raises(ValueError, match=says):
            make()

    def test_an_epoch_without_a_loss_is_refused(self):
        with pytest.raises(ConfigError, match=r"align/\*"):
            check_phases(PretrainFinetune(NAMES, epochs=4), 4, ["task/t"])


def test_passive_modalities_are_scored_and_steer(tmp_path):
    schedule = SemiSynchronous(NAMES, active="image")
    learning = learner(schedule)
    with torch.no_grad():
        for batch in batches():
            learning.validation_step(batch, 0)
    learning.judge()
    assert {"val/accuracy", "val@passive/accuracy", "val@passive/t/f1_macro"} <= set(learning.figures)
    assert schedule.watched == "passive"
    assert schedule.views["passive"] == ("text", "audio")


class TestGroups:
    def names(self, schedule):
        return [group["name"] for group in learner(schedule).configure_optimizers().param_groups]

    def test_are_one_a_part_where_rates_may_differ(self):
        assert self.names(Asynchronous(NAMES, epochs=8, rate=0.1)) == [*NAMES, "fusion", "heads"]

    def test_are_one_where_parts_never_differ(self):
        assert self.names(Synchronous()) == ["+".join([*NAMES, "fusion", "heads"])]

    def test_a_schedule_that_said_rates_never_differ_is_held_to_it(self, tmp_path):
        class Broken(Synchronous):
            def __call__(self, epoch, step):
                return Phase(rates={"text": 0.1})

        with pytest.raises(ValueError, match=r"Broken gives parts rates of their own, but by_part is False"):
            trained(Broken(), tmp_path, 1)
