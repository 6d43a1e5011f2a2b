"""Pretrained encoders say what transformers' own models say, hold what they are told to hold, and tell what is missing.

The models are tiny, with random weights; the loading code is the one that loads the real ones.
"""

import json
import math
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
import torch
from PIL import Image
from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoModel, AutoTokenizer

from mmfuse import hub
from mmfuse.encoders.hf_audio import HFAudio
from mmfuse.encoders.hf_image import HFImage
from mmfuse.encoders.hf_text import HFText
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.prepare.heard import Heard
from mmfuse.prepare.processed import Processed
from mmfuse.prepare.subwords import Subwords
from mmfuse.types import Ragged, Signal

TEXTS = ["the cat sat on the mat.", "Good", "unhappy dogs, very bad", ""]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def signal(ragged: Ragged) -> Signal:
    """A batch of all rows, padded."""
    steps = max(1, int(ragged.lengths.max()))
    data = torch.zeros(len(ragged.lengths), steps, *ragged.data.shape[1:], dtype=ragged.data.dtype)
    for row, part in enumerate(ragged.data.split(ragged.lengths.tolist())):
        data[row, : len(part)] = part
    return Signal(data, torch.arange(steps) < ragged.lengths[:, None])


class TestText:
    @pytest.mark.parametrize("pool", ["first", "mean", "tokens"])
    def test_says_what_transformers_own_model_says(self, pool):
        encoder = HFText(28, tiny.bert(), pool=pool).eval()
        said = encoder(signal(Subwords(tiny.bert())([*TEXTS, None])))
        tokenizer, model = AutoTokenizer.from_pretrained(tiny.bert()), AutoModel.from_pretrained(tiny.bert()).eval()
        for row, text in enumerate(TEXTS):
            own = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            expected = {"first": own[:1], "mean": own.mean(dim=0, keepdim=True), "tokens": own}[pool]
            torch.testing.assert_close(said.data[row][said.mask[row]], expected, atol=1e-5, rtol=1e-5)
        assert said.present.tolist() == [True] * 4 + [False]

    def test_cuts_what_is_too_long_as_the_tokenizer_does(self):
        prepared = Subwords(tiny.bert(), max_length=5)(["the cat sat on the mat"])
        expected = AutoTokenizer.from_pretrained(tiny.bert())("the cat sat on the mat", truncation=True, max_length=5)
        assert prepared.data.tolist() == expected["input_ids"]
        assert Subwords(tiny.bert(), max_length=1000).longest == 40  # which the model was made for

    def test_is_restored_with_its_tokenizer(self):
        preparation, again = Subwords(tiny.bert(), max_length=6), Subwords(tiny.bert())
        again.restore(json.loads(json.dumps(preparation.state())))
        assert torch.equal(again(TEXTS).data, preparation(TEXTS).data)

    def test_takes_the_text_tower_of_a_model_of_two_modalities(self):
        assert HFText(28, tiny.clip()).dim == 32
        assert type(HFText(28, tiny.clip()).network).__name__.startswith("CLIPText")

    def test_refuses_a_tokenizer_of_another_model(self):
        with pytest.raises(ValueError, match="its tokenizer has 31 subwords, and it knows 30"):
            HFText(31, tiny.bert())


