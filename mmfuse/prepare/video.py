"""Some frames of a video file, by PyAV. Only what they need is decoded: each from the key frame before it on.

Their times are read off the file's packets, which takes reading it but no decoding. A file of a kind that has no index
to enter it by, or one whose frames are not where it says, is decoded twice from its beginning: to count its frames, and
to take some.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmfuse.errors import ConfigError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

INDEXED = ("matroska", "mov,mp4")  # how libav's names of these kinds begin; in an MPEG-TS, say, seeking is a guess

Choice = Callable[[int], list[int]]  # of how many frames there are: which to take, rising


def first(file: Path | BytesIO) -> np.ndarray:
    with opened(file) as (container, stream):
        for frame in container.decode(stream):
            return picture(frame)
        raise ValueError("it has no frames")


def decoded(file: Path | BytesIO, choose: Choice) -> list[np.ndarray]:
    """(H, W) or (H, W, 3) bytes each."""
    with opened(file) as (container, stream):
        times, keys = timetable(container, stream)
        if times and None not in times and container.format.name.startswith(INDEXED):
            wanted = [times[place] for place in choose(len(times))]
            frames = entered(container, stream, wanted, keys)
            if len(frames) == len(wanted):
                return frames
    with opened(file) as (container, stream):
        length = sum(1 for _ in container.decode(stream))
        if not length:
            raise ValueError("it has no frames")
    with opened(file) as (container, stream):
        places = set(choose(length))
        taken = [frame for place, frame in enumerate(container.decode(stream)) if place in places]
        if any(frame.is_corrupt for frame in taken):
            raise ValueError("it has damaged frames")
        return [picture(frame) for frame in taken]


def timetable(container: "InputContainer", stream: "VideoStream") -> tuple[list, list]:
    """When each frame is shown, and each key frame, in the stream's own unit; None where a packet does not say."""
    times, keys, end = [], [], 0.0
    for packet in container.demux():
        if packet.is_corrupt:
            raise ValueError("it is cut short or damaged")
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.size and packet.stream_index == stream.index and not packet.is_discard:
            times.append(packet.pts)
            keys += [packet.pts] if packet.is_keyframe else []
    lasts = (container.duration or 0) / 1e6
    if "matroska" in container.format.name and end < 0.98 * lasts - 0.2:  # it marks no packet as cut
        raise ValueError(f"it is cut short: it ends after {end:.1f} of {lasts:.1f} seconds")
    return (times, keys) if None in times else (sorted(times), sorted(keys))


def entered(
    container: "InputContainer", stream: "VideoStream", wanted: Sequence[int], keys: Sequence[int]
) -> list[np.ndarray]:
    """The frames of these times, or fewer where one cannot be had without those before it."""
    from av import FFmpegError

    found: list[np.ndarray] = []
    frames: Iterator[VideoFrame] = iter(())
    reached = None  # the number of the key frame after which the decoder stands
    for time in wanted:
        try:
            if (key := bisect_right(keys, time)) != reached:
                container.seek(time, stream=stream)  # to the key frame before it
                frames, reached = container.decode(stream), key
            frame = next((frame for frame in frames if frame.pts is None or frame.pts >= time), None)
        except FFmpegError:
            break
        if frame is None or frame.pts != time or frame.is_corrupt:
            break
        found.append(picture(frame))
    return found


def picture(frame: "VideoFrame") -> np.ndarray:
    """Upright, as the file says that it is to be shown."""
    array = frame.to_ndarray(format="gray" if frame.format.name.startswith("gray") else "rgb24")
    return np.ascontiguousarray(np.rot90(array, round(frame.rotation / 90)))  # both count against the clock


@contextmanager
def opened(file: Path | BytesIO) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    try:
        import av
    except ImportError as error:
        raise ConfigError("video files are read by PyAV, which is not here\n  pip install 'mmfuse[video]'") from error
    if isinstance(file, Path) and not file.exists():
        raise FileNotFoundError(file)
    if isinstance(file, BytesIO):
        file.seek(0)
    try:
        with av.open(str(file) if isinstance(file, Path) else file, mode="r") as container:
            if not container.streams.video:
                raise ValueError("it has no pictures, only sound")
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise ValueError(error.strerror or str(error)) from error
