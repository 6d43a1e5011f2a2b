"""What went wrong when pretrained encoders and their cache were tried by hand: once mended, it stays so."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
import torch
from transformers import BertConfig

from mmfuse import cli
from mmfuse.cache import place
from mmfuse.cache.entry import Entry, Said
from mmfuse.encoders.backbone import backbone
from mmfuse.encoders.hf_text import HFText
from mmfuse.encoders.weights import read_weights
from mmfuse.prepare.heard import Heard
from mmfuse.prepare.processed import Processed
from mmfuse.prepare.subwords import Subwords
from mmfuse.types import Ragged, UnreadableError

TABLE = """
defaults: [table, _self_]
file: rows.csv
root: {root}
modalities:
  text: {{kind: text}}
  more: {{kind: text}}
tasks:
  label: {{kind: multiclass}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a table of texts of which some lack, and a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        f"{' '.join(rng.choice(tiny.WORDS[:12], 4))},{'' if n == 2 else f'cat {n}'},{'yn'[n % 2]}" for n in range(40)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["text,more,label", *rows]))
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "mine.yaml").write_text(TABLE.format(root=tmp_path))
    return tmp_path


def train(*typed: str) -> int:
    frozen = ["encoder.text=hf", "encoder.more=hf"]
    models = [f"encoder.text.model={tiny.bert()}", f"encoder.more.model={tiny.bert()}"]
    common = ["--config-dir", "conf", "dataset=mine", "trainer.max_epochs=1", "trainer.accelerator=cpu", "bootstrap=10"]
    return cli.main(["train", *common, *frozen, *models, "--quiet", *typed])


@pytest.mark.parametrize(
    "typed",
    [
        ["loader.by_length=true", "encoder.text.pool=tokens"],
        ["dataset.missing.policy=fill", "dataset.missing.fill=mean"],
        ["dataset.missing.policy=fill", "dataset.missing.fill=neighbours"],
    ],
)
def test_what_is_asked_of_vectors_and_lengths_is_asked_of_what_frozen_encoders_say(typed):
    assert train(*typed) == 0


def test_what_cannot_be_filled_is_told_before_encoders_run(here, capsys):
    how = ["dataset.missing.policy=fill", "dataset.missing.fill=mean", "encoder.text.freeze=false"]
    assert train(*how) == 2
    assert "the modality 'text' is of kind text, which cannot be filled so" in capsys.readouterr().err
    assert not (here / "cache").exists()


@pytest.mark.parametrize("at", ["rows.csv", "/proc/none"])
def test_a_cache_that_cannot_be_written_is_told_as_such(at, monkeypatch, capsys):
    monkeypatch.setenv("MMFUSE_CACHE", at)
    assert train() == 2
    said = capsys.readouterr().err
    assert f"cannot be kept in {at}" in said
    assert "cache=false" in said
    assert not list(Path("outputs").iterdir())
    assert train("cache=false") == 0


def test_a_cache_that_can_only_be_read_is_read(monkeypatch):
    assert train() == 0

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mmfuse.cache.entry.os.utime", refused)
    assert train() == 0


def edited(model: Path, file: str, **claims: object) -> None:
    place = model / file
    place.write_text(json.dumps(json.loads(place.read_text()) | claims))


@pytest.mark.parametrize(
    ("file", "claims"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"layer_norm_eps": 0.1}),
        ("tokenizer_config.json", {"model_max_length": 4}),
    ],
)
def test_a_model_that_computes_otherwise_with_the_same_weights_is_run_again(here, file, claims):
    model = Path(shutil.copytree(tiny.bert(), here / "model"))
    train(f"encoder.text.model={model}")
    before = len(place.kept())
    edited(model, file, **claims)
    train(f"encoder.text.model={model}")
    assert len(place.kept()) == before + 1


