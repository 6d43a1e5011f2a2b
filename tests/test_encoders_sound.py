"""What encoders of sound are held to by librosa, clip by clip."""

from functools import partial

import librosa
import numpy as np
import pytest
import soundfile
import torch

from mmfuse.encoders.log_mel import LogMel
from mmfuse.encoders.mfcc import MFCC
from mmfuse.encoders.sound_cnn import SoundCNN
from mmfuse.encoders.sound_gru import SoundGRU
from mmfuse.encoders.spec_augment import SpecAugment
from mmfuse.encoders.stft import STFT
from mmfuse.prepare.waveform import Waveform
from mmfuse.types import Signal, UnreadableError

FRONTS = {"mel": LogMel, "mfcc": partial(MFCC, coefficients=13), "stft": STFT}
FRAMES = {8000: (256, 80), 16000: (512, 160)}  # 32 and 10 ms, in samples


def by_librosa(name, clip, rate):
    """(F, bands)"""
    length, hop = FRAMES[rate]
    framed = {"n_fft": length, "hop_length": hop, "center": True, "pad_mode": "constant"}
    if name == "stft":
        return librosa.amplitude_to_db(np.abs(librosa.stft(clip, **framed)), top_db=80).T
    if name == "mfcc":
        return librosa.feature.mfcc(y=clip, sr=rate, n_mfcc=13, n_mels=40, **framed).T
    power = librosa.feature.melspectrogram(y=clip, sr=rate, n_mels=40, power=2.0, **framed)
    return librosa.power_to_db(power, top_db=80).T


@pytest.fixture(params=FRONTS)
def name(request):
    return request.param


@pytest.fixture(params=[SoundCNN, SoundGRU])
def head(request):
    return request.param