class TestImage:
    PICTURES = (
        Image.new("RGBA", (20, 30), (255, 0, 0, 128)),
        Image.effect_noise((40, 20), 80).convert("P"),
        Image.effect_noise((16, 16), 50),
    )

    @pytest.fixture
    def files(self, tmp_path):
        places = [tmp_path / f"{n}.png" for n in range(3)]
        for place, picture in zip(places, self.PICTURES, strict=True):
            picture.save(place)
        return places

    @pytest.mark.parametrize("model", ["vit", "resnet", "clip"])
    @pytest.mark.parametrize("pool", ["own", "mean", "tokens"])
    def test_says_what_transformers_own_model_says(self, model, pool, files):
        place = getattr(tiny, model)()
        said = HFImage(3, place, pool=pool).eval()(signal(Processed(place)([*files, None])))
        processor = AutoImageProcessor.from_pretrained(place, backend="pil")
        own = AutoModel.from_pretrained(place).eval()
        own = own.vision_model if model == "clip" else own
        for row, file in enumerate(files):
            picture = Image.open(file).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            flat = Image.alpha_composite(white, picture).convert("RGB")
            outputs = own(**processor(images=flat, return_tensors="pt"))
            places = outputs.last_hidden_state[0]
            if model == "resnet":
                places = places.flatten(1).T
            first = {"vit": places[0], "resnet": places.mean(dim=0), "clip": outputs.pooler_output[0]}[model]
            expected = {"own": first[None], "mean": places.mean(dim=0, keepdim=True), "tokens": places}[pool]
            torch.testing.assert_close(said.data[row][said.mask[row]], expected, atol=1e-5, rtol=1e-5)
        assert said.present.tolist() == [True, True, True, False]

    def test_batch_statistics_are_of_pictures_that_are_there(self):
        """A missing picture among others changes neither what is said of them nor what is counted."""
        together, alone = (HFImage(3, tiny.resnet(), freeze=False).train() for _ in range(2))
        data = torch.randn(3, 1, 3, 16, 16)
        here = torch.tensor([[True], [False], [True]])
        said = together(Signal(data.masked_fill(~here[:, :, None, None, None], 9.0), here))
        expected = alone(Signal(data[[0, 2]], here[[0, 2]]))
        torch.testing.assert_close(said.data[[0, 2]], expected.data)
        for (name, one), other in zip(together.named_buffers(), alone.buffers(), strict=True):
            assert torch.equal(one, other), name


