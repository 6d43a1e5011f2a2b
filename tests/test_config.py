"""Composing, checking and refusing configs."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from mmfuse.config import schema, target
from mmfuse.config.catalog import Catalog, packaged
from mmfuse.config.compose import compose
from mmfuse.config.describe import card, summary
from mmfuse.config.fields import GIVEN_IN_CODE
from mmfuse.errors import ConfigError

PARTS = [f for f in sorted(packaged().rglob("*.yaml")) if "_target_: mmfuse." in f.read_text()]


def composed(*typed, own=(), **more):
    return compose(typed, Catalog([Path(folder) for folder in own]), **more)


def refusal(*typed, **more):
    with pytest.raises(ConfigError) as caught:
        composed(*typed, **more)
    return str(caught.value)


@pytest.mark.parametrize("file", PARTS, ids=lambda file: str(file.relative_to(packaged())))
def test_a_yaml_names_every_argument_of_its_target_with_its_default(file):
    config, group = OmegaConf.load(file), file.relative_to(packaged()).parts[0]
    inside = {name: config[name] for name in ("prepare", "augment", "front", "frame") if config.get(name)}
    for name, part in ({group: config} | inside).items():
        parameters = inspect.signature(get_object(part._target_)).parameters
        says = {k for k in part if k not in ("_target_", "_partial_", "prepare", "augment", "split")}
        assert says == set(parameters) - GIVEN_IN_CODE.get(name, set())
        for key in says:
            default = parameters[key].default
            if default is not inspect.Parameter.empty:
                assert part[key] == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize("file", PARTS, ids=lambda file: str(file.relative_to(packaged())))
def test_arguments_read_from_the_source_are_those_of_the_imported_class(file):
    name = OmegaConf.load(file)._target_
    assert list(target.read(name).parameters) == list(inspect.signature(get_object(name)).parameters)


def test_the_default_is_what_the_readme_says_it_is():
    config = composed()
    assert (config["modalities"], config["tasks"], config["seeds"]) == (["image", "audio", "text"], ["digit"], [0])
    assert config["choices"]["fusion"] == "gated"
    assert {m: e["name"] for m, e in config["encoder"].items()} == {
        "image": "cnn",
        "audio": "mel_cnn",
        "text": "embedding_lstm",
    }


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("fusion.dmi=8", "did you mean 'fusion.dim'?   gated accepts: dim (int = 128)"),
        ("fusion.dmi=8", "(command line, argument 1)"),
        ("fusion=gatd", "did you mean 'gated'?"),
        ("lr=3", "did you mean 'optimizer.lr'?"),
        ("optimiser.lr=3", "did you mean 'optimizer.lr'?"),
        ("trainer.max_epochs=three", "trainer.max_epochs takes int >= -1, not 'three'"),
        ("batch_size=1.5", "batch_size takes int >= 1, not 1.5"),
        ("trainer.deterministic=3", "takes bool | str"),
        ("seeds=[0,x]", "seeds takes list[int]"),
        ("drop=half", "drop takes float"),
        ("drop=1.0", "drop takes float >= 0 < 1, not 1.0"),
        ("batch_size=0", "batch_size takes int >= 1, not 0"),
        ("folds=2", "folds takes int >= 3"),
        ("encoder.audio.front.mels=0", "takes int >= 1"),
        ("trainer.precision=foo", "takes 32-true | 64-true"),
        ("seed=-1", "seed takes int >= 0"),
        ("seeds=[-1]", "a seed is a number from 0"),
        ("epochs=3", "did you mean 'trainer.max_epochs'?"),
        ("~fusion", "an experiment needs a fusion"),
        ("~drop", "drop was deleted"),
        ("fusion=null", "an experiment needs a fusion"),
        ("fusion=", "names no value"),
        ("modalities=[text", "do its brackets and quotes match?"),
        ("dataset.missing.policy=ignore", "takes mask | drop | fill"),
        ("dataset.split.colum=x", "did you mean 'dataset.split.column'?"),
        ("dataset=tabel", "did you mean 'table'?"),
        ("encoder.text=cnn", "'text' is of kind text, and the encoder 'cnn' is for image, video"),
        ("encoder.txt=cnn", "no modality 'txt'"),
        ("encoder.text.prepare.min_cuont=3", "did you mean 'encoder.text.prepare.min_count'?"),
        ("encoder.image.augment.flop=1", "did you mean 'encoder.image.augment.flip'?"),
        ("encoder.image.augment.flip=2", "takes float >= 0 <= 1, not 2"),
        ("encoder.audio.augment.snr_db=loud", "takes float"),
        ("encoder.text.prepare.level=letter", "takes word | character | subword"),
        ("encoder.text.prepare.segment=stanza", "takes jieba"),
        ("encoder.image.augment._target_=os.system", "must not run what is not allowed"),
        ("modalities=[txt]", "did you mean 'text'?"),
        ("modalities=[]", "at least one is needed"),
        ("tasks=[digit,parity]", "single_task learns one task"),
        ("seeds=[1,1]", "the same seed twice"),
        ("fusion=gated,concat", "mmfuse sweep"),
        ("gated", "is not KEY=VALUE"),
        ("dataset=table", "dataset.modalities names none"),
        ("fusion._target_=os.system", "must not run what is not allowed"),
        ("fusion._target_=mmfuse.cli.os.system", "must not run what is not allowed"),
        ("fusion._target_=mmfuse.fusion.gated.torch.load", "must not run what is not allowed"),
        ("fusion._target_=mmfuse.fusion.gated.Gate", "there is no mmfuse.fusion.gated.Gate"),
        ("optimizer._target_=torch.load", "must not run what is not allowed"),
        ("optimizer._target_=torch.optim.adam.torch.load", "must not run what is not allowed"),
    ],
)
def test_refuses_with_advice(typed, says):
    message = refusal(typed)
    assert says in message
    assert len(message.splitlines()) <= 6


def test_table_entries_are_checked():
    table = ["dataset=table", "dataset.file=a.csv", "dataset.tasks={y: {kind: multiclass}}"]
    assert "there is no kind 'txt'" in refusal(*table, "dataset.modalities={a: {kind: txt}}")
    assert "unknown key 'dataset.modalities.a.colunm'" in refusal(
        *table, "dataset.modalities={a: {kind: text, colunm: b}}"
    )
    assert "kind is missing" in refusal(*table, "dataset.modalities={a: {column: b}}")
    assert "takes multiclass | multilabel | regression | tokens | pairs" in refusal(
        *table, "dataset.modalities={a: {kind: text}}", "dataset.tasks.y.kind=ranking"
    )
    stars = refusal(*table, "dataset.modalities={a: {kind: text}}", "dataset.tasks.y={kind: regression, scale: stars}")
    assert "dataset.tasks.y.scale takes sentiment, not 'stars'" in stars
    modalities = composed(*table, "dataset.modalities={a: {kind: text, column: b}, c: {kind: vector}}")["modalities"]
    assert modalities == ["a", "c"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            "dataset.modalities={review: {knd: text}}",
            "unknown key 'dataset.modalities.review.knd'\n  did you mean 'kind'?",
        ),
        ("dataset.modalities={评论: {kind: text}}", "{review: {kind: text, column: 评论}}"),
    ],
)
def test_entries_that_cannot_be_read_say_how_to_write_them(typed, says):
    assert says in refusal("dataset=table", "dataset.file=a.csv", "dataset.tasks={y: {kind: multiclass}}", typed)


def test_a_data_sets_card_has_what_is_said_of_every_data_set():
    assert "dataset.missing.policy='mask'" in card(Catalog(), "dataset/table")
    assert "dataset.split.column='split'" in card(Catalog(), "dataset/av_digits")


def test_a_part_inside_an_encoder_may_be_another():
    film = ["dataset=table", "dataset.file=t.csv", "dataset.modalities={film: {kind: video}}", "encoder.film=frames"]
    film += ["dataset.tasks={y: {kind: multiclass}}"]
    lenet = ["encoder.film.frame._target_=mmfuse.encoders.lenet.LeNet", "encoder.film.frame.channels=4"]
    frame = composed(*film, *lenet)["encoder"]["film"]["frame"]
    assert frame == {"_target_": "mmfuse.encoders.lenet.LeNet", "_partial_": True, "channels": 4}
    assert "unknown key 'encoder.film.frame.groups'" in refusal(*film, *lenet, "encoder.film.frame.groups=4")
    assert "must not run" in refusal(*film, "encoder.film.frame._target_=os.system")


def test_what_is_said_once_reaches_the_preparation():
    encoder = composed("encoder.text=hf", "encoder.text.model=some/model")["encoder"]["text"]
    assert encoder["prepare"]["model"] == encoder["model"] == "some/model"


def test_modalities_keep_the_order_of_the_data_set():
    config = composed("modalities=[text,image]")
    assert config["modalities"] == list(config["encoder"]) == list(config["dataset"]["modalities"]) == ["image", "text"]


def test_values_of_several_types():
    config = composed("name=2024", "trainer.devices=auto", "trainer.precision=16", "+trainer.log_every_n_steps=1")
    assert config["name"] == "2024"
    assert config["trainer"]["devices"] == "auto"
    assert config["trainer"]["log_every_n_steps"] == 1
    assert composed("optimizer.lr=1e-3")["optimizer"]["lr"] == 0.001


def test_roots_of_data_sets(monkeypatch):
    monkeypatch.delenv("MMFUSE_DATA", raising=False)
    assert composed("dataset=av_digits")["dataset"]["root"] == "data/av_digits"
    monkeypatch.setenv("MMFUSE_DATA", "/sets")
    assert composed("dataset=av_digits")["dataset"]["root"] == "/sets/av_digits"
    assert composed("dataset=av_digits", "dataset.root=here")["dataset"]["root"] == "here"


def test_own_configs_and_own_parts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text("class Mine:\n    def __init__(self, dims: dict, depth: int = 2): ...\n")
    (tmp_path / "own" / "fusion").mkdir(parents=True)
    (tmp_path / "own" / "fusion" / "mine.yaml").write_text("_target_: mine.Mine\ndepth: 3\n")
    own = [tmp_path / "own"]
    assert "--allow mine" in refusal("fusion=mine", own=own)
    assert composed("fusion=mine", own=own, allow=["mine"])["fusion"] == {"_target_": "mine.Mine", "depth": 3}
    assert "did you mean 'fusion.depth'?" in refusal("fusion=mine", "fusion.dept=1", own=own, allow=["mine"])
    assert composed("fusion._target_=mine.Mine", allow=["mine"])["fusion"] == {"_target_": "mine.Mine"}
    (tmp_path / "own" / "fusion" / "gated.yaml").write_text("_target_: mine.Mine\n")
    with pytest.raises(ConfigError, match="stands in two config folders"):
        Catalog(own)


def test_experiment_files(tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_text(
        "# @package _global_\ndefaults:\n  - override /fusion: concat\nencoder: {text: {dim: 32}}\nbatch_size: 16\n"
    )
    config = composed("fusion.dim=48", experiment=str(file))
    assert config["choices"]["fusion"] == "concat"
    assert (config["fusion"]["dim"], config["encoder"]["text"]["dim"], config["batch_size"]) == (48, 32, 16)
    file.write_text("# @package _global_\nbatch_sise: 16\n")
    assert "unknown key 'batch_sise'" in refusal(experiment=str(file))
    file.write_text("# @package _global_\nencoder: {text: {dimm: 16}}\n")
    assert "did you mean 'encoder.text.dim'?" in refusal(experiment=str(file))
    assert "there is no such file" in refusal(experiment=str(tmp_path / "nothing.yaml"))


def test_a_packaged_experiment_gives_way_to_what_is_typed():
    config = composed("fusion=concat", "encoder.question=bag", "trainer.max_epochs=3", experiment="easy_vqa")
    assert [config["choices"][group] for group in ("dataset", "fusion")] == ["easy_vqa", "concat"]
    assert {m: about["name"] for m, about in config["encoder"].items()} == {"image": "lenet", "question": "bag"}
    assert (config["encoder"]["image"]["prepare"]["size"], config["trainer"]["max_epochs"]) == ([32, 32], 3)


@pytest.mark.parametrize("name", Catalog().options("experiment"))
def test_an_experiment_composes_and_shows_its_keys_as_they_are_typed(name):
    config, said = composed(experiment=name), card(Catalog(), f"experiment/{name}")
    keys = [line.strip().partition("=")[0] for line in said.splitlines() if line.startswith("  ")]
    assert keys
    for key in keys:
        inside = config
        for part in key.split("."):
            inside = inside[part]


def test_every_key_of_train_yaml_has_a_meaning():
    fields = schema.build(Catalog(), schema.defaults(Catalog()), {}).fields
    obvious = {"early_stopping.min_delta", "dataset.split.seed", "seed"}
    top = [
        k for k, f in fields.items() if "_target_" not in k and k.split(".")[0] in ("seeds", "folds", "drop", "loader")
    ]
    assert all(fields[k].comment for k in top if k not in obvious)


@pytest.mark.parametrize("typed", [["--help"], ["list"], ["show", "fusion/gated"], ["train", "fusion.dmi=3"]])
def test_nothing_heavy_is_imported_for_help_and_typos(typed):
    heavy = ("torch", "hydra", "numpy")
    code = f"import sys; from mmfuse.cli import main; main({typed}); sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_torch_is_not_imported_by_composing():
    code = "import sys; from mmfuse.cli import main; main(['train', '--dry-run']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_every_option_says_in_words_what_it_is():
    catalog = Catalog()
    for option in catalog.files:
        said = summary(catalog, option)
        assert said[:1].isalnum(), f"{option}: {said}"
