"""All that is sent, and all that the scripted server says, against the official SDK's types."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.protocol.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from realtime_cli.protocol.dialects import Dialect, append_message, to_wire
from realtime_cli.protocol.items import Content, Item
from realtime_cli.protocol.session_body import session_update, transcription_session
from realtime_cli.protocol.session_options import Eagerness, NoiseReduction, RetentionRatio, SessionOptions, Vad
from tests import scripts
from tests.schema_check import check_beta_client_event, check_client_event, check_order
from tests.scripted_server import Script, ScriptedServer
from tests.wire_client import Client, connected

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "now",
    "description": "What time it is.",
    "parameters": {"type": "object", "properties": {}},
}
VADS: tuple[Vad, ...] = ("server", "semantic", "off")
NOISE: tuple[NoiseReduction | None, ...] = ("near", "far", "off", None)
EAGERNESS: tuple[Eagerness | None, ...] = ("low", "medium", "high", "auto", None)
OPTIONS = [
    SessionOptions(),
    SessionOptions(text_only=True),
    SessionOptions(instructions="", voice="marin", speed=0.25, languages=("en",), max_output_tokens="inf"),
    SessionOptions(voice="id:my own", truncation="disabled", idle_timeout_ms=5000, transcription_model="whisper-1"),
    SessionOptions(voice="voice_1", truncation=RetentionRatio(0.8), idle_timeout_ms=30000),
    SessionOptions(transcription_model="gpt-4o-transcribe", languages=("de",), keywords=("a<b", "c")),
    SessionOptions(max_output_tokens=4096, speed=1.5, reasoning="xhigh", tools=(TOOL, TOOL)),
    SessionOptions(vad_threshold=0.0, silence_ms=0, prefix_padding_ms=0, create_response=False),
    *(
        SessionOptions(vad=vad, noise_reduction=noise, eagerness=eager, transcription_model=model, create_response=True)
        for vad, noise, eager, model in itertools.product(VADS, NOISE, EAGERNESS, ("gpt-4o-mini-transcribe", None))
    ),
]
NEWER = [
    SessionOptions(
        transcription_model="gpt-transcribe", languages=("de", "en"), truncation=RetentionRatio(0.5, 20_000)
    ),
    SessionOptions(transcription_model="gpt-live-transcribe", languages=("de",), keywords=("Ada", "Ö & Co"), vad="off"),
]
"""With transcription models that the beta never knew."""

ITEMS = [
    Item(id="item_1", type="message", role="user", content=(Content(type="input_text", text="Hi"),)),
    Item(type="message", role="user", content=(Content(type="input_audio", audio="AAAA", transcript="Hi"),)),
    Item(type="message", role="assistant", content=(Content(type="output_text", text="Ho"),)),
    Item(type="message", role="system", content=(Content(type="input_text", text="Be brief."),)),
    Item(type="function_call", name="now", call_id="call_1", arguments="{}"),
    Item(type="function_call_output", call_id="call_1", output='{"time":"12:00"}'),
]
EVENTS: list[ClientEvent] = [
    InputAudioBufferAppend(audio="AAAA", event_id="event_1"),
    InputAudioBufferCommit(event_id="event_2"),
    InputAudioBufferClear(),
    *(ConversationItemCreate(item=item, previous_item_id="root") for item in ITEMS),
    ConversationItemRetrieve(item_id="item_1"),
    ConversationItemTruncate(item_id="item_1", audio_end_ms=1234),
    ConversationItemDelete(item_id="item_1"),
    ResponseCreate(),
    ResponseCreate(
        response={
            "output_modalities": ["text"],
            "audio": {"output": {"voice": "ash"}},
            "max_output_tokens": 100,
            "conversation": "none",
            "metadata": {"purpose": "title"},
            "tools": [TOOL],
            "tool_choice": "none",
            "input": [],
        }
    ),
    ResponseCancel(response_id="resp_1"),
]


def wired(event: ClientEvent, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(to_wire(event, dialect))
    return body


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_every_session_that_can_be_asked_for_is_valid_in_ga_and_beta(options: SessionOptions) -> None:
    check_client_event(wired(SessionUpdate(session=session_update(options, Dialect.GA)), Dialect.GA))
    check_beta_client_event(wired(SessionUpdate(session=session_update(options, Dialect.BETA)), Dialect.BETA))
    if options.transcription_model is not None:
        check_client_event(wired(SessionUpdate(session=transcription_session(options, Dialect.GA)), Dialect.GA))
        flat = SessionUpdate(session=transcription_session(options, Dialect.BETA))
        check_beta_client_event(wired(flat, Dialect.BETA))


@pytest.mark.parametrize("options", NEWER, ids=repr)
def test_sessions_with_newer_transcription_models_are_valid_in_ga(options: SessionOptions) -> None:
    for body in (session_update(options, Dialect.GA), transcription_session(options, Dialect.GA)):
        check_client_event(wired(SessionUpdate(session=body), Dialect.GA))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.type))
def test_every_other_event_is_valid_in_ga_and_beta(event: ClientEvent) -> None:
    check_client_event(wired(event, Dialect.GA))
    check_beta_client_event(wired(event, Dialect.BETA))


def test_the_message_written_by_hand_is_valid_too() -> None:
    check_client_event(json.loads(append_message(bytes(960))))


@pytest.mark.parametrize(
    "script",
    [scripts.text_turns(), scripts.failed_response(), scripts.incomplete_response()],
    ids=["text", "failed", "incomplete"],
)
@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_the_scripted_server_speaks_the_protocol_in_order(script: Script, beta: bool) -> None:
    with ScriptedServer(script, beta=beta) as server, connected(server.url) as client:
        client.transport.send('{"type":"response.create"}')
        while '"type": "rate_limits.updated"' not in (client.messages or [""])[-1]:
            client.wait_for(len(client.messages) + 1)
    if not beta:
        check_order(json.loads(message) for message in client.messages)


def test_the_scripted_server_reports_what_a_client_sends_amiss() -> None:
    server = ScriptedServer(scripts.text_turns())
    server.__enter__()
    with connected(server.url) as client:
        client.transport.send('{"type":"telepathy"}')
        client.join()
    with pytest.raises(AssertionError, match="unknown event type 'telepathy'"):
        server.__exit__(None, None, None)


def test_the_scripted_server_runs_as_a_process_too() -> None:
    command = [sys.executable, "-m", "tests.scripted_server", "--script", "wrong-model"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            client = Client(process.stdout.readline().strip())
            client.join()
        finally:
            process.terminate()
    assert "does not know the model" in str(client.error)
