"""OpenAI's agents SDKs as clients of the voice server: Python's and JavaScript's, as they are."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local_engines import Caller
from tests.needs import need
from tests.serving import Serving, serving
from tests.test_serve_flows import silence, tone
from tests.waiting import PATIENCE_S

# The SDK reads it when it is imported; otherwise it reports every run to its maker.
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner

NOON = "It is noon."
JAVASCRIPT = Path(__file__).parent / "javascript"


@pytest.fixture
def serve() -> Iterator[Serving]:
    with serving(lm=Caller()) as made:
        yield made


def test_pythons_holds_a_typed_turn_with_a_tool_and_a_spoken_turn(serve: Serving) -> None:
    asked: list[str] = []

    @function_tool
    def clock(zone: str) -> str:
        """The time."""
        asked.append(zone)
        return "noon"

    async def talk() -> tuple[int, list[Any]]:
        agent = RealtimeAgent(name="Test", instructions="Be brief.", tools=[clock])
        url = f"{serve.websocket_url}?model=gpt-realtime"
        session = await RealtimeRunner(agent).run(model_config={"url": url, "api_key": "none"})
        sound, replies, history = 0, 0, []
        async with session:
            await session.send_message("What time is it?")
            async for event in session:
                assert event.type != "error", event
                if event.type == "history_updated":
                    history = event.history
                if event.type == "audio":
                    sound += len(event.audio.data)
                if event.type == "audio_end":
                    replies += 1
                    if replies == 1:
                        await session.send_audio(tone(1.0) + silence(1.0))
                if replies == 2 and len(_said(history, "user")) == 2 and _said(history, "assistant")[-1:] == [NOON]:
                    return sound, history
        raise AssertionError("the session ended")

    sound, history = asyncio.run(asyncio.wait_for(talk(), PATIENCE_S))
    assert asked == ["UTC"]
    assert _said(history, "user") == ["What time is it?", "1 seconds."]
    # Of the first reply the SDK keeps what was heard when the user began to speak.
    assert sound == 2 * len(NOON) * 4800


def _said(history: list[Any], role: str) -> list[str]:
    """What a role said, as the SDK has it; what is not yet known is left out."""
    parts = (part for item in history if item.type == "message" and item.role == role for part in item.content)
    return [words for part in parts if (words := getattr(part, "text", None) or getattr(part, "transcript", None))]


def javascript(program: str, address: str) -> str:
    """What a program prints that uses an SDK for JavaScript."""
    need(shutil.which("node") is not None, "node (apt-get install nodejs npm)")
    need((JAVASCRIPT / "node_modules").is_dir(), f"the SDKs for JavaScript (npm ci --prefix {JAVASCRIPT})")
    command = ["node", str(JAVASCRIPT / program), address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_javascripts_holds_typed_and_spoken_turns_with_a_tool_and_an_interruption(serve: Serving) -> None:
    saw = json.loads(javascript("agents.mjs", f"{serve.websocket_url}?model=gpt-realtime"))
    assert saw["errors"] == []
    assert saw["calls"] == ["UTC"]
    assert saw["heard"] == ["What time is it?", "1 seconds.", "Again."]
    # Of those that were interrupted the SDK keeps what had been heard by then.
    assert [NOON.startswith(words) for words in saw["replies"]] == [True] * 3
    assert saw["replies"][-1] == NOON
    assert saw["interrupted"] >= 1
    assert saw["audioBytes"] == 3 * len(NOON) * 4800


def test_the_official_sdk_for_javascript_holds_a_typed_turn(serve: Serving) -> None:
    assert javascript("openai.mjs", serve.base_url) == "It is late."
