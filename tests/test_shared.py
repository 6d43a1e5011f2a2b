"""What is carried from one modality to another, on the toy where all of it could be.

Heads are taught by text alone, through a fusion that treats all modalities alike, and asked of audio.
"""

import numpy as np
import pytest
import pytorch_lightning as L
import torch
from sklearn.linear_model import LogisticRegression

from mmfuse import masks
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored
from mmfuse.data.shared import Shared
from mmfuse.errors import ConfigError
from mmfuse.metrics import retrieval
from mmfuse.objectives.cmd import discrepancy as moments
from mmfuse.objectives.coral import coral
from mmfuse.objectives.mmd import discrepancy
from mmfuse.run.build import learner, parts
from mmfuse.run.loader import loader
from mmfuse.run.prepare import divide, load, prepare
from mmfuse.types import Ragged

SETTINGS = ("dataset=shared", "fusion=mean", "schedule=transfer", "schedule.source=[text]", "optimizer.lr=3e-3")
CHANCE = 0.25


@pytest.fixture(scope="module")
def prepared():
    cfg = compose(SETTINGS, Catalog())
    examples = load(cfg)
    return prepare(cfg, examples, divide(cfg, examples)[0][1])


def trained(prepared, *objectives, seed=0, epochs=4, more=()):
    """(the learner, its config) after some epochs of the training rows."""
    cfg = compose([*SETTINGS, f"objectives=[{','.join(objectives)}]", *more], Catalog())
    made = learner(cfg, prepared, seed)
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(made, loader(cfg, prepared, prepared.seen, seed))
    return made.eval(), cfg


def asked(made, cfg, prepared):
    """(what the encoders say of the test rows, the share that is right when each modality is heard alone)."""
    rows = loader({**cfg, "batch_size": len(prepared.split.test)}, prepared, prepared.split.test, None)
    batch = next(iter(rows))
    with torch.no_grad():
        encoded = made.model.encode(batch.signals)
        said = {m: made.model.predict(masks.keep(encoded, {m}))["kind"].argmax(dim=1) for m in encoded}
    return encoded, {m: (s == batch.targets["kind"]).float().mean().item() for m, s in said.items()}


def first(encoded):
    """The share of test rows whose audio's nearest text is their own."""
    codes = [torch.nn.functional.normalize(encoded[m].pooled(), dim=1).numpy() for m in ("audio", "text")]
    return float((retrieval.ranks(*codes, np.arange(len(codes[0]))).rank <= 1).mean())


def shuffled(prepared, seed):
    """The same rows, but each training row's audio is another's."""
    column, rows = prepared.columns["audio"], torch.as_tensor(prepared.split.train)
    order = torch.arange(len(column.lengths))
    order[rows] = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    return prepared._replace(columns={**prepared.columns, "audio": Stored(Ragged(column.data[order], column.lengths))})


class TestRows:
    def test_each_modality_tells_the_class(self):
        """A linear classifier of either alone is right nine times in ten; of one with the other's labels, at chance."""
        examples = Shared(["audio", "text"], ["kind"], rows=600).load()
        kind = examples.targets["kind"]
        assert sorted(set(kind)) == [0, 1, 2, 3]
        for modality, width in (("audio", 12), ("text", 10)):
            x = np.stack(examples.raw[modality])
            assert x.shape == (600, width)
            fitted = LogisticRegression(max_iter=1000).fit(x[:400], kind[:400])
            assert fitted.score(x[400:], kind[400:]) > 0.9
            assert abs(fitted.score(x[400:], np.roll(kind[400:], 1)) - CHANCE) < 0.15

    def test_a_row_is_the_same_whoever_asks(self):
        both = Shared(["audio", "text"], ["kind"], rows=20, seed=3).load()
        alone = Shared(["text"], ["kind"], rows=20, seed=3).load()
        other = Shared(["text"], ["kind"], rows=20, seed=4).load()
        np.testing.assert_array_equal(both.raw["text"], alone.raw["text"])
        assert not np.array_equal(alone.raw["text"], other.raw["text"])
        with pytest.raises(ConfigError, match="no columns"):
            Shared(["text"], ["kind"]).load(split="fold")


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
class TestTransfer:
    def test_contrastive_carries_it_over(self, prepared):
        encoded, right = asked(*trained(prepared, "contrastive"), prepared)
        assert right["text"] > 0.9
        assert right["audio"] > 0.9
        assert first(encoded) > 0.3  # of 160, of which about 40 are of the row's class

    def test_without_alignment_it_is_chance(self, prepared):
        """Audio's encoder is as it was at first; what it says is chance, over many first weights."""
        made, cfg = trained(prepared, more=["optimizer.weight_decay=0.0"])
        begun = learner(cfg, prepared, 0).model.encoders["audio"]
        encoder = made.model.encoders["audio"]
        assert all(torch.equal(p, q) for p, q in zip(encoder.parameters(), begun.parameters(), strict=True))
        found = []
        for seed in range(60):
            torch.manual_seed(seed)
            for layer in encoder.layers:
                if isinstance(layer, torch.nn.Linear):
                    layer.reset_parameters()
            found.append(asked(made, cfg, prepared)[1]["audio"])
        assert asked(made, cfg, prepared)[1]["text"] > 0.9
        assert abs(np.mean(found) - CHANCE) < 0.1  # a whole class is right or wrong at once: its deviation is .03

    def test_shuffled_pairs_are_chance(self, prepared):
        """Of each training, a class is right or wrong as a whole; of four, the mean."""
        told = [asked(*trained(p := shuffled(prepared, s), "contrastive", seed=s), p) for s in range(4)]
        assert all(right["text"] > 0.9 for _, right in told)
        assert abs(np.mean([right["audio"] for _, right in told]) - CHANCE) < 0.2
        assert np.mean([first(encoded) for encoded, _ in told]) < 0.03

    @pytest.mark.parametrize(
        ("name", "apart"),
        [
            ("coral", coral),
            ("mmd", lambda x, y: discrepancy(x, y, (0.25, 0.5, 1.0, 2.0, 4.0))),
            ("cmd", lambda x, y: moments(x.sigmoid(), y.sigmoid(), 5)),
        ],
    )
    def test_margins_alike_tell_nothing_of_rows(self, name, apart, prepared):
        """Codes of the test rows come to be distributed alike, and which belong together stays unknown.

        Clouds of classes may meet by luck: then one text in 40 of the right class is the row's own.
        """
        without, _ = asked(*trained(prepared), prepared)
        aligned, right = asked(*trained(prepared, name, more=[f"objectives.{name}.weight=10.0"]), prepared)
        before, after = (apart(e["audio"].pooled(), e["text"].pooled()).item() for e in (without, aligned))
        assert right["text"] > 0.9
        assert after < before / 4
        assert first(aligned) < 0.08


def test_two_alignments_go_together(prepared):
    cfg = compose([*SETTINGS, "objectives=[contrastive,coral]"], Catalog())
    losses = parts(cfg, prepared, 0).losses
    assert {"align/contrastive/audio-text", "align/coral/audio-text"} <= set(losses)
