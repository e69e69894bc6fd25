"""PortAudio itself: loading it, and letting it look for devices anew.

PortAudio may be used by one thread at a time only, apart from its callbacks (portaudio.h: "not thread-safe"), and it
finds new devices only when it is ended and started again, which ends every stream of the program. So all of that goes
through here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realtime_cli.audio.drivers.stderr_guard import libraries_silenced, silence_libraries, unsilence_libraries
from realtime_cli.errors import AudioError

_DISTRIBUTIONS = (
    ("/etc/debian_version", "debian"),
    ("/etc/fedora-release", "fedora"),
    ("/etc/redhat-release", "fedora"),
    ("/etc/arch-release", "arch"),
    ("/etc/SUSE-brand", "suse"),
    ("/etc/alpine-release", "alpine"),
)
"""What marks a Linux distribution."""

_INSTALL = {
    "debian": "sudo apt-get install libportaudio2",
    "fedora": "sudo dnf install portaudio",
    "arch": "sudo pacman -S portaudio",
    "suse": "sudo zypper install libportaudio2",
    "alpine": "sudo apk add portaudio",
}
"""Wheels for macOS and Windows bring their own PortAudio."""

_LOCK = threading.RLock()
_STREAM_ENDERS: set[Callable[[], None]] = set()


@contextmanager
def portaudio() -> Iterator[Any]:
    """The ``sounddevice`` module, for this thread alone, with PortAudio's messages kept off the screen.

    Blocks while another thread has it; the first use loads the library. Raises AudioError when there is none.
    """
    with _LOCK, libraries_silenced():
        try:
            import sounddevice
        except OSError as error:
            raise AudioError("the PortAudio library is not installed", install_command()) from error
        yield sounddevice


def install_command() -> str:
    """How to install PortAudio on this system."""
    if sys.platform == "darwin":
        return "brew install portaudio"
    if sys.platform == "win32":
        return "pip install --force-reinstall sounddevice"
    return for_this_distribution(_INSTALL)


def for_this_distribution(commands: Mapping[str, str]) -> str:
    """Which of the commands, by kind of Linux distribution (``debian``, ``fedora`` …), is this system's."""
    found = next((name for marker, name in _DISTRIBUTIONS if Path(marker).exists()), None)
    return commands[found] if found else f"install the package that is elsewhere got with: {commands['debian']}"


def unmute_remedy(platform: str = sys.platform) -> str:
    """What to do about a microphone that delivers digital silence."""
    if platform == "darwin":
        # macOS hands silence, and no error, to an application that may not use the microphone.
        return "allow your terminal in System Settings > Privacy & Security > Microphone, then restart the terminal"
    if platform == "win32":
        return "allow desktop apps in Settings > Privacy & security > Microphone, and unmute it"
    return "unmute it in the system's sound settings (pactl set-source-mute @DEFAULT_SOURCE@ 0, or alsamixer)"


def register_stream(end: Callable[[], None]) -> None:
    """Keep PortAudio's messages off the screen for as long as a stream is open.

    ``end`` is called before PortAudio is started again, and must abandon the stream. May be called again.
    """
    with _LOCK:
        if end not in _STREAM_ENDERS:
            _STREAM_ENDERS.add(end)
            silence_libraries()


def forget_stream(end: Callable[[], None]) -> None:
    """Take back :func:`register_stream`. May be called again, or without it."""
    with _LOCK:
        if end in _STREAM_ENDERS:
            _STREAM_ENDERS.discard(end)
            unsilence_libraries()


def look_for_devices() -> None:
    """Let PortAudio see devices that came or went since it was started. Blocks for about 10 ms; ends every stream.

    Raises AudioError when PortAudio does not start again.
    """
    with portaudio() as sounddevice:
        for end in tuple(_STREAM_ENDERS):
            end()
        try:
            # Not in sounddevice's documented interface, but the way that its author names:
            # https://github.com/spatialaudio/python-sounddevice/issues/125
            sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise AudioError("PortAudio found no sound system", str(error)) from error
