"""Encoders of pictures, and pretrained weights from files."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

from mmfuse.encoders.flat_cnn import FlatCNN
from mmfuse.encoders.lenet import LeNet
from mmfuse.encoders.patches import Patches
from mmfuse.encoders.resnet import ResNet, renamed
from mmfuse.encoders.timm_model import Timm
from mmfuse.encoders.vgg16 import VGG16
from mmfuse.prepare.pixels import Pixels
from mmfuse.types import Signal

YAML = Path(__file__).parents[1] / "configs/encoder/image"
BASIC = {"layer": "basic", "stem": 4, "depths": [1, 2, 1], "widths": [4, 6, 8]}
BOTTLENECK = {"layer": "bottleneck", "stem": 4, "depths": [1, 2], "widths": [8, 12]}
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of torchvision's vgg16().features


@pytest.fixture
def pictures():
    """(rows, height, width, channels) -> all present."""

    def make(rows, height, width, channels=3):
        data = torch.randint(256, (rows, 1, channels, height, width), dtype=torch.uint8)
        return Signal(data, torch.ones(rows, 1, dtype=torch.bool))

    return make


def scaled(signal):
    return signal.data[:, 0].double().sub(127.5).div(127.5).float()  # (B, C, H, W)


def randomized(module):
    """With statistics and scales of batch normalization that change something."""
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                for values in (norm.weight, norm.running_var):
                    values.uniform_(0.5, 1.5)
                for values in (norm.bias, norm.running_mean):
                    values.uniform_(-0.5, 0.5)
    return module


class TestPatches:
    def test_figures_are_those_of_numpy(self, pictures):
        signal = pictures(2, 20, 31)
        encoder = Patches(3, dim=4, count=5, share=0.25)
        values = scaled(signal).numpy()
        height, width = 5, 8  # a quarter of 20; of 31, rounded
        total = np.zeros((2, 4))
        for patch in range(5):
            top = int(encoder.corners[patch, 0].item() * (20 - height + 1))
            left = int(encoder.corners[patch, 1].item() * (31 - width + 1))
            inside = values[:, :, top : top + height, left : left + width]
            figures = np.concatenate([inside.mean(axis=(2, 3)), inside.std(axis=(2, 3))], axis=1)  # (2, 6)
            total += figures @ encoder.weight[patch].detach().numpy() + encoder.bias[patch].detach().numpy()
        np.testing.assert_allclose(encoder(signal).pooled().detach().numpy(), total / 5, atol=1e-5)

    def test_knows_where_something_is(self):
        """The same patches in another order: what a mean of figures could not tell apart."""
        left = torch.zeros(1, 1, 1, 8, 8, dtype=torch.uint8)
        left[..., :4] = 255
        mask = torch.ones(1, 1, dtype=torch.bool)
        encoder = Patches(1, dim=8)
        assert not torch.allclose(encoder(Signal(left, mask)).pooled(), encoder(Signal(left.flip(4), mask)).pooled())

    def test_places_are_drawn_by_the_seed_alone(self):
        first, second = Patches(3, seed=1), Patches(3, seed=1)
        assert torch.equal(first.corners, second.corners)
        assert not torch.equal(first.corners, Patches(3, seed=2).corners)
        assert "corners" in first.state_dict()

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50)])
    def test_a_picture_may_be_small(self, pictures, height, width):
        assert Patches(3, dim=4, count=6)(pictures(2, height, width)).data.isfinite().all()

    @pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
    def test_refuses_a_share_that_is_none(self, share):
        with pytest.raises(ValueError, match=f"share={share}"):
            Patches(3, share=share)


class TestFlatCNN:
    def test_has_as_many_features_and_weights_as_the_published_network(self, pictures):
        """64 by 64 in colour: 224 and 1168 weights, by Keras, and 16 maps of 16 by 16."""
        encoder = FlatCNN(3)
        counts = [sum(p.numel() for p in layer.parameters()) for layer in encoder.layers]
        assert [n for n in counts if n] == [224, 1168]
        assert encoder(pictures(2, 64, 64)).data.shape == (2, 1, encoder.dim) == (2, 1, 4096)

    def test_takes_numbers_as_they_are_and_bytes_as_halves_about_the_middle(self):
        film, mask = torch.randint(256, (2, 1, 3, 8, 8), dtype=torch.uint8), torch.ones(2, 1, dtype=torch.bool)
        encoder = FlatCNN(3, places=(2, 2))
        scaled = film.double().div(255).sub(0.5).float()
        torch.testing.assert_close(encoder(Signal(scaled, mask)).data, encoder(Signal(film, mask)).data)

    def test_tells_where_something_is(self):
        """A spot of light is in one quarter of the picture, and only that quarter's features answer to it."""
        encoder = FlatCNN(1, widths=(4,), places=(2, 2))
        dark = torch.zeros(1, 1, 1, 8, 8)
        spot = dark.clone()
        spot[..., 1, 6] = 1.0  # above, on the right
        mask = torch.ones(1, 1, dtype=torch.bool)
        changed = (encoder(Signal(spot, mask)).data != encoder(Signal(dark, mask)).data).view(4, 2, 2).any(dim=0)
        assert changed.tolist() == [[False, True], [False, False]]


