"""The program ended at any moment, in any way: it ends, the terminal is as it was found, and its files are whole.

``SHUTDOWNS=50`` tries fifty moments instead of a handful.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import wave
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("these signals and terminals are POSIX's", allow_module_level=True)

from tests import scripts
from tests.pty_driver import XTERM, Terminal
from tests.running import ROOT, environment
from tests.scripted_server import ScriptedServer

QUESTION = str(ROOT / "examples" / "question.wav")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
MOMENTS = int(os.environ.get("SHUTDOWNS", "4"))
LONGEST_S = 3.0
"""By then the question was heard, and the answer is being spoken."""

CHANCE = random.Random(20)
AT = [(SIGNALS[number % len(SIGNALS)], round(CHANCE.uniform(0.3, LONGEST_S), 2)) for number in range(MOMENTS)]


@pytest.mark.parametrize(("signum", "after_s"), AT)
def test_at_any_moment_it_ends_and_leaves_all_in_order(signum: signal.Signals, after_s: float, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    with ScriptedServer(scripts.voice_turns(audio_ms=20_000)) as server:
        audio = ["--mic", QUESTION, "--speaker", str(voice)]
        command = [sys.executable, "-m", "realtime_cli", "chat", "--base-url", server.url, "--no-save", *audio]
        environ = {**environment(), "OPENAI_API_KEY": ""}
        with Terminal(command, columns=100, environ=environ, answers=XTERM) as terminal:
            moment = threading.Event()
            threading.Timer(after_s, moment.set).start()
            terminal.wait_until(moment.is_set, "the moment")
            terminal.signal(signum)
            ended = terminal.wait_for_end()
            if signum is signal.SIGKILL:
                assert ended == -signal.SIGKILL
            else:
                assert ended in ({130, -signal.SIGINT} if signum is signal.SIGINT else {-signum})
                assert terminal.modes() == terminal.found
                assert not terminal.cursor_hidden
                assert "Traceback" not in "\n".join(terminal.everything())
    if voice.exists() and voice.stat().st_size:
        with wave.open(str(voice)) as file:
            assert file.getframerate() == 24_000
            assert file.getnframes() * 2 <= voice.stat().st_size
