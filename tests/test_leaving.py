"""Ctrl-C at any moment: exit code 130, the terminal as it was found, and not a word from Python."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests import scripts
from tests.audio_signals import noise
from tests.pty_driver import XTERM, Terminal
from tests.running import environment
from tests.scripted_server import ScriptedServer
from tests.virtual_devices import VirtualDevices

LONG = scripts.voice_turns(audio_ms=20_000, silence_ms=scripts.ON_DEVICES_MS)


@pytest.mark.parametrize("presses", [1, 2, 3])
@pytest.mark.parametrize("moment", ["connecting", "loading engines", "listening", "speaking"])
def test_ctrl_c_gives_the_terminal_back_and_ends_with_130(
    virtual_devices: VirtualDevices, moment: str, presses: int
) -> None:
    script = scripts.never_shakes_hands if moment == "connecting" else LONG
    with nullcontext() if moment == "loading engines" else ScriptedServer(script) as server:
        where = ["--base-url", server.url] if server else ["--local"]
        command = [sys.executable, "-m", "realtime_cli", "chat", *where]
        environ = {**environment(), **virtual_devices.environment, "OPENAI_API_KEY": ""}
        with Terminal(command, columns=120, environ=environ, answers=XTERM) as terminal:
            terminal.wait_for("listening" if moment in ("listening", "speaking") else "connecting")
            if moment == "speaking":
                virtual_devices.play_into_mic(noise(0.7).tobytes())
                terminal.wait_for("speaking")
            for _ in range(presses):
                terminal.send("\x03")
            assert terminal.wait_for_end() == 130
            screen = "\n".join(terminal.everything())
            assert terminal.modes() == terminal.found
            assert not terminal.cursor_hidden
            assert terminal.raw.count(b"\x1b[?2004h") == terminal.raw.count(b"\x1b[?2004l")
            for word in ("Traceback", "ignored", "Aborted", "error"):
                assert word not in screen