class TestLeNet:
    @pytest.mark.parametrize(("side", "layers", "width"), [(28, 3, 48), (112, 5, 192)])
    def test_is_as_wide_as_multibench_has_it_for_av_mnist(self, pictures, side, layers, width):
        """A picture of 28 x 28 becomes one place of 48, a spectrogram of 112 x 112 one of 192."""
        encoded = LeNet(1, channels=6, layers=layers).eval()(pictures(2, side, side, 1))
        assert encoded.data.shape == (2, 1, width)

    def test_has_as_many_weights(self):
        convolutions = 25 * 1 * 6 + 9 * (6 * 12 + 12 * 24 + 24 * 48)
        assert sum(p.numel() for p in LeNet(1).parameters()) == convolutions + 2 * (6 + 12 + 24 + 48)

    @pytest.mark.parametrize(("height", "width", "places"), [(1, 1, 1), (1, 64, 4), (40, 48, 2 * 3)])
    def test_takes_any_height_and_width(self, pictures, height, width, places):
        assert LeNet(3).eval()(pictures(2, height, width)).data.shape == (2, places, 48)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_is_convolution_normalization_relu_and_pooling(self, pictures, channels):
        """As published, relu first: the order of the two, and how maps lie in memory, change the time alone."""
        encoder, signal = LeNet(channels, channels=6, layers=2), pictures(4, 24, 16, channels)
        x = signal.data[:, 0].float() / 127.5 - 1 if signal.data.dtype == torch.uint8 else signal.data[:, 0]
        for convolve, norm, *_ in encoder.blocks:
            maps = F.conv2d(x, convolve.weight, padding="same")
            x = F.max_pool2d(F.relu(F.batch_norm(maps, None, None, norm.weight, norm.bias, training=True)), 2)
        found = encoder.train()(signal).data  # (4, places, 24)
        torch.testing.assert_close(found, x.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-4)


@pytest.fixture(params=["lenet", "resnet"])
def normalized(request):
    """An encoder with batch normalization."""
    return LeNet(3, channels=4, layers=2) if request.param == "lenet" else ResNet(3, **BASIC)


