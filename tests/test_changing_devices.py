"""Another microphone and another loudspeaker while the conversation lasts."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests.audio_signals import noise
from tests.pty_driver import XTERM, Terminal
from tests.running import environment
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.virtual_devices import VirtualDevices


def test_devices_change_and_the_conversation_goes_on(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    heard = threading.Event()

    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("A long story.", audio_ms=60_000)
        talk.hear_speech()
        heard.set()
        talk.obey_until_closed()

    recorded = tmp_path / "played.raw"
    with ScriptedServer(script) as server:
        command = [sys.executable, "-m", "realtime_cli", "chat", "--no-aec", "--base-url", server.url]
        environ = {**environment(), **virtual_devices.environment, "OPENAI_API_KEY": ""}
        with Terminal(command, columns=120, environ=environ, answers=XTERM) as terminal:
            terminal.wait_for("listening")
            terminal.send("/devices\r")
            terminal.wait_for("loudspeaker")
            terminal.send("/mic no such thing\r")
            terminal.wait_for("the microphone stays as it is")
            terminal.send("tell me a story\r")
            terminal.wait_for("speaking")
            terminal.send("/speaker speaker\r")
            terminal.wait_for("the speaker is now: speaker")
            with virtual_devices.recording(recorded):
                terminal.wait_until(
                    lambda: recorded.exists() and bool(np.fromfile(recorded, "<i2").any()), "the story going on"
                )
            terminal.send("/mic mic\r")
            terminal.wait_for("the microphone is now: mic")
            terminal.send("\x1b")
            terminal.wait_for("● listening")
            virtual_devices.play_into_mic(noise(1.0).tobytes())
            terminal.wait_until(heard.is_set, "sound at the server")
            assert any("mic ━" in row or "mic ─" in row for row in terminal.screen())
            terminal.send("\x04")
            assert terminal.wait_for_end() == 0
