"""From the user's word for a microphone or loudspeaker to its driver: a device, a file, ``-`` or ``none``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from realtime_cli.audio.drivers.device_stream import Notice
from realtime_cli.audio.drivers.pacing import NullSink, NullSource
from realtime_cli.audio.drivers.pipe import PipeSink, PipeSource
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.audio.drivers.wav import WavSink, WavSource
from realtime_cli.errors import InputError
from realtime_cli.ports import AudioSink, AudioSource
from realtime_cli.result_file import ResultFile

PIPE = "-"
NOTHING = "none"

RECORDING_ENDINGS = frozenset(
    {".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64", ".wav"}
)
"""Names that end so are files and never devices: the common ones among http://libsndfile.github.io/libsndfile/formats.html."""


def open_source(word: str | None, on_notice: Notice | None = None, *, on_demand: bool = False) -> AudioSource:
    """The microphone the user named, None being the default device; not opened yet. Touches no device and no file.

    ``on_demand``: it is in use only while it runs. Raises InputError where it then is no device.
    """
    if on_demand and word and (word in (PIPE, NOTHING) or _is_recording(word)):
        raise InputError(f"--ptt opens and closes a microphone, and {word} is none", "name one, or leave out --ptt")
    if word == PIPE:
        return PipeSource(sys.stdin.buffer)
    if word == NOTHING:
        return NullSource()
    if word and _is_recording(word):
        return WavSource(Path(word))
    return PortAudioSource(word, on_notice, on_demand=on_demand)


def open_sink(word: str | None, on_notice: Notice | None = None, *, source: str | Path | None = None) -> AudioSink:
    """The loudspeaker the user named, None being the default device; not opened yet.

    ``source`` is where the user's speech comes from. Raises InputError for a file that cannot be written as a WAV or
    that is the source itself.
    """
    return _file_or_pipe(word, None, source) or PortAudioSink(word, on_notice)


def open_reply_sink(
    word: str | None, pending: Callable[[], int] | None = None, *, source: str | Path | None = None
) -> AudioSink | None:
    """Where a reply that cannot be interrupted is spoken; None where the user asked for no sound.

    A WAV file is written as fast as the reply comes when ``pending`` says how many frames can be pulled now; otherwise,
    and everywhere else, it is played at its own pace. Raises InputError as :func:`open_sink` does.
    """
    if word is None or word == NOTHING:
        return None
    return _file_or_pipe(word, pending, source) or PortAudioSink(word)


def check_files(mic: str | None, speaker: str | None) -> None:
    """Raise InputError for a recording that cannot be spoken, or a file that cannot be written; opens no device."""
    if mic and mic not in (PIPE, NOTHING) and _is_recording(mic):
        Recording(Path(mic)).check()
    if speaker and speaker not in (PIPE, NOTHING) and _is_recording(speaker):
        ResultFile(Path(speaker)).check()


def is_device(word: str | None) -> bool:
    """Whether the user's word for a microphone or loudspeaker means a device."""
    return not word or (word not in (PIPE, NOTHING) and not _is_recording(word))


def _file_or_pipe(word: str | None, pending: Callable[[], int] | None, source: str | Path | None) -> AudioSink | None:
    if word == PIPE:
        return PipeSink(sys.stdout.buffer)
    if word == NOTHING:
        return NullSink()
    if not word or not _is_recording(word):
        return None
    path = Path(word)
    if path.suffix.lower() != ".wav":
        raise InputError(f"the loudspeaker {word} cannot be written", "name a file that ends in .wav")
    if source is not None and _same_file(Path(source), path):
        raise InputError(
            f"{word} is both microphone and loudspeaker", "the recording would be overwritten: name another"
        )
    return WavSink(path, pending)


def _is_recording(word: str) -> bool:
    return Path(word).suffix.lower() in RECORDING_ENDINGS


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()
