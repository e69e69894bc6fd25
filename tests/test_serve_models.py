"""The voice server in front of a language model by its address, and the official SDK as its client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from realtime_cli.server.engines.chat_completions import ChatCompletions
from realtime_cli.server.engines.http_calls import Service
from tests.scripted_engines import ScriptedEngine, call, delta, events, says, status
from tests.serving import Serving, serving
from tests.test_serve_flows import CLOCK
from tests.test_serve_sdk import HELLO, client_of, until

PICTURE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def other() -> Iterator[ScriptedEngine]:
    with ScriptedEngine().running() as engine:
        engine.answers = [says("Hi ", "there.")]
        yield engine


@pytest.fixture
def serve(other: ScriptedEngine) -> Iterator[Serving]:
    service = Service("the language model", other.url, "", "REALTIME_CLI_LM_KEY", 30.0)
    with serving(lm=ChatCompletions(service, "tiny")) as made:
        yield made


def test_several_calls_of_one_response_are_carried_both_ways(serve: Serving, other: ScriptedEngine) -> None:
    calls = [call(0, '{"zone": ', "c1", "clock"), call(0, '"UTC"}'), call(1, "{}", "c2", "clock")]
    other.answers = [events(*calls, delta(finish="tool_calls")), says("Noon.")]
    with client_of(serve) as client, client.realtime.connect(model="local") as connection:
        session: Any = {"type": "realtime", "output_modalities": ["text"], "tools": [CLOCK]}
        connection.session.update(session={**session, "tool_choice": "required", "parallel_tool_calls": True})
        connection.conversation.item.create(item=HELLO)
        connection.response.create()
        output = until(connection, "response.done").response.output
        assert [(item.name, item.arguments) for item in output] == [("clock", '{"zone": "UTC"}'), ("clock", "{}")]
        for number, item in enumerate(output):
            answer: Any = {"type": "function_call_output", "call_id": item.call_id, "output": f"noon {number}"}
            connection.conversation.item.create(item=answer)
        connection.response.create(response={"tool_choice": "none"})
        assert until(connection, "response.done").response.output[0].content[0].text == "Noon."
    first, second = (asked.json for asked in other.asked if asked.path.endswith("/chat/completions"))
    assert [tool["function"]["name"] for tool in first["tools"]] == ["clock"]
    assert first["tool_choice"] == "required"
    assert "tools" not in second  # not every server knows "none"
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "tool", "tool"]
    assert [message["content"] for message in second["messages"][2:]] == ["noon 0", "noon 1"]


def test_a_picture_reaches_the_model(serve: Serving, other: ScriptedEngine) -> None:
    with client_of(serve) as client, client.realtime.connect(model="local") as connection:
        content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": PICTURE}]
        item: Any = {"type": "message", "role": "user", "content": content}
        connection.conversation.item.create(item=item)
        connection.response.create(response={"output_modalities": ["text"]})
        assert until(connection, "response.done").response.status == "completed"
    (message,) = other.asked[-1].json["messages"]
    assert PICTURE in str(message["content"])


def test_a_model_that_refuses_fails_the_response_and_the_session_goes_on(serve: Serving, other: ScriptedEngine) -> None:
    other.answers = [status(401, {"error": {"message": "bad key"}}), says("Hello.")]
    with client_of(serve) as client, client.realtime.connect(model="local") as connection:
        connection.conversation.item.create(item=HELLO)
        connection.response.create(response={"output_modalities": ["text"]})
        failed = until(connection, "response.done").response
        assert (failed.status, failed.status_details.error.type) == ("failed", "server_error")
        connection.response.create(response={"output_modalities": ["text"]})
        assert until(connection, "response.done").response.output[0].content[0].text == "Hello."