class TestBatchStatistics:
    def test_those_who_are_absent_do_not_enter(self, normalized, pictures):
        signal = pictures(6, 20, 20)
        here = torch.tensor([True, False, True, True, False, True])
        start = {k: v.clone() for k, v in normalized.state_dict().items()}
        alone = normalized.train()(Signal(signal.data[here], signal.mask[here])).data
        statistics = {k: v.clone() for k, v in normalized.named_buffers()}
        normalized.load_state_dict(start)
        among = normalized(Signal(signal.data, signal.mask & here[:, None])).data
        assert torch.equal(among[here], alone)
        assert not among[~here].any()
        for name, buffer in normalized.named_buffers():
            assert torch.equal(buffer, statistics[name]), name

    @pytest.mark.parametrize("rows", [1, 3])
    def test_a_lone_picture_of_one_place_is_trained_on(self, normalized, pictures, rows):
        """By the statistics kept so far, which stay as they are: its own have no variance."""
        signal = pictures(rows, 2, 2)
        mask = torch.arange(rows)[:, None] == 0
        before = {k: v.clone() for k, v in normalized.named_buffers()}
        encoded = normalized.train()(Signal(signal.data, mask))
        assert encoded.data.isfinite().all()
        encoded.pooled().sum().backward()
        for name, buffer in normalized.named_buffers():
            assert torch.equal(buffer, before[name]), name
        assert all(part.training for part in normalized.modules())
        torch.testing.assert_close(encoded.data, normalized.eval()(Signal(signal.data, mask)).data)

    def test_a_batch_without_pictures_is_trained_on(self, normalized, pictures):
        signal = pictures(2, 20, 20)
        encoded = normalized.train()(Signal(signal.data, torch.zeros_like(signal.mask)))
        encoded.pooled().sum().backward()
        assert not encoded.data.any()
        assert all(not p.grad.any() for p in normalized.parameters() if p.grad is not None)


class TestVGG16:
    def test_has_the_published_number_of_weights(self):
        with torch.device("meta"):
            assert sum(p.numel() for p in VGG16(3).parameters()) == 14_714_688

    @pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 99)])
    def test_is_torchvisions_layer_by_layer(self, pictures, height, width):
        encoder, signal = VGG16(3, width=4).eval(), pictures(2, height, width)
        state = encoder.state_dict()
        assert list(state) == [f"features.{n}.{kind}" for n in CONVOLUTIONS for kind in ("weight", "bias")]
        maps = scaled(signal)
        for layer in range(31):
            if layer in (4, 9, 16, 23, 30):
                maps = F.max_pool2d(maps, kernel_size=2, stride=2)
            elif layer in CONVOLUTIONS:
                weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
                maps = F.conv2d(maps, weight, bias, padding=1)
            else:
                maps = maps.relu()
        torch.testing.assert_close(encoder(signal).data, maps.flatten(2).transpose(1, 2))

    def test_small_pictures_have_a_place(self, pictures):
        assert VGG16(3, width=2).eval()(pictures(2, 8, 9)).data.shape == (2, 1, 16)

    def test_weights_are_loaded_and_held(self, tmp_path, pictures):
        other = VGG16(3, width=2).eval()
        torch.save(other.state_dict() | {"classifier.0.weight": torch.zeros(4, 4)}, tmp_path / "vgg.pth")
        encoder = VGG16(3, width=2, weights=str(tmp_path / "vgg.pth"), freeze=1, lr=1e-5)
        signal = pictures(2, 32, 32)
        torch.testing.assert_close(encoder.eval()(signal).data, other(signal).data, atol=0, rtol=0)
        held = {name for name, p in encoder.named_parameters() if not p.requires_grad}
        assert held == {f"features.{n}.{kind}" for n in (0, 2, 5, 7) for kind in ("weight", "bias")}
        assert encoder.lr == 1e-5


