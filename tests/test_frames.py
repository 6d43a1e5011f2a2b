"""From films to frames."""

import sys

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from mmfuse.errors import ConfigError
from mmfuse.prepare.frames import Frames
from mmfuse.prepare.pixels import Pixels
from mmfuse.types import UnreadableError

EIGHT_OF_40 = [2, 7, 12, 17, 22, 27, 32, 37]  # the middles of eight parts of five frames


@pytest.fixture
def film(random):
    """(T, H, W) bytes: 40 frames of noise, which no two have alike."""
    return random.integers(256, size=(40, 16, 24), dtype=np.uint8)


@pytest.fixture
def recorded(tmp_path):
    """Writes (T, H, W) or (T, H, W, 3) bytes as a video file and returns its path."""

    def write(film, name, codec="ffv1", pixels="gray", **options):
        header_first = {"movflags": "faststart"} if name.endswith("mp4") else {}
        bare = "m4v" if name.endswith("m4v") else None  # MPEG-4 pictures and nothing around them
        with av.open(str(tmp_path / name), "w", bare, options=header_first) as container:
            stream = container.add_stream(codec, rate=10, options=options)
            stream.height, stream.width = film.shape[1:3]
            stream.pix_fmt = pixels
            for frame in film:
                picture = av.VideoFrame.from_ndarray(frame, format="gray" if frame.ndim == 2 else "rgb24")
                container.mux(stream.encode(picture.reformat(format=pixels)))
            container.mux(stream.encode())
        return tmp_path / name

    return write


def read(film, **settings):
    frames = Frames(**settings)
    frames.fit([film])
    return frames([film]).data.numpy()


def from_its_beginning(path):
    """(T, C, H, W), decoded one after the other."""
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]).transpose(0, 3, 1, 2)


class TestArrays:
    def test_frames_are_taken_evenly(self, film):
        np.testing.assert_array_equal(read(film)[:, 0], film[EIGHT_OF_40])
        np.testing.assert_array_equal(read(film, frames=1)[:, 0], film[[20]])
        np.testing.assert_array_equal(read(film, frames=40)[:, 0], film)

    def test_a_short_film_gives_all_it_has(self, film):
        frames = Frames()
        frames.fit([film, film[:3]])
        prepared = frames([film[:3], None, film, film[:1]])
        assert prepared.lengths.tolist() == [3, 0, 8, 1]
        np.testing.assert_array_equal(prepared.data[:3, 0], film[:3])

    def test_a_file_of_an_array(self, film, tmp_path):
        np.save(tmp_path / "film.npy", film)
        np.testing.assert_array_equal(read(tmp_path / "film.npy"), read(film))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_channels(self, random, channels):
        film = random.integers(256, size=(5, 6, 7, channels), dtype=np.uint8)
        np.testing.assert_array_equal(read(film), film.transpose(0, 3, 1, 2))

    @pytest.mark.parametrize(
        "settings",
        [{}, {"fit": "crop", "size": [4, 4]}, {"fit": "pad", "normalise": "training"}, {"normalise": "imagenet"}],
        ids=str,
    )
    def test_each_frame_is_prepared_as_a_picture_is(self, random, settings):
        films = [random.integers(256, size=(3, 9, 7, 3), dtype=np.uint8) for _ in range(3)]
        frames, pixels = Frames(**settings), Pixels(**settings)
        frames.fit(films)
        pixels.fit([frame for film in films for frame in film])
        assert frames(films).data.equal(pixels([frame for film in films for frame in film]).data)

    def test_is_the_same_once_restored(self, through_json, film):
        frames = Frames(3, [5, 4], "crop", normalise="training")
        frames.fit([film])
        other = through_json(frames)
        assert other.size == 1
        assert other([film, None]).data.equal(frames([film, None]).data)

    def test_rows_that_all_lack_the_modality_have_no_steps(self, film):
        frames = Frames()
        frames.fit([film, None])
        prepared = frames([None, None])
        assert prepared.lengths.tolist() == [0, 0]
        assert prepared.data.shape == (0, 1, 16, 24)

    @pytest.mark.parametrize("wrong", [{"frames": 0}, {"fit": "zoom"}])
    def test_refuses_settings_that_cannot_be(self, wrong):
        with pytest.raises((ValueError, TypeError), match="|".join(wrong)):
            Frames(**wrong)


