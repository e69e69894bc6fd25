"""Loading the engines: which, when and how often, and what is said where something is missing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.errors import ConfigError
from realtime_cli.server.engines import optional_packages as parts
from realtime_cli.server.engines.canned import CannedAnswers
from realtime_cli.server.engines.interface import NO_TOOLS, Message
from realtime_cli.server.engines.loading import Engines, Loaders, load_engines
from tests.real_engines import never, text
from tests.running import ROOT


def test_no_part_is_missing_where_all_are_installed(engines: Engines) -> None:
    assert parts.missing_parts() == []


def test_missing_parts_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PACKAGES", ("json", "no_such_package"))
    assert parts.missing_parts() == ["no_such_package"]
    with pytest.raises(ConfigError, match=r"no_such_package.*pip install 'realtime-voice-cli\[local\]'"):
        load_engines()


def heavy_imports_after(script: str) -> str:
    """Which of the engines' libraries are loaded once ``script`` has run in a Python of its own."""
    heavy = "('numpy', 'onnxruntime', 'ctranslate2', 'hibari', 'xllamacpp')"
    script += f"\nimport sys; print(*(name for name in {heavy} if name in sys.modules))"
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_asking_for_missing_parts_imports_none_of_the_heavy_ones() -> None:
    script = """
from realtime_cli.server.engines.loading import load_engines
from realtime_cli.server.engines.optional_packages import missing_parts
missing_parts()
"""
    assert heavy_imports_after(script) == ""


def test_a_text_session_loads_the_language_model_and_nothing_else(engines: Engines) -> None:
    script = """
from realtime_cli.server.engines.loading import load_engines
with load_engines(speech=False) as engines:
    engines.lm
"""
    assert heavy_imports_after(script) == "xllamacpp"


def loaders_of(**known: Callable[[], Any]) -> Loaders:
    """Loaders of which only the ``known`` ones may be called."""

    def unexpected() -> Any:
        pytest.fail("this engine was not asked for")

    names = ("voice_activity", "speech_to_text", "language_model", "text_to_speech")
    return Loaders(**{name: known.get(name, unexpected) for name in names})


def test_an_engine_is_loaded_once_however_many_threads_ask() -> None:
    together = threading.Barrier(8)
    made: list[CannedAnswers] = []

    def make() -> CannedAnswers:
        made.append(CannedAnswers())
        return made[-1]

    with Engines(loaders_of(language_model=make)) as loaded, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lambda: (together.wait(), loaded.lm)[1]) for _ in range(8)]
        found = [future.result() for future in asked]
    assert len(made) == 1
    assert found == made * 8


def test_an_engine_that_cannot_be_loaded_says_so_to_everyone_who_asks() -> None:
    def fail() -> Any:
        raise ConfigError("no model here")

    with Engines(loaders_of(language_model=fail)) as engines:
        for _ in range(2):
            with pytest.raises(ConfigError, match="no model here"):
                _ = engines.lm


def test_closing_ends_a_load_that_watches_for_it() -> None:
    closing, begun = threading.Event(), threading.Event()

    def endless() -> Any:
        begun.set()
        closing.wait()
        raise ConfigError("closed")

    before = set(threading.enumerate())
    engines = Engines(loaders_of(language_model=endless), closing)
    engines.prefetch(speech=False)
    begun.wait()
    assert not set(threading.enumerate()) <= before
    engines.close()
    assert set(threading.enumerate()) <= before


def test_without_weights_set_answers_stand_in_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_CLI_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "nowhere")
    notices: list[str] = []
    with load_engines(notices.append, speech=False) as offline:
        answer = text(offline.lm.reply([Message("user", "Hello!")], NO_TOOLS, 200, never))
    assert "language model is not on this computer yet" in answer
    assert notices == ["the language model is not here: set answers stand in for it"]