def torchvision_names(stem, depths, widths, layer):
    """A state dict as torchvision's resnet has it: the names, and random values."""
    state = {}

    def convolution(name, norm, before, after, side):
        state[f"{name}.weight"] = torch.randn(after, before, side, side) / (side * before**0.5)
        for kind in ("weight", "running_var"):
            state[f"{norm}.{kind}"] = torch.rand(after) + 0.5
        for kind in ("bias", "running_mean"):
            state[f"{norm}.{kind}"] = torch.randn(after) / 4
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", "bn1", 3, stem, 7)
    before = stem
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
        inner = width // 4 if layer == "bottleneck" else width
        sides = (1, 3, 1) if layer == "bottleneck" else (3, 3)
        for number in range(depth):
            name, channels = f"layer{stage}.{number}", before
            for place, side in enumerate(sides, start=1):
                after = width if place == len(sides) else inner
                convolution(f"{name}.conv{place}", f"{name}.bn{place}", channels, after, side)
                channels = after
            if number == 0 and (before != width or stage > 1):
                convolution(f"{name}.downsample.0", f"{name}.downsample.1", before, width, 1)
            before = width
    return state | {"fc.weight": torch.zeros(10, before), "fc.bias": torch.zeros(10)}


def torchvision_resnet(state, pixels):
    """The last map of the network of those names: He et al., with the stride where torchvision has it."""

    def convolve(maps, name, norm, stride, padding):
        maps = F.conv2d(maps, state[f"{name}.weight"], stride=stride, padding=padding)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(maps, *(state[f"{norm}.{kind}"] for kind in kinds))

    maps = F.max_pool2d(convolve(pixels, "conv1", "bn1", 2, 3).relu(), 3, 2, 1)
    blocks = sorted({tuple(name.split(".")[:2]) for name in state if name.startswith("layer")})
    for stage, number in blocks:
        name, stride = f"{stage}.{number}", 2 if number == "0" and stage != "layer1" else 1
        inner = maps
        strides = (1, stride, 1) if f"{name}.conv3.weight" in state else (stride, 1)
        for place, by in enumerate(strides, start=1):
            padding = state[f"{name}.conv{place}.weight"].shape[2] // 2
            inner = convolve(inner, f"{name}.conv{place}", f"{name}.bn{place}", by, padding)
            inner = inner.relu() if place < len(strides) else inner
        if f"{name}.downsample.0.weight" in state:
            maps = convolve(maps, f"{name}.downsample.0", f"{name}.downsample.1", stride, 0)
        maps = (inner + maps).relu()
    return maps