class TestFolders:
    @pytest.fixture
    def folder(self, film, tmp_path):
        """Frames 0 to 11, whose names sort otherwise, and two files that are no frames."""
        (tmp_path / "film").mkdir()
        for number in range(12):
            Image.fromarray(film[number]).save(tmp_path / "film" / f"frame{number}.png")
        (tmp_path / "film" / "readme.txt").write_text("Frames of a film.")
        (tmp_path / "film" / "._frame1.png").write_bytes(b"what a Mac leaves beside a picture")
        return tmp_path / "film"

    def test_frames_are_in_their_numbers_order(self, folder, film):
        np.testing.assert_array_equal(read(folder, frames=12)[:, 0], film[:12])
        np.testing.assert_array_equal(read(folder, frames=4)[:, 0], film[[1, 4, 7, 10]])

    def test_names_all_that_cannot_be_read(self, folder, film, tmp_path):
        (tmp_path / "empty").mkdir()
        (tmp_path / "broken.mp4").write_bytes(b"this is no film")
        np.save(tmp_path / "flat.npy", film[0])
        frames = Frames(frames=12)
        frames.fit([film])
        (folder / "frame7.png").write_bytes((folder / "frame7.png").read_bytes()[:60])
        raw = [
            film,
            folder,
            None,
            tmp_path / "empty",
            tmp_path / "broken.mp4",
            tmp_path / "missing.mp4",
            tmp_path / "missing.npy",
            tmp_path / "flat.npy",
            film[:0],
            film.astype(np.float32),
        ]
        with pytest.raises(UnreadableError) as error:
            frames(raw)
        reasons = {failure.row: failure.reason for failure in error.value.failures}
        assert list(reasons) == [1, 3, 4, 5, 6, 7, 8, 9]
        assert "frame7.png" in reasons[1]
        assert "truncated" in reasons[1]
        assert reasons[3] == "it holds no pictures"
        assert "Invalid data" in reasons[4]
        assert reasons[5] == reasons[6] == "not found"
        assert "(16, 24)" in reasons[7]
        assert reasons[8] == "it has no frames"
        assert "float32" in reasons[9]


class TestVideoFiles:
    def test_frames_are_those_that_were_written(self, recorded, film):
        path = recorded(film, "film.mkv")
        np.testing.assert_array_equal(read(path)[:, 0], film[EIGHT_OF_40])
        np.testing.assert_array_equal(read(path, frames=50)[:, 0], film)
        np.testing.assert_array_equal(read(path.read_bytes())[:, 0], film[EIGHT_OF_40])

    def test_colours(self, recorded, random):
        film = random.integers(256, size=(5, 16, 24, 3), dtype=np.uint8)
        np.testing.assert_array_equal(read(recorded(film, "film.mkv", pixels="bgr0")), film.transpose(0, 3, 1, 2))

    @pytest.mark.parametrize("key_frames", [1, 7, 12, 100])
    @pytest.mark.parametrize("name", ["film.mp4", "film.avi", "film.mkv"])
    def test_frames_between_key_frames(self, recorded, film, name, key_frames):
        path = recorded(film, name, "mpeg4", "yuv420p", g=str(key_frames))
        np.testing.assert_array_equal(read(path), from_its_beginning(path)[EIGHT_OF_40])

    def test_frames_that_are_stored_in_another_order(self, recorded, film):
        path = recorded(film, "film.mp4", "mpeg4", "yuv420p", g="12", bf="2")
        with av.open(str(path)) as container:
            times = [packet.pts for packet in container.demux(video=0) if packet.size]
        assert times != sorted(times)
        np.testing.assert_array_equal(read(path), from_its_beginning(path)[EIGHT_OF_40])

    @pytest.mark.parametrize(("name", "codec"), [("film.m4v", "mpeg4"), ("film.ts", "mpeg2video")])
    def test_a_stream_that_cannot_be_entered(self, recorded, film, name, codec):
        path = recorded(film, name, codec, "yuv420p")
        expected = from_its_beginning(path)[EIGHT_OF_40]
        np.testing.assert_array_equal(read(path), expected)
        np.testing.assert_array_equal(read(path.read_bytes()), expected)

    def test_a_film_is_turned_upright(self, recorded):
        """Its left half white: turned by the header's matrix (ISO 14496-12, 8.3.2) to show it above."""
        film = np.zeros((5, 32, 48), np.uint8)
        film[:, :, :24] = 255
        path = recorded(film, "film.mp4", "mpeg4", "yuv420p")
        one, as_it_is = 1 << 16, [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]
        packed = b"".join(number.to_bytes(4, "big") for number in as_it_is)
        quarter = b"".join(number.to_bytes(4, "big", signed=True) for number in [0, one, 0, -one, 0, 0, 0, 0, 1 << 30])
        head, track = path.read_bytes().split(b"tkhd")
        path.write_bytes(head + b"tkhd" + track.replace(packed, quarter, 1))
        data = read(path, frames=1)
        assert data.shape == (1, 3, 48, 32)
        assert data[0, :, :20].min() > 240
        assert data[0, :, 28:].max() < 15

    @pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
    @pytest.mark.parametrize("kept", [0.5, 0.8])
    def test_a_film_that_is_cut_short_is_no_film(self, recorded, film, name, kept):
        path = recorded(film, name, "mpeg4", "yuv420p")
        held = path.read_bytes()
        frames = Frames()
        frames.fit([film])
        with pytest.raises(UnreadableError) as error:
            frames([held, held[: int(len(held) * kept)]])
        assert [failure.row for failure in error.value.failures] == [1]
        assert "cut short" in error.value.failures[0].reason

    def test_sound_alone_is_no_film(self, tmp_path, random):
        soundfile.write(tmp_path / "sound.wav", random.uniform(-1, 1, size=800), 8000)
        with pytest.raises(UnreadableError, match="only sound"):
            Frames().fit([tmp_path / "sound.wav"])

    def test_says_how_to_get_what_reads_them(self, recorded, film, monkeypatch):
        path = recorded(film, "film.mkv")
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(ConfigError, match=r"pip install 'mmfuse\[video\]'"):
            Frames().fit([path])
        read(film)  # which needs no PyAV