class TestFronts:
    @pytest.mark.parametrize("rate", FRAMES)
    @pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")  # librosa's, of the clip shorter than a window
    def test_agrees_with_librosa_clip_by_clip(self, name, rate, random):
        lengths = [100, rate // 100 * 7, 1999, 2000, 2001, rate // 2, rate]
        clips = [0.05 * random.normal(size=n) + 0.5 * np.sin(2 * np.pi * 440 / rate * np.arange(n)) for n in lengths]
        clips[-1][rate // 3 :] = 0.0  # silence, which is 80 dB below the loudest place and no less
        clips[-2] *= 1e-3  # a quiet clip in a loud batch
        clips = [clip.astype(np.float32) for clip in clips]
        data = torch.full((len(clips), rate), torch.nan)
        for row, clip in enumerate(clips):
            data[row, : len(clip)] = torch.from_numpy(clip)
        front = FRONTS[name](rate=rate)
        steps, mask = front(Signal(data, torch.arange(rate) < torch.tensor(lengths)[:, None]))
        for row, clip in enumerate(clips):
            expected = by_librosa(name, clip, rate)
            assert mask[row].sum() == len(expected)
            assert expected.shape[1] == front.bands
            np.testing.assert_allclose(steps[row][mask[row]].numpy(), expected, atol=1e-4, rtol=1e-4)

    def test_loudness_says_nothing_to_a_network(self, name):
        """And twice the amplitude is 6 dB to librosa."""
        front, mask = FRONTS[name](rate=8000), torch.ones(1, 2000, dtype=torch.bool)
        wave = 0.1 * torch.randn(1, 2000)
        quiet, loud = (front(Signal(gain * wave, mask)) for gain in (1, 10))
        assert (quiet.data - loud.data).abs().max() > 19
        torch.testing.assert_close(front.scaled(*loud), front.scaled(*quiet), atol=1e-3, rtol=1e-3)

    def test_what_a_network_reads_is_about_zero(self, name, random):
        """Speech-like: 1/f noise that comes and goes. No figure is far out, none says nothing."""
        wave = torch.from_numpy(np.cumsum(random.normal(size=8000)) * np.hanning(8000)).float()[None]
        front = FRONTS[name](rate=8000)
        scaled = front.scaled(*front(Signal(wave / wave.abs().max(), torch.ones(1, 8000, dtype=torch.bool))))
        assert scaled[..., 0].mean().abs() < 5
        assert scaled.abs().max() < 20
        assert 0.2 < scaled.std() < 3

    @pytest.mark.parametrize(
        ("wrong", "says"), [({"hop_ms": 0.01}, r"hop_ms=0\.01"), ({"window_ms": 0.1}, r"window_ms=0\.1")]
    )
    def test_refuses_frames_of_less_than_a_sample(self, name, wrong, says):
        with pytest.raises(ValueError, match=says):
            FRONTS[name](rate=8000, **wrong)

    def test_refuses_more_coefficients_than_bands(self):
        with pytest.raises(ValueError, match="coefficients=41"):
            MFCC(8000, coefficients=41, mels=40)


class TestHeads:
    @pytest.fixture
    def waves(self):
        mask = torch.arange(4000) < torch.tensor([4000, 1500, 2500])[:, None]
        return Signal(0.1 * torch.randn(3, 4000), mask)

    def test_loudness_says_nothing_behind_any_front(self, head, name, waves, unpadded):
        encoder = head(8000, FRONTS[name], dim=16).eval()
        quiet, loud = encoder(waves), encoder(waves._replace(data=5 * waves.data))
        torch.testing.assert_close(unpadded(loud), unpadded(quiet), atol=1e-3, rtol=1e-3)

    def test_gru_is_the_gru_clip_by_clip(self, name, waves):
        encoder = SoundGRU(8000, FRONTS[name], dim=16, layers=2).eval()
        encoded, mask = encoder(waves)
        assert mask.sum(dim=1).tolist() == [1 + 4000 // 80, 1 + 1500 // 80, 1 + 2500 // 80]
        for row, samples in enumerate([4000, 1500, 2500]):
            alone = encoder.front(Signal(waves.data[[row], :samples], torch.ones(1, samples, dtype=torch.bool)))
            expected, _ = encoder.rnn(encoder.front.scaled(*alone))
            torch.testing.assert_close(encoded[row][mask[row]], expected[0], atol=1e-5, rtol=1e-4)

    def test_cnn_halves_time_with_each_block(self, name, waves):
        """51 frames, 26, 13; the clip of 19 frames has 10 and then 5 moments."""
        mask = SoundCNN(8000, FRONTS[name], dim=16, widths=(8,)).eval()(waves).mask
        assert mask.sum(dim=1).tolist() == [13, 5, 8]

    def test_refuses_a_width_that_two_directions_cannot_share(self):
        with pytest.raises(ValueError, match="dim=7"):
            SoundGRU(8000, LogMel, dim=7)


class TestBadSound:
    @pytest.fixture
    def saved(self, tmp_path):
        def save(data, rate, name):
            soundfile.write(tmp_path / name, data, rate, subtype="FLOAT")
            return tmp_path / name

        return save

    @staticmethod
    def tones(rate):
        time = np.arange(rate // 2) / rate
        return (0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1300 * time)).astype(np.float32)

    def encoded(self, raw, head, name):
        """Clips as one batch, all steps of each."""
        waveform = Waveform()
        waveform.fit(raw)
        sound = waveform(raw)
        data = torch.nn.utils.rnn.pad_sequence(list(sound.data.split(sound.lengths.tolist())), batch_first=True)
        mask = torch.arange(data.shape[1]) < sound.lengths[:, None]
        torch.manual_seed(0)
        return head(waveform.size, FRONTS[name], dim=16).eval()(Signal(data, mask))

    def test_stereo_is_mixed_down_to_the_mono_that_encoders_read(self, saved, head, name, unpadded):
        """Half of it on each side, and a channel that is silent, are the one sound, softer at most."""
        wave = self.tones(8000)
        files = [
            saved(wave, 8000, "mono.wav"),
            saved(np.stack([wave, wave], axis=1), 8000, "both.wav"),
            saved(np.stack([wave, 0 * wave], axis=1), 8000, "left.wav"),
        ]
        mono, both, left = unpadded(self.encoded(files, head, name))
        torch.testing.assert_close(both, mono)
        torch.testing.assert_close(left, mono, atol=1e-3, rtol=1e-3)

    def test_files_of_two_rates_are_brought_to_the_first_ones(self, saved, head):
        """The same tones, at 8 and at 16 kHz: as many steps, and the same within."""
        files = [saved(self.tones(rate), rate, f"{rate}.wav") for rate in (8000, 16000)]
        first, second = self.encoded(files, head, "mel").data
        assert first.shape == second.shape
        assert (first[3:-3] - second[3:-3]).abs().max() < 0.2 * first[3:-3].std()

    def test_an_empty_clip_is_unreadable_and_not_silence(self, saved):
        files = [saved(self.tones(8000), 8000, "full.wav"), saved(np.empty(0, np.float32), 8000, "empty.wav")]
        with pytest.raises(UnreadableError) as error:
            Waveform(8000)(files)
        assert [(f.row, f.reason) for f in error.value.failures] == [(1, "it has no samples")]


class TestSpecAugment:
    LENGTHS = torch.tensor([30, 12, 0, 30])

    @pytest.fixture
    def spectrogram(self):
        """Ones (B, F, bands), so that zeros are what was hidden."""
        return torch.ones(4, 30, 20), torch.arange(30) < self.LENGTHS[:, None]

    def test_hides_bands_of_frames_and_of_pitch(self, spectrogram):
        steps, mask = spectrogram
        widths = {"time": set(), "frequency": set()}
        for _ in range(200):
            hidden = SpecAugment(1, 5, 1, 4)(steps, mask) == 0
            frames, bands = hidden.all(dim=2), hidden.all(dim=1)  # (B, F), (B, bands)
            assert torch.equal(hidden, frames[:, :, None] | bands[:, None, :])
            for name, places in (("time", frames), ("frequency", bands)):
                starts = places[:, :1].sum(dim=1) + (places[:, 1:] & ~places[:, :-1]).sum(dim=1)
                assert (starts <= 1).all()  # one band a row
                widths[name] |= set(places[0].sum(dim=0, keepdim=True).tolist())
            assert not (frames & ~mask).any()
        assert widths == {"time": set(range(6)), "frequency": set(range(5))}

    def test_every_place_may_be_hidden_and_rows_differ(self, spectrogram):
        steps, mask = spectrogram
        hidden = torch.stack([SpecAugment(2, 8, 2, 6)(steps, mask) == 0 for _ in range(300)])
        assert torch.equal(hidden.any(dim=0)[[0, 3]], torch.ones(2, 30, 20, dtype=torch.bool))
        assert not torch.equal(hidden[:, 0], hidden[:, 3])

    def test_only_training_is_disturbed_by_it(self, head, name):
        """And there the paper's LD policy hides far more than nothing."""
        torch.manual_seed(1)
        signal = Signal(0.1 * torch.randn(2, 4000), torch.ones(2, 4000, dtype=torch.bool))
        encoder = head(8000, FRONTS[name], dim=16, time_masks=2, time_width=10, frequency_masks=2, frequency_width=13)
        plain = head(8000, FRONTS[name], dim=16)
        plain.load_state_dict(encoder.state_dict())
        torch.testing.assert_close(encoder.eval()(signal), plain.eval()(signal), atol=0, rtol=0)
        assert not torch.allclose(encoder.train()(signal).data, plain.train()(signal).data)

    @pytest.mark.parametrize("widths", [(1, 0, 0, 0), (0, 5, 0, 0), (0, 0, 2, 0), (-1, 5, 0, 0)])
    def test_refuses_masks_without_a_width(self, widths):
        with pytest.raises(ValueError, match="both are needed"):
            SpecAugment(*widths)