class TestResNet:
    @pytest.mark.parametrize(("name", "weights"), [("resnet18", 11_176_512), ("resnet50", 23_508_032)])
    def test_has_the_published_number_of_weights(self, build, name, weights):
        with torch.device("meta"):
            assert sum(p.numel() for p in build(YAML / f"{name}.yaml", size=3).parameters()) == weights

    @pytest.mark.parametrize("about", [BASIC, BOTTLENECK], ids=["basic", "bottleneck"])
    @pytest.mark.parametrize("ending", ["pth", "safetensors"])
    def test_torchvisions_weights_make_torchvisions_network(self, tmp_path, pictures, about, ending):
        state, file = torchvision_names(**about), tmp_path / f"weights.{ending}"
        torch.save(state, file) if ending == "pth" else save_file(state, file)
        signal = pictures(2, 48, 70)
        encoded = ResNet(3, **about, weights=str(file)).eval()(signal)
        expected = torchvision_resnet(state, scaled(signal)).flatten(2).transpose(1, 2)
        torch.testing.assert_close(encoded.data, expected, atol=1e-5, rtol=1e-5)

    def test_every_name_of_torchvisions_resnet18_and_50_is_known(self, build, tmp_path):
        for name in ("resnet18", "resnet50"):
            about = OmegaConf.load(YAML / f"{name}.yaml")
            state = torchvision_names(about.stem, about.depths, about.widths, about.layer)
            with torch.device("meta"):
                encoder = build(YAML / f"{name}.yaml", size=3)
            ours = {k: v.shape for k, v in encoder.network.state_dict().items()}
            theirs = {k: v.shape for k, v in renamed(state).items() if not k.startswith("fc.")}
            assert theirs == ours

    def test_transformers_weights_make_transformers_network(self, tmp_path, pictures):
        """From a folder, beneath a head."""
        about = {"layer_type": "basic", "embedding_size": 4, "depths": [1, 2, 1], "hidden_sizes": [4, 6, 8]}
        theirs = randomized(ResNetForImageClassification(ResNetConfig(**about))).eval()
        theirs.save_pretrained(tmp_path)
        signal = pictures(2, 40, 40)
        expected = theirs.resnet(scaled(signal)).last_hidden_state.flatten(2).transpose(1, 2)
        for weights in (tmp_path, tmp_path / "model.safetensors"):
            encoder = ResNet(3, **BASIC, weights=str(weights)).eval()
            torch.testing.assert_close(encoder(signal).data, expected)

    def test_stages_are_held_until_their_epoch(self, pictures):
        encoder = ResNet(3, **BASIC, freeze=1, unfreeze_at=2).train()
        learns = {name.split("network.")[1] for name, p in encoder.named_parameters() if p.requires_grad}
        assert all(name.startswith(("encoder.stages.1", "encoder.stages.2")) for name in learns)
        before = {k: v.clone() for k, v in encoder.named_buffers()}
        encoder(pictures(4, 40, 40))
        changed = {k for k, v in encoder.named_buffers() if not torch.equal(v, before[k])}
        assert changed
        assert all("stages.1" in name or "stages.2" in name for name in changed)
        encoder.at_epoch(2)
        assert all(p.requires_grad for p in encoder.parameters())

    @pytest.mark.parametrize(
        ("keys", "says"),
        [
            ({"freeze": 4}, "there are 3 layers"),
            ({"depths": [1, 1]}, "one of each is needed"),
            ({"unfreeze_at": 3}, "unfreeze_at=3"),
        ],
    )
    def test_refuses(self, keys, says):
        with pytest.raises(ValueError, match=says):
            ResNet(3, **BASIC | keys)


