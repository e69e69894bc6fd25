"""Sound that libsndfile does not read, such as a phone's .m4a, a browser's .webm or a video's: decoded by PyAV.

PyAV (https://pyav.basswood-io.com) is the optional part ``media``; it brings FFmpeg's libraries along. The file is
handed to it as an open file, with a list of containers, so that a playlist under the name of a recording opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

INSTALL = "pip install 'realtime-voice-cli[media]'"

CONTAINERS = (
    "mov",
    "matroska",
    "asf",
    "amr",
    "amrnb",
    "amrwb",
    "aac",
    "avi",
    "flv",
    "mpegts",
    "mpeg",
    "caf",
    "ac3",
    "ape",
)
"""Names of FFmpeg's demuxers for files of phones, browsers, cameras and messengers. None of them reads other files."""


def can_decode() -> bool:
    """Whether the optional part is installed."""
    return find_spec("av") is not None


class MediaFile:
    """The first sound of an open file. Not for several threads."""

    def __init__(self, path: Path, container: Any) -> None:
        self.path = path
        self._container = container

    @property
    def duration_ms(self) -> int | None:
        """How long the file says it is; a browser's recording does not say."""
        return None if self._container.duration is None else self._container.duration // 1000

    def chunks(self) -> Iterator[npt.NDArray[np.int16]]:
        """All of it as int16 of shape ``(frames,)`` at 24 kHz, some tens of ms at a time. Blocks for the disk.

        Raises InputError where the file is damaged.
        """
        import av
        import numpy as np
        from av.error import FFmpegError

        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        frames = 0
        try:
            for frame in self._container.decode(audio=0):
                for resampled in resampler.resample(frame):
                    frames += resampled.samples
                    yield resampled.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            for resampled in resampler.resample(None):
                yield resampled.to_ndarray().reshape(-1).astype(np.int16, copy=False)
        except FFmpegError as error:
            raise InputError(f"{self.path} is damaged after {frames / RATE_HZ:.1f} s", _reason(error)) from error


@contextmanager
def opened(path: Path) -> Iterator[MediaFile]:
    """Open a file. Raises InputError when there is no sound in it, or when it is no such file at all."""
    import av
    from av.error import FFmpegError

    with path.open("rb") as file:
        try:
            container = av.open(file, container_options={"format_whitelist": ",".join(CONTAINERS)})
        except (FFmpegError, ValueError) as error:
            raise InputError(f"{path} is not an audio file that can be read", _reason(error)) from error
        with container:
            if not container.streams.audio:
                raise InputError(f"{path} has no sound in it", "name a recording, or a video with sound")
            yield MediaFile(path, container)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
