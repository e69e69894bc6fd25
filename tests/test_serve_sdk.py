"""The official Python SDK as a client of the voice server: only the base URL is another."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection, RealtimeConnection
from openai.types.realtime import RealtimeServerEvent

from tests.local_engines import Caller
from tests.schema_check import check_server_event
from tests.serving import Serving, serving
from tests.test_serve_flows import CLOCK, silence, tone
from tests.waiting import PATIENCE_S

HELLO: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}


@pytest.fixture
def serve() -> Iterator[Serving]:
    with serving(lm=Caller()) as made:
        yield made


def until(connection: RealtimeConnection, kind: str) -> Any:
    """The next event of a type, as the SDK gives it; no error may come before it."""
    for event in connection:
        check(event)
        if event.type == kind:
            return event
    raise AssertionError(f"the connection ended before {kind}")


async def until_async(connection: AsyncRealtimeConnection, kind: str) -> Any:
    async for event in connection:
        check(event)
        if event.type == kind:
            return event
    raise AssertionError(f"the connection ended before {kind}")


def check(event: RealtimeServerEvent) -> None:
    """The SDK makes its events without validating them."""
    check_server_event(event.to_dict(mode="json"))
    assert event.type != "error", event


def append(connection: RealtimeConnection, audio: bytes) -> None:
    for at in range(0, len(audio), 4800):
        connection.input_audio_buffer.append(audio=base64.b64encode(audio[at : at + 4800]).decode())


def client_of(serve: Serving) -> OpenAI:
    return OpenAI(base_url=serve.base_url, api_key="none", timeout=PATIENCE_S, max_retries=0)


def test_a_typed_conversation(serve: Serving) -> None:
    with client_of(serve) as client, client.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        for _ in range(2):
            connection.conversation.item.create(item=HELLO)
            connection.response.create()
            done = until(connection, "response.done")
            assert done.response.output[0].content[0].text == "It is late."


def test_a_spoken_conversation_with_a_transcript(serve: Serving) -> None:
    with client_of(serve) as client, client.realtime.connect(model="gpt-realtime") as connection:
        transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
        connection.session.update(session={"type": "realtime", "audio": transcription})
        append(connection, tone(1.0) + silence(1.0))
        assert until(connection, "conversation.item.input_audio_transcription.completed").transcript == "1 seconds."
        assert base64.b64decode(until(connection, "response.output_audio.delta").delta)
        done = until(connection, "response.done")
        assert done.response.output[0].content[0].transcript == "It is late."


def test_a_conversation_with_tools(serve: Serving) -> None:
    with client_of(serve) as client, client.realtime.connect(model="gpt-realtime") as connection:
        session: Any = {"type": "realtime", "output_modalities": ["text"], "tools": [CLOCK], "tool_choice": "required"}
        connection.session.update(session=session)
        connection.conversation.item.create(item=HELLO)
        connection.response.create()
        call = until(connection, "response.function_call_arguments.done")
        assert (call.name, call.arguments) == ("clock", '{"zone": "UTC"}')
        until(connection, "response.done")
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
        connection.conversation.item.create(item=output)
        connection.response.create(response={"tool_choice": "auto"})
        assert until(connection, "response.done").response.output[0].content[0].text == "It is noon."


def test_a_transcription_session(serve: Serving) -> None:
    with (
        client_of(serve) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}, model="whisper-1") as connection,
    ):
        transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
        connection.session.update(session={"type": "transcription", "audio": transcription})
        append(connection, tone(1.0) + silence(1.0))
        assert until(connection, "conversation.item.input_audio_transcription.completed").transcript == "1 seconds."


def test_a_response_beside_the_conversation(serve: Serving) -> None:
    with client_of(serve) as client, client.realtime.connect(model="gpt-realtime") as connection:
        aside: Any = {"conversation": "none", "output_modalities": ["text"], "metadata": {"topic": "mood"}}
        connection.response.create(response={**aside, "input": [HELLO]})
        done = until(connection, "response.done").response
        assert (done.conversation_id, done.metadata) == (None, {"topic": "mood"})


def test_an_interruption() -> None:
    with serving() as serve, client_of(serve) as client:
        serve.lm.gate = threading.Semaphore(5)
        with client.realtime.connect(model="gpt-realtime") as connection:
            connection.conversation.item.create(item=HELLO)
            connection.response.create()
            delta = until(connection, "response.output_audio.delta")
            append(connection, tone(0.6))
            until(connection, "input_audio_buffer.speech_started")
            connection.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=100)
            assert until(connection, "response.done").response.status == "cancelled"
            assert until(connection, "conversation.item.truncated").audio_end_ms == 100
            serve.lm.gate.release(20)
            append(connection, silence(1.0))
            assert until(connection, "response.done").response.status == "completed"


def test_an_ephemeral_key_made_by_the_sdk_opens_a_session(serve: Serving) -> None:
    with client_of(serve) as client:
        secret = client.realtime.client_secrets.create(session={"type": "realtime", "instructions": "Be brief."})
        assert [model.id for model in client.models.list()] == ["local"]
    with (
        OpenAI(base_url=serve.base_url, api_key=secret.value) as holder,
        holder.realtime.connect(model="gpt-realtime") as connection,
    ):
        assert until(connection, "session.created").session.instructions == "Be brief."


def test_the_same_with_the_asynchronous_client(serve: Serving) -> None:
    async def talk() -> None:
        async with (
            AsyncOpenAI(base_url=serve.base_url, api_key="none") as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            session: Any = {"type": "realtime", "tools": [CLOCK]}
            await connection.session.update(session=session)
            audio = base64.b64encode(tone(1.0) + silence(1.0)).decode()
            await connection.input_audio_buffer.append(audio=audio)
            await until_async(connection, "input_audio_buffer.speech_stopped")
            call = await until_async(connection, "response.function_call_arguments.done")
            await until_async(connection, "response.done")
            output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
            await connection.conversation.item.create(item=output)
            await connection.response.create()
            assert base64.b64decode((await until_async(connection, "response.output_audio.delta")).delta)
            done = await until_async(connection, "response.done")
            assert done.response.output[0].content[0].transcript == "It is noon."

    asyncio.run(asyncio.wait_for(talk(), PATIENCE_S))


def test_its_client_of_the_beta_talks_too(serve: Serving) -> None:
    address = serve.base_url.replace("http", "ws")
    with (
        OpenAI(base_url=serve.base_url, websocket_base_url=address, api_key="none") as client,
        client.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection,
    ):
        connection.session.update(session={"modalities": ["text"]})
        connection.conversation.item.create(item=HELLO)
        connection.response.create()
        for event in connection:
            assert event.type != "error", event
            if event.type == "response.text.done":
                assert event.text == "It is late."
                return
