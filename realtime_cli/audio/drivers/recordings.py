"""Reading recordings as wire audio and in bounded memory: any format that libsndfile knows, and others with PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_cli.audio.core.pcm import BLOCK_BYTES, RATE_HZ, frames_to_ms
from realtime_cli.audio.drivers import media
from realtime_cli.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MIN_MS = 100
"""The least that a server takes as a turn ("Expected at least 100ms of audio", input_audio_buffer_commit_empty)."""

SILENCE_DBFS = -60.0
"""A recording whose loudest sample is below this holds no speech: the hiss of most microphones alone is louder."""

_CHUNK_S = 1
"""How much is decoded at a time: long enough to be fast, short enough for a three-hour file to need no memory."""

_MISSING_MS = 100
"""How much less than promised may be decoded before a file counts as cut off: some formats estimate their length."""

_MISSING_SHARE = 0.02
"""The same of a file that PyAV decodes: containers of video round their length to whole frames of the picture."""

_STREAMED_BYTES = 1_000_000_000
"""Programs that write a WAV into a pipe cannot know its size and promise 2,000,000,000 bytes, 2 or 4 GiB (sox, arecord,
ffmpeg). What promises that much and holds less than half of it was streamed; a real one lasts for hours."""

_WAV_DATA = re.compile(r"^data *: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""How libsndfile's log says that a WAV file promises more than it holds."""

_CONVERT = "convert it with: ffmpeg -i FILE speech.wav"
_DECODE = f"{media.INSTALL}, which reads more formats, or {_CONVERT}"


class Recording:
    """An audio file. Nothing is read before it is asked for, and every question opens the file anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def duration_ms(self) -> int | None:
        """How long it says it is; None for those that do not say. Blocks for the disk. Raises InputError."""
        with self._opened() as file:
            if isinstance(file, media.MediaFile):
                return file.duration_ms
            return frames_to_ms(file.frames, file.samplerate)

    def check(self) -> None:
        """Raise InputError unless this is a readable recording of at least 100 ms. Blocks for the disk."""
        with self._opened() as file:
            if isinstance(file, media.MediaFile) and file.duration_ms is None:
                frames = 0
                for samples in file.chunks():
                    frames += len(samples)
                    if frames_to_ms(frames) >= MIN_MS:
                        return
                self._check_ms(frames_to_ms(frames))

    def check_for_speech(self) -> None:
        """Raise InputError also when all of it is silence. Blocks: reads on until something can be heard."""
        peak = 0
        loud_enough = 32768 * 10 ** (SILENCE_DBFS / 20)
        for samples in self._samples():
            peak = max(peak, int(abs(samples.astype("int32")).max(initial=0)))
            if peak >= loud_enough:
                return
        level = f"its loudest sample is at {20 * log10(peak / 32768):.0f} dBFS" if peak else "every sample is zero"
        raise InputError(f"{self.path} is silent", f"{level}; record it again, louder")

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """All of it as PCM16 24 kHz mono in blocks of ``size`` bytes, the last one shorter. Blocks for the disk.

        Raises InputError, also in the middle where the file turns out to be damaged.
        """
        waiting = bytearray()
        for samples in self._samples():
            waiting += samples.astype("<i2").tobytes()
            whole = len(waiting) - len(waiting) % size
            yield from (bytes(waiting[at : at + size]) for at in range(0, whole, size))
            del waiting[:whole]
        if waiting:
            yield bytes(waiting)

    def _samples(self) -> Iterator[npt.NDArray[np.int16]]:
        """Int16 chunks of shape ``(frames,)`` at 24 kHz, channels mixed."""
        import numpy as np
        import soxr

        with self._opened() as file:
            if isinstance(file, media.MediaFile):
                yield from self._media_samples(file)
                return
            resampler = soxr.ResampleStream(file.samplerate, RATE_HZ, 1, dtype="float32")
            read = 0
            at_end = False
            while not at_end:
                chunk = self._read(file, file.samplerate * _CHUNK_S)
                read += len(chunk)
                at_end = not len(chunk)
                mono = chunk.mean(axis=1, dtype=np.float32)
                if file.samplerate != RATE_HZ:
                    mono = resampler.resample_chunk(mono, last=at_end)
                yield (mono * 32768).round().clip(-32768, 32767).astype(np.int16)
            if frames_to_ms(file.frames - read, file.samplerate) > _MISSING_MS:
                raise self._cut_off(read / file.samplerate, file.frames / file.samplerate)

    def _media_samples(self, file: media.MediaFile) -> Iterator[npt.NDArray[np.int16]]:
        frames = 0
        for samples in file.chunks():
            frames += len(samples)
            yield samples
        read_ms, promised_ms = frames_to_ms(frames), file.duration_ms or 0
        if promised_ms - read_ms > max(10 * _MISSING_MS, _MISSING_SHARE * promised_ms):
            raise self._cut_off(read_ms / 1000, promised_ms / 1000)

    def _read(self, file: Any, frames: int) -> npt.NDArray[np.float32]:
        """Up to ``frames`` frames, shape ``(frames, channels)``, full scale 1.0."""
        import soundfile

        try:
            samples: npt.NDArray[np.float32] = file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise InputError(f"{self.path} is damaged after {file.tell() / file.samplerate:.1f} s", _CONVERT) from error
        return samples

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """A ``soundfile.SoundFile``, or a :class:`~realtime_cli.audio.drivers.media.MediaFile` for what that is not."""
        import soundfile

        self._check_existence()
        try:
            file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            if not media.can_decode():
                reason = error.error_string.rstrip(".")
                raise InputError(f"{self.path} is not an audio file that can be read ({reason})", _DECODE) from error
        else:
            with file:
                self._check_length(file)
                yield file
            return
        with media.opened(self.path) as decoded:
            self._check_media_length(decoded)
            yield decoded

    def _check_existence(self) -> None:
        try:
            with self.path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise InputError(f"cannot read {self.path}", error.strerror or str(error)) from error
        if empty:
            raise InputError(f"{self.path} is empty", "record it again")

    def _check_length(self, file: Any) -> None:
        if file.format in {"WAV", "WAVEX"} and (sizes := _WAV_DATA.search(file.extra_info)):
            promised, held = int(sizes[1]), int(sizes[2])
            streamed = promised >= _STREAMED_BYTES and held < promised / 2
            if held < promised and not streamed:
                seconds = file.frames / file.samplerate
                raise self._cut_off(seconds, seconds * promised / held if held else 0.0)
        self._check_ms(frames_to_ms(file.frames, file.samplerate))

    def _check_media_length(self, file: media.MediaFile) -> None:
        if file.duration_ms is not None:
            self._check_ms(file.duration_ms)

    def _check_ms(self, length_ms: int) -> None:
        if length_ms < MIN_MS:
            raise InputError(f"{self.path} holds only {length_ms} ms of audio", f"at least {MIN_MS} ms are needed")

    def _cut_off(self, held_s: float, promised_s: float) -> InputError:
        promise = f" of {promised_s:.1f} s" if promised_s else ""
        return InputError(f"{self.path} is cut off after {held_s:.1f} s{promise}", "copy or record it again")
