"""Devices that go, and come back, in the middle of a conversation."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests import scripts
from tests.audio_signals import noise
from tests.pty_driver import XTERM, Terminal
from tests.running import environment
from tests.scripted_server import ScriptedServer
from tests.virtual_devices import VirtualDevices, require_virtual_devices, run_virtual_devices

WORDS = noise(0.7).tobytes()
ANSWER = "It is always time for tea"
SPEAKER_GONE = 'the loudspeaker "default" is gone; looking for it'
MIC_GONE = 'the microphone "default" is gone; looking for it'

IMPATIENT = """
import sys
from realtime_cli.audio.core import silence
from realtime_cli.audio.drivers import device_stream
device_stream._GIVE_UP_S = 2.0
silence.LATER_S = 1
from realtime_cli.cli.main import main
main()
"""
"""The program, but for how long it bears devices that are gone or silent, which is longer than a test should take."""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sound server of the test's own lives: it is going to die."""
    require_virtual_devices()
    return tmp_path_factory.mktemp("own")


@contextmanager
def follows_the_default(folder: Path) -> Iterator[VirtualDevices]:
    """Virtual devices where ``default`` is whatever the sound server says, as on a desktop."""
    with run_virtual_devices(folder) as devices:
        config = folder / "asound.conf"
        lines = [line for line in config.read_text().splitlines() if not line.startswith("pcm.!default")]
        server = devices.environment["PULSE_SERVER"]
        config.write_text("\n".join([*lines, f'pcm.!default {{ type pulse server "{server}" }}', ""]))
        yield devices


def module_of(devices: VirtualDevices, argument: str) -> str:
    """The number of the sound server's module that was loaded with ``argument``."""
    lines = devices.pactl("list", "short", "modules").splitlines()
    return next(line.split("\t")[0] for line in lines if argument in line)


@contextmanager
def conversation(devices: VirtualDevices, *arguments: str, program: str = "") -> Iterator[Terminal]:
    """A voice chat on the default devices, under a terminal; the server's replies take 3 s."""
    run = ["-c", program] if program else ["-m", "realtime_cli"]
    turns = scripts.voice_turns("what time is it", ANSWER, audio_ms=3000, silence_ms=scripts.ON_DEVICES_MS)
    with ScriptedServer(turns) as server:
        command = [sys.executable, *run, "chat", "--base-url", server.url, *arguments]
        environ = {**environment(), **devices.environment, "OPENAI_API_KEY": ""}
        with Terminal(command, columns=120, environ=environ, answers=XTERM) as terminal:
            terminal.wait_until(lambda: {"listening", "ready"} & set(everything(terminal).split()), "the session")
            yield terminal


def everything(terminal: Terminal) -> str:
    return "\n".join(terminal.everything())


def end(terminal: Terminal, code: int) -> None:
    """The program ended with ``code``, gave the terminal back, and let no library write on it."""
    assert terminal.wait_for_end() == code, everything(terminal)
    assert terminal.modes() == terminal.found
    for library in ("ALSA", "PaAlsa", "PortAudio", "Expression", "Traceback"):
        assert library not in everything(terminal)


def test_a_sound_server_that_dies_in_the_middle_of_a_reply_and_returns_does_not_end_the_conversation(
    folder: Path,
) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices, "--max-turns", "2") as terminal:
        devices.play_into_mic(WORDS)
        terminal.wait_for("speaking")
        devices.process.terminate()
        devices.process.wait()
        terminal.wait_until(lambda: {SPEAKER_GONE, MIC_GONE} <= set(terminal.everything()), "both notices")
        terminal.wait_for("speaking, microphone lost")
        with run_virtual_devices(folder) as anew:
            terminal.wait_until(lambda: everything(terminal).count("now using") == 2, "both devices")
            terminal.wait_for("listening")
            anew.play_into_mic(WORDS)
            end(terminal, 0)
    assert everything(terminal).count(ANSWER) == 2
    assert everything(terminal).count("is gone") == 2


@pytest.mark.parametrize("gone", ["sink_name=spk", "source_name=mic"])
def test_a_single_device_that_is_unplugged_is_replaced_by_what_is_left(folder: Path, gone: str) -> None:
    with follows_the_default(folder) as devices, conversation(devices, "--max-turns", "1") as terminal:
        # Else a loudspeaker's monitor would take the microphone's place, and the model would hear itself.
        devices.pactl("load-module", "module-null-source", "source_name=line")
        devices.play_into_mic(WORDS)
        terminal.wait_for("speaking")
        devices.pactl("unload-module", module_of(devices, gone))
        end(terminal, 0)
        assert ANSWER in everything(terminal)
        assert "interrupted" not in everything(terminal)


def test_when_no_device_is_left_the_program_says_so_and_ends_with_5(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices, program=IMPATIENT) as terminal:
        devices.play_into_mic(WORDS)
        terminal.wait_for("speaking")
        devices.process.kill()
        end(terminal, 5)
        assert "is gone and none took its place" in everything(terminal)


def test_ctrl_c_works_while_devices_are_looked_for(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices) as terminal:
        devices.process.kill()
        terminal.wait_for("is gone; looking for it")
        terminal.send("\x03")
        end(terminal, 130)


def test_a_loudspeaker_that_stays_suspended_ends_the_program_with_5(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices, program=IMPATIENT) as terminal:
        devices.pactl("suspend-sink", "spk", "1")
        end(terminal, 5)
        assert "stands still (suspended?) and none took its place" in everything(terminal)
        assert everything(terminal).count("looking for it") == 1
        assert "now using" not in everything(terminal)


def test_a_microphone_that_falls_silent_in_mid_conversation_is_told_and_so_is_its_return(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices, program=IMPATIENT) as terminal:
        devices.play_into_mic(WORDS)
        terminal.wait_for('the microphone "default" delivers nothing but digital silence')
        terminal.wait_for("listening, microphone silent")
        speaker = threading.Thread(target=devices.play_into_mic, args=(WORDS,))
        speaker.start()
        terminal.wait_for('the microphone "default" is heard again')
        speaker.join()
        terminal.send("\x03")
        end(terminal, 130)


def test_ctrl_c_works_while_a_device_is_suspended(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices) as terminal:
        devices.play_into_mic(WORDS)
        terminal.wait_for("speaking")
        devices.pactl("suspend-sink", "spk", "1")
        devices.pactl("suspend-sink", "mic_in", "1")
        terminal.send("\x03")
        end(terminal, 130)


def test_a_microphone_that_gives_nothing_but_zeros_is_told_once(folder: Path) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices) as terminal:
        terminal.wait_for('the microphone "default" delivers nothing but digital silence')
        speaker = threading.Thread(target=devices.play_into_mic, args=(WORDS,))
        speaker.start()
        terminal.wait_for("speaking")
        speaker.join()
        terminal.send("\x03")
        end(terminal, 130)
        assert everything(terminal).count("digital silence") == 1


def test_push_to_talk_says_that_its_microphone_went_between_two_presses_and_uses_it_when_it_is_back(
    folder: Path,
) -> None:
    with run_virtual_devices(folder) as devices, conversation(devices, "--ptt", "--mic", "mic") as terminal:
        devices.pactl("unload-module", module_of(devices, "source_name=mic"))
        terminal.send(" ")
        terminal.wait_for('the microphone "mic" cannot be used')
        terminal.wait_for("opening the microphone")
        devices.pactl("load-module", "module-remap-source", "source_name=mic", "master=mic_in.monitor")
        terminal.wait_for("talking")
        terminal.send("\x03")
        end(terminal, 130)