def test_a_processor_is_known_by_what_it_does(here):
    model = Path(shutil.copytree(tiny.vit(), here / "model"))
    before = Processed(str(model)).state()
    edited(model, "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3])
    assert Processed(str(model)).state() != before
    assert json.loads(json.dumps(before)) == before


def test_the_same_model_elsewhere_is_not_run_again(here):
    train()
    before = len(place.kept())
    shutil.copytree(tiny.bert(), here / "model")
    train("encoder.text.model=model", "encoder.text.lr=0.1")
    train(f"encoder.text.model={here}/model/")
    train("encoder.text.model=model", "encoder.text.checkpointing=true")
    assert len(place.kept()) == before


def test_a_part_of_another_size_is_made_again(here):
    entry = Entry(here / "entry", {"what": "text by hf"}, values=5, dim=1, part=3)

    def said(numbers: range) -> Said:
        return Said(Ragged(torch.tensor([[float(n)] for n in numbers]), torch.ones(len(numbers), dtype=torch.long)), [])

    entry.begin()
    entry.save(0, said(range(5)))  # as parts of five would be
    assert entry.made(said, lambda _: None).steps.data.flatten().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("change", [{"checksums": None}, {"checksums": {"data.npy": 0}}, {"dim": None}])
def test_an_account_that_makes_no_sense_is_no_fault(here, change):
    train()
    for entry in place.kept():
        edited(entry.folder, "about.json", **change)
    assert cli.main(["cache", "list"]) == 0
    assert train() == 0
    (place.kept()[0].folder / "about.json").write_text('{"what": "text by hf"}')
    assert cli.main(["cache", "list"]) == 0
    assert train() == 0


def test_an_empty_key_clears_nothing(capsys):
    train()
    assert cli.main(["cache", "clear", ""]) == 2
    assert len(place.kept()) == 2
    assert "there is no such key" in capsys.readouterr().err


def test_max_length_leaves_room_for_words():
    for length in (1, 2):
        with pytest.raises(ValueError, match="2 of them are special ones of its tokenizer\n  to go on: max_length=3"):
            Subwords(tiny.bert(), max_length=length)
    assert Subwords(tiny.bert(), max_length=3)(["the cat sat"]).lengths.tolist() == [3]


def test_a_sound_of_which_resampling_leaves_nothing_is_refused_and_no_other():
    loud = np.full(3, 0.5, np.float32)
    with pytest.raises(UnreadableError) as error:
        Heard(tiny.wav2vec2())([(loud[:1], 44100), (loud, 8000)])
    assert [failure.row for failure in error.value.failures] == [0]
    assert "not a sample is left of it at 8000 a second" in error.value.failures[0].reason


def test_a_sound_shorter_than_a_window_is_padded_for_ast():
    loud = np.full(3, 0.5, np.float32)
    padded = np.concatenate([loud, np.zeros(397, np.float32)])  # to 25 ms at 16000 a second
    heard = Heard(tiny.ast())([(loud, 16000), (padded, 16000)])
    first, second = heard.data.split(heard.lengths.tolist())
    assert len(first)
    assert (first == second).all()


@pytest.mark.parametrize(
    ("kind", "model", "says"),
    [
        ("image", tiny.bert, "a BertModel takes input_ids, and is no model of image"),
        ("text", tiny.vit, "a ViTModel takes pixel_values, and is no model of text"),
        ("text", tiny.whisper, "a WhisperEncoder takes input_features, and is no model of text"),
        ("audio", tiny.resnet, "a ResNetModel takes pixel_values, and is no model of audio"),
    ],
)
def test_a_model_of_another_kind_is_refused(kind, model, says):
    with pytest.raises(ValueError, match=says):
        backbone(model(), kind)


@pytest.mark.parametrize("name", ["./none", "/none", ""])
def test_a_folder_that_is_not_there_is_no_name_on_the_hub(name):
    with pytest.raises(ValueError, match="there is no such folder\n") as error:
        HFText(28, name)
    assert "hf download" not in str(error.value)


def test_errors_about_folders_are_not_about_the_hub(here):
    BertConfig().save_pretrained(here / "model")
    with pytest.raises(ValueError, match="its processor cannot be loaded") as error:
        Heard(str(here / "model"))
    assert "huggingface.co" not in str(error.value)


def test_a_torn_model_is_no_fault_of_ours(here):
    model = Path(shutil.copytree(tiny.bert(), here / "model"))
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="its model cannot be loaded from that folder"):
        backbone(str(model), "text")


def test_a_pickle_of_another_protocol_is_refused_without_a_warning(here):
    (here / "other.pt").write_bytes(pickle.dumps({"weights": Path()}, protocol=4))
    with pytest.raises(ValueError, match="refused: a pickle"):
        read_weights("other.pt")


def test_words_that_come_split_are_told_as_what_they_are(here, capsys):
    rows = [json.dumps({"text": "the cat sat", "more": "dog", "label": ["O", "N", "O"]}) for _ in range(20)]
    (here / "rows.jsonl").write_text("\n".join(rows))
    assert train("dataset.file=rows.jsonl", "dataset.tasks.label.kind=tokens", "+dataset.tasks.label.of=text") == 3
    assert "words that come split are for other encoders" in capsys.readouterr().err


def test_pairs_of_which_nothing_learns_are_refused(here, capsys):
    (here / "rows.csv").write_text("text,more\n" + "\n".join(f"the cat {n},dog {n}" for n in range(40)))
    pairs = ["dataset.tasks.label.kind=pairs", "+dataset.tasks.label.between=[text,more]"]
    assert train(*pairs) == 2
    assert "to go on: encoder.text.freeze=false" in capsys.readouterr().err
    assert train(*pairs, "encoder.text.freeze=false") == 0


def test_checkpointing_says_nothing_of_a_cache_of_steps():
    assert backbone(tiny.bert(), "text", checkpointing=True).config.use_cache is False