class TestAudio:
    def sounds(self, lengths, rate):
        random = np.random.default_rng(0)
        return [(random.normal(size=length).astype(np.float32) * 0.1, rate) for length in lengths]

    @pytest.mark.parametrize("norm", ["group", "layer"])
    def test_wav2vec2_says_what_transformers_own_says_of_each_sound_alone(self, norm):
        place = tiny.wav2vec2(norm)
        sounds = self.sounds([900, 300, 901, 25], 8000)
        said = HFAudio(8000, place, pool="tokens").eval()(signal(Heard(place)([*sounds, None])))
        extractor, model = AutoFeatureExtractor.from_pretrained(place), AutoModel.from_pretrained(place).eval()
        for row, (wave, rate) in enumerate(sounds):
            values = extractor(wave, sampling_rate=rate, return_tensors="pt").input_values
            own = model(values).last_hidden_state[0]
            torch.testing.assert_close(said.data[row][said.mask[row]], own, atol=1e-5, rtol=1e-4)
        assert said.present.tolist() == [True] * 4 + [False]

    def test_whisper_says_what_transformers_own_says_of_half_a_minute_with_silence(self):
        sounds = self.sounds([16000, 4000, 801], 16000)
        said = HFAudio(16000, tiny.whisper(), pool="tokens").eval()(signal(Heard(tiny.whisper())([*sounds, None])))
        extractor = AutoFeatureExtractor.from_pretrained(tiny.whisper())
        model = AutoModel.from_pretrained(tiny.whisper()).get_encoder().eval()
        for row, (wave, rate) in enumerate(sounds):
            features = extractor(wave, sampling_rate=rate, return_tensors="pt").input_features
            own = model(features).last_hidden_state[0]  # (50, 32)
            steps = int(said.mask[row].sum())
            assert steps == min(
                50, math.ceil(math.ceil((len(wave) + 200) / 160) / 2)
            )  # frames that hear it, two a step
            torch.testing.assert_close(said.data[row, :steps], own[:steps], atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("pool", ["own", "mean", "tokens"])
    def test_ast_says_what_transformers_own_says(self, pool):
        sounds = self.sounds([16000, 4000], 16000)
        said = HFAudio(16000, tiny.ast(), pool=pool).eval()(signal(Heard(tiny.ast())([*sounds, None])))
        extractor, model = (
            AutoFeatureExtractor.from_pretrained(tiny.ast()),
            AutoModel.from_pretrained(tiny.ast()).eval(),
        )
        for row, (wave, rate) in enumerate(sounds):
            outputs = model(extractor(wave, sampling_rate=rate, return_tensors="pt").input_values)
            steps = outputs.last_hidden_state[0]
            expected = {"own": outputs.pooler_output, "mean": steps.mean(dim=0, keepdim=True), "tokens": steps}[pool]
            torch.testing.assert_close(said.data[row][said.mask[row]], expected, atol=1e-5, rtol=1e-4)
        assert said.present.tolist() == [True, True, False]

    def test_sounds_come_at_the_models_rate_in_one_channel(self, tmp_path):
        import soundfile

        wave = (0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.float32)
        soundfile.write(tmp_path / "stereo.wav", np.stack([wave, wave], axis=1), 16000)
        soundfile.write(tmp_path / "slow.wav", wave[::2], 8000)
        stereo, slow = Heard(tiny.wav2vec2())([tmp_path / "stereo.wav", tmp_path / "slow.wav"]).data.split(8000)
        middle = slice(200, 7800)  # filters ring at the ends
        torch.testing.assert_close(stereo[middle], slow[middle], atol=0.02, rtol=0)


class TestHeld:
    def learning(self, encoder: Pretrained) -> set[str]:
        return {name for name, p in encoder.named_parameters() if p.requires_grad}

    def test_all_some_layers_or_nothing(self):
        every = self.learning(HFText(28, tiny.bert(), freeze=False))
        assert not self.learning(HFText(28, tiny.bert()))
        assert {n for n in every if ".embeddings." in n}
        assert {n for n in every if ".layer.1." in n}
        free = self.learning(HFText(28, tiny.bert(), freeze=1))
        assert free == {n for n in every if ".layer.1." in n}
        assert self.learning(HFText(28, tiny.bert(), freeze=0)) == {n for n in every if ".layer." in n}

    def test_more_layers_than_there_are(self):
        with pytest.raises(ValueError, match="freeze=3: there are 2 layers"):
            HFText(28, tiny.bert(), freeze=3)

    def test_held_parts_do_not_drop_out(self):
        whole = Signal(torch.randint(4, 28, (3, 5)), torch.ones(3, 5, dtype=torch.bool))
        encoder = HFText(28, tiny.bert()).train()
        assert torch.equal(encoder(whole).data, encoder(whole).data)
        assert not torch.equal(HFText(28, tiny.bert(), freeze=False).train()(whole).data, encoder(whole).data)

    def test_wakes_at_an_epoch(self):
        encoder = HFText(28, tiny.bert(), unfreeze_at=2).train()
        assert not encoder.frozen
        encoder.at_epoch(1)
        assert not self.learning(encoder)
        encoder.at_epoch(2)
        assert self.learning(encoder) == self.learning(HFText(28, tiny.bert(), freeze=False))
        assert all(part.training for part in encoder.modules())

    @pytest.mark.parametrize("wrong", [{"freeze": False, "unfreeze_at": 1}, {"unfreeze_at": 0}])
    def test_refuses_to_wake_what_is_not_held(self, wrong):
        with pytest.raises(ValueError, match="unfreeze_at"):
            HFText(28, tiny.bert(), **wrong)

    def test_adapters_learn_and_say_nothing_at_first(self):
        """Their second matrix is zero before training (Hu et al., 2021, section 4.1)."""
        words = Signal(torch.randint(4, 28, (3, 5)), torch.ones(3, 5, dtype=torch.bool))
        plain, adapted = HFText(28, tiny.bert()).eval(), HFText(28, tiny.bert(), lora=4).eval()
        torch.testing.assert_close(adapted(words).data, plain(words).data)
        assert not adapted.frozen
        free = self.learning(adapted)
        assert free
        assert all("lora_" in name for name in free)
        sizes = {name: p for name, p in adapted.named_parameters() if name in free}
        assert sum(p.numel() for p in sizes.values()) == 2 * 4 * (4 * (32 + 32) + (32 + 48) + (48 + 32))
        adapted(words).data.square().sum().backward()
        assert all(p.grad is not None for p in sizes.values())

    def test_adapters_go_with_weights_that_are_held(self):
        with pytest.raises(ValueError, match="lora: it goes with freeze=true"):
            HFText(28, tiny.bert(), freeze=False, lora=4)

    def test_checkpointing_changes_no_gradient(self):
        words = Signal(torch.randint(4, 28, (3, 5)), torch.ones(3, 5, dtype=torch.bool))
        gradients = []
        for checkpointing in (False, True):
            encoder = HFText(28, tiny.bert(), freeze=False, checkpointing=checkpointing)
            encoder.train()
            for part in encoder.modules():
                if isinstance(part, torch.nn.Dropout):
                    part.p = 0.0
            encoder(words).data.square().sum().backward()
            gradients.append([p.grad for p in encoder.parameters()])
        for plain, checkpointed in zip(*gradients, strict=True):
            torch.testing.assert_close(checkpointed, plain)


class TestLoading:
    def refusal(self, model, make=lambda model: HFText(28, model)) -> str:
        with pytest.raises(ValueError, match="model=") as caught:
            make(model)
        assert len(str(caught.value).splitlines()) <= 4
        return str(caught.value)

    def test_a_name_that_is_nowhere(self):
        said = self.refusal("nobody/nothing")
        assert "not in" in said
        assert "the hub cannot be reached" in said
        assert "hf download nobody/nothing --local-dir nothing" in said
        assert "config.json and model.safetensors" in said
        assert "tokenizer.json" in self.refusal("nobody/nothing", Subwords)

    def test_where_the_hub_does_not_answer_it_is_told_at_once(self, monkeypatch):
        monkeypatch.delenv("HF_HUB_OFFLINE")
        for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(proxy, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
        assert hub.offline()
        assert "cannot be reached" in self.refusal("nobody/nothing")

    def test_a_folder_without_weights(self, tmp_path):
        shutil.copy(Path(tiny.bert()) / "config.json", tmp_path)
        assert "model.safetensors" in self.refusal(str(tmp_path))

    def test_a_folder_without_a_tokenizer(self, tmp_path):
        shutil.copy(Path(tiny.bert()) / "config.json", tmp_path)
        assert "tokenizer.json" in self.refusal(str(tmp_path), Subwords)

    def test_weights_of_another_shape(self, tmp_path):
        place = tmp_path / "model"
        shutil.copytree(tiny.bert(), place)
        config = (place / "config.json").read_text().replace('"hidden_size": 32', '"hidden_size": 64')
        (place / "config.json").write_text(config)
        said = self.refusal(str(place))
        assert "of another shape" in said
        assert "(32,) and not (64,)" in said

    def test_weights_of_another_model(self, tmp_path):
        from safetensors.torch import save_file

        place = tmp_path / "model"
        shutil.copytree(tiny.bert(), place)
        save_file({"something.weight": torch.zeros(3)}, place / "model.safetensors", {"format": "pt"})
        assert "its file lacks 3" in self.refusal(str(place))

    def test_weights_with_code_in_them_are_not_run(self, tmp_path):
        place, witness = tmp_path / "model", tmp_path / "it ran"
        shutil.copytree(tiny.bert(), place)
        (place / "model.safetensors").unlink()

        class Evil:
            def __reduce__(self):
                return (Path.touch, (witness,))

        (place / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(), protocol=2))
        assert "safetensors" in self.refusal(str(place))
        assert not witness.exists()