class Runs:
    """A pickle that leaves a file behind where it is loaded as any pickle is."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


class TestWeights:
    def refusal(self, weights, size=3):
        with pytest.raises(ValueError, match=f"^weights={weights}") as caught:
            ResNet(size, **BASIC, weights=str(weights))
        assert len(str(caught.value).splitlines()) <= 5
        return str(caught.value)

    @pytest.fixture
    def saved(self, tmp_path):
        def save(state, name="weights.pt"):
            torch.save(state, tmp_path / name)
            return tmp_path / name

        return save

    def test_no_file(self, tmp_path):
        assert "there is no such file" in self.refusal(tmp_path / "nothing.pth")
        assert "neither model.safetensors nor pytorch_model.bin" in self.refusal(tmp_path)

    def test_code_is_not_run(self, saved, tmp_path):
        file = saved({"conv1.weight": Runs(tmp_path / "ran")})
        assert "could run code\n  what is taken: .safetensors, or a state dict" in self.refusal(file)
        assert not (tmp_path / "ran").exists()

    def test_a_whole_model_is_not_unpickled(self, saved):
        assert "more than tensors" in self.refusal(saved(nn.Linear(2, 2)))

    @pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
    @pytest.mark.parametrize("held", [b"", b"no weights at all", bytes(300)])
    def test_broken_files(self, tmp_path, name, held):
        (tmp_path / name).write_bytes(held)
        assert self.refusal(tmp_path / name)

    @pytest.mark.parametrize("held", [[1, 2], {}, {"epoch": 3}, torch.zeros(2)])
    def test_no_tensors_by_their_names(self, saved, held):
        assert "tensors" in self.refusal(saved(held))

    def test_another_shape(self, saved):
        state = torchvision_names(**BASIC) | {"layer2.0.conv1.weight": torch.zeros(6, 5, 3, 3)}
        name = "encoder.stages.1.layers.0.layer.0.convolution.weight"
        assert f"{name} is (6, 5, 3, 3) in the file and (6, 4, 3, 3) in the network" in self.refusal(saved(state))

    def test_colours_for_grey_pictures(self, saved):
        said = self.refusal(saved(torchvision_names(**BASIC)), size=1)
        assert "its pictures have 3 channels and these 1\n  to go on: prepare.color=true" in said

    def test_another_network(self, saved):
        state = torchvision_names(**BASIC)
        del state["bn1.bias"], state["bn1.running_var"]
        said = self.refusal(saved(state | {"layer4.0.conv1.weight": torch.zeros(1)}))
        assert "it lacks 2 of its weights, the first embedder.embedder.normalization.bias" in said
        assert "it has beside 1 of its weights, the first encoder.stages.3.layers.0.layer.0.convolution.weight" in said

    @pytest.mark.parametrize("entry", ["state_dict", "model"])
    def test_a_training_scripts_checkpoint(self, saved, pictures, entry):
        state = torchvision_names(**BASIC)
        plain, inside = saved(state), saved({entry: state, "epoch": 3, "lr": 0.1}, "checkpoint.pt")
        first, second = (ResNet(3, **BASIC, weights=str(file)).eval() for file in (plain, inside))
        signal = pictures(2, 20, 20)
        assert torch.equal(first(signal).data, second(signal).data)

    def test_an_old_file_without_counters(self, saved, pictures):
        state = torchvision_names(**BASIC)
        old = {name: value for name, value in state.items() if "num_batches" not in name}
        encoder = ResNet(3, **BASIC, weights=str(saved(old))).eval()
        signal = pictures(2, 20, 20)
        expected = torchvision_resnet(state, scaled(signal)).flatten(2).transpose(1, 2)
        torch.testing.assert_close(encoder(signal).data, expected, atol=1e-5, rtol=1e-5)


def test_without_timm_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"timm is needed.*\n  to go on: pip install 'mmfuse\[timm\]'"):
        Timm(3)


ENCODERS = {
    "patches": Patches,
    "lenet": LeNet,
    "vgg16": lambda size: VGG16(size, width=2),
    "resnet": lambda size: ResNet(size, **BASIC),
}


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
class TestFilesOfManyForms:
    """A picture is encoded as what it shows, however its file has it."""

    @pytest.fixture
    def encoded(self, tmp_path, encoder):
        """Two pictures, through files."""

        def through_files(*images):
            files = []
            for number, image in enumerate(images):
                image.save(tmp_path / f"{number}.png")
                files.append(tmp_path / f"{number}.png")
            pixels = Pixels(size=[16, 16])
            pixels.fit(files)
            prepared = pixels(files)
            mask = torch.ones(len(files), 1, dtype=torch.bool)
            first, second = encoder(pixels.size).eval()(Signal(prepared.data.unsqueeze(1), mask)).data
            assert first.isfinite().all()
            return first, second

        return through_files

    @pytest.fixture
    def colours(self, random):
        return Image.fromarray(random.integers(256, size=(16, 16, 3), dtype=np.uint8))

    def test_alpha(self, encoded, colours):
        opaque = colours.copy()
        opaque.putalpha(255)
        assert torch.equal(*encoded(opaque, colours))

    def test_clear_is_white(self, encoded, colours):
        clear = colours.copy()
        clear.putalpha(0)
        assert torch.equal(*encoded(clear, Image.new("RGB", (16, 16), "white")))

    def test_palette(self, encoded, colours):
        few = colours.quantize(8)
        assert few.mode == "P"
        assert torch.equal(*encoded(few, few.convert("RGB")))

    def test_one_bit(self, encoded, colours):
        bits = colours.convert("1")
        assert torch.equal(*encoded(bits, bits.convert("L")))

    def test_sixteen_bits(self, encoded, colours):
        grey = colours.convert("L")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        assert deep.mode == "I;16"
        assert torch.equal(*encoded(deep, grey))
