"""A language model by its address: what it is asked, what its answers mean, and all the ways in which it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_cli.errors import ConfigError, TurnError
from realtime_cli.server.engines.chat_completions import ENDING, ChatCompletions, served_models
from realtime_cli.server.engines.http_calls import Refused, Service, base_url
from realtime_cli.server.engines.interface import (
    NO_TOOLS,
    CallArguments,
    CallBegun,
    Ended,
    Function,
    FunctionCall,
    Message,
    Piece,
    Tools,
)
from tests.network import closed_port
from tests.real_engines import never, text
from tests.scripted_engines import (
    Exchange,
    ScriptedEngine,
    call,
    delta,
    events,
    says,
    silent,
    status,
    whole,
)
from tests.waiting import PATIENCE_S

HELLO = (Message("user", "Hello."),)
PICTURE = "data:image/png;base64,AAAA"


@pytest.fixture
def other() -> Iterator[ScriptedEngine]:
    with ScriptedEngine().running() as engine:
        engine.answers = [says("Hi ", "there.")]
        yield engine


def model(other: ScriptedEngine, key: str = "", silence_s: float = 30.0) -> ChatCompletions:
    return ChatCompletions(Service("the language model", other.url, key, "THE_KEY", silence_s), "tiny")


def reply(lm: ChatCompletions, *messages: Message, tools: Tools = NO_TOOLS, max_tokens: int = 4096) -> list[Piece]:
    return list(lm.reply(messages or HELLO, tools, max_tokens, never))


# What is asked


def test_the_conversation_is_asked_as_a_stream_with_the_key_and_nothing_that_was_not_wished(
    other: ScriptedEngine,
) -> None:
    assert text(reply(model(other, key="secret"), Message("system", "Be brief."), *HELLO)) == "Hi there."
    (asked,) = other.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.json == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_without_a_key_none_is_sent(other: ScriptedEngine) -> None:
    reply(model(other))
    assert "Authorization" not in other.asked[0].headers


def test_tools_calls_and_their_outputs_are_carried_over(other: ScriptedEngine) -> None:
    history = (
        Message("user", "Look at both."),
        Message("assistant", "Let me see."),
        Message("assistant", calls=(FunctionCall("c1", "look", '{"at":1}'),)),
        Message("assistant", calls=(FunctionCall("c2", "look", '{"at":2}'),)),
        Message("tool", "one", call_id="c1"),
        Message("tool", "two", call_id="c2"),
    )
    schema = {"type": "object", "properties": {"at": {"type": "integer"}}}
    tools = Tools((Function("look", "Looks.", schema),), "required", "look", parallel=False)
    reply(model(other), *history, tools=tools, max_tokens=50)
    asked = other.asked[0].json
    assert asked["messages"][1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": '{"at":2}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]
    assert asked["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": schema}}
    ]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert asked["parallel_tool_calls"] is False
    assert asked["max_tokens"] == 50


def test_a_choice_of_no_function_offers_none(other: ScriptedEngine) -> None:
    reply(model(other), tools=Tools((Function("look"),), "none"))
    assert "tools" not in other.asked[0].json


def test_a_picture_goes_along_and_is_left_out_where_the_model_refuses_it(other: ScriptedEngine) -> None:
    other.answers = [status(500, {"error": {"message": "image input is not supported"}}), says("What picture?")]
    assert text(reply(model(other), Message("user", "Look.", (PICTURE,)))) == "What picture?"
    first, second = (asked.json["messages"][0]["content"] for asked in other.asked)
    assert first == [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    assert second == "Look. (a picture, which you cannot see)"


def test_a_limit_that_the_server_knows_by_another_name_is_given_by_that(other: ScriptedEngine) -> None:
    other.answers = [status(400, {"error": {"message": "use 'max_completion_tokens' instead"}}), says("Yes.")]
    assert text(reply(model(other), max_tokens=7)) == "Yes."
    assert other.asked[1].json["max_completion_tokens"] == 7
    assert "max_tokens" not in other.asked[1].json


def test_a_conversation_too_long_for_the_server_is_asked_by_its_newer_half(other: ScriptedEngine) -> None:
    other.answers = [status(400, {"error": {"message": "exceeds the context size"}}), says("Yes.")]
    turns = [Message("assistant" if n % 2 else "user", str(n)) for n in range(9)]
    reply(model(other), Message("system", "Be brief."), *turns)
    assert [one["content"] for one in other.asked[1].json["messages"]] == ["Be brief.", "6", "7", "8"]


def test_the_only_model_of_a_server_need_not_be_named(other: ScriptedEngine) -> None:
    other.answers = [whole(b'{"data": [{"id": "the-one"}]}'), says("Yes.")]
    lm = ChatCompletions(Service("the language model", other.url))
    assert text(reply(lm)) == text(reply(lm)) == "Yes."
    assert [asked.path for asked in other.asked] == ["/v1/models", "/v1/chat/completions", "/v1/chat/completions"]
    assert other.asked[1].json["model"] == "the-one"


def test_of_several_models_one_must_be_named(other: ScriptedEngine) -> None:
    other.answers = [whole(b'{"data": [{"id": "a"}, {"id": "b"}]}')]
    assert served_models(Service("the language model", other.url)) == ["a", "b"]
    with pytest.raises(TurnError, match="a, b: choose one with --lm-model"):
        reply(ChatCompletions(Service("the language model", other.url)))


# What the answers mean


def test_calls_come_out_one_after_the_other_even_if_the_server_mixes_them(other: ScriptedEngine) -> None:
    other.answers = [
        events(
            delta("One moment."),
            call(0, '{"a":', "c1", "first"),
            call(1, '{"b":', "c2", "second"),
            call(0, "1}"),
            call(1, "2}"),
            delta(finish="tool_calls"),
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
        )
    ]
    assert reply(model(other)) == [
        "One moment.",
        CallBegun("c1", "first"),
        CallArguments('{"a":'),
        CallArguments("1}"),
        CallBegun("c2", "second"),
        CallArguments('{"b":2}'),
        Ended(read_tokens=9, written_tokens=4),
    ]


def test_calls_that_all_have_the_same_number_are_told_apart_by_their_id(other: ScriptedEngine) -> None:
    other.answers = [events(call(0, "{}", "c1", "one"), call(0, "{}", "c2", "two"), delta(finish="tool_calls"))]
    begun = [piece for piece in reply(model(other)) if isinstance(piece, CallBegun)]
    assert begun == [CallBegun("c1", "one"), CallBegun("c2", "two")]


def test_a_call_without_id_gets_one(other: ScriptedEngine) -> None:
    other.answers = [events(call(0, "{}", name="one"), delta(finish="tool_calls"))]
    (begun,) = [piece for piece in reply(model(other)) if isinstance(piece, CallBegun)]
    assert begun.call_id.startswith("call_")


def test_a_reply_that_was_cut_off_by_the_limit_says_so(other: ScriptedEngine) -> None:
    other.answers = [events(delta("Once upon"), delta(finish="length"))]
    assert reply(model(other), max_tokens=2)[-1] == Ended(cut_off=True)


@pytest.mark.parametrize(
    "pieces", [["<think>Hm, ", "well.</think>", "\nYes."], ["<th", "ink>a</th", "ink>Yes."], ["Yes."], ["  ", "Yes."]]
)
def test_what_a_model_thinks_is_not_said(other: ScriptedEngine, pieces: list[str]) -> None:
    other.answers = [says(*pieces)]
    assert text(reply(model(other))).strip() == "Yes."


def test_words_that_only_look_like_a_thought_are_said(other: ScriptedEngine) -> None:
    other.answers = [says("<", "3 is a heart")]
    assert text(reply(model(other))) == "<3 is a heart"


def test_an_answer_that_is_not_streamed_is_understood(other: ScriptedEngine) -> None:
    answer = {"choices": [{"message": {"content": "All at once."}, "finish_reason": "stop"}]}
    other.answers = [whole(json.dumps(answer).encode())]
    assert text(reply(model(other))) == "All at once."


def test_comments_and_names_of_events_are_no_part_of_the_reply(other: ScriptedEngine) -> None:
    other.answers = [events(b": ping\n\nevent: message\n", delta("Yes."), delta(finish="stop"))]
    assert text(reply(model(other))) == "Yes."


# Failures


def cut(exchange: Exchange) -> None:
    """The connection ends; nothing more is said."""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (status(401, {"error": {"message": "bad key"}}), r"answered 401 \(bad key\): put its key into THE_KEY"),
        (status(429, {"error": "busy"}), r"answered 429 \(busy\): it has too much to do"),
        (status(404, b"<html>no</html>"), r"answered 404: check the address, and the model's name"),
        (status(503, b"down"), r"answered 503 \(down\)"),
        (status(302, Location="http://elsewhere.invalid/"), "answered 302: name the address"),
        (whole(b"<html>Welcome</html>", "text/html"), "no chat completion"),
        (whole(b"[1, 2]"), "no chat completion"),
        (events({"choices": [7]}), "no chat completion"),
        (events(b"data: {broken\n\n"), "no chat completion"),
        (events(delta("It is"), {"error": {"message": "out of memory"}}), "out of memory"),
        (events(delta("It is"), then=cut), "broke off"),
        (events(delta("It is"), done=False), "broke off"),
        (cut, "broke off"),
    ],
)
def test_every_failure_is_one_line_that_says_which_server_and_why(
    other: ScriptedEngine, answer: Any, told: str
) -> None:
    other.answers = [answer]
    with pytest.raises(TurnError, match=told) as failure:
        reply(model(other))
    assert str(failure.value).startswith("the language model at 127.0.0.1:")


def test_what_came_before_the_failure_was_given(other: ScriptedEngine) -> None:
    other.answers = [events(delta("It is "), delta("nearly"), then=cut)]
    pieces = model(other).reply(HELLO, NO_TOOLS, 4096, never)
    assert [next(pieces), next(pieces)] == ["It is ", "nearly"]
    with pytest.raises(TurnError):
        next(pieces)


def test_a_server_that_is_not_there_is_a_failure() -> None:
    with closed_port() as port, pytest.raises(TurnError, match="cannot be reached: start it, or check the address"):
        reply(ChatCompletions(Service("the language model", f"http://127.0.0.1:{port}/v1"), "tiny"))


def test_a_server_that_says_nothing_is_given_up(other: ScriptedEngine) -> None:
    other.answers = [silent]
    with pytest.raises(TurnError, match="does not answer"):
        reply(model(other, silence_s=0.1))


def test_a_key_that_is_wrong_names_its_variable(other: ScriptedEngine) -> None:
    other.answers = [status(401)]
    with pytest.raises(Refused, match="answered 401: check its key in THE_KEY"):
        reply(model(other, key="secret"))


def test_after_a_failure_the_next_reply_is_whole(other: ScriptedEngine) -> None:
    other.answers = [status(429), says("Yes.")]
    lm = model(other)
    with pytest.raises(TurnError):
        reply(lm)
    assert text(reply(lm)) == "Yes."


@pytest.mark.parametrize("answer", [silent, events(delta("Once"), then=silent)])
def test_a_reply_that_is_given_up_closes_the_connection_so_that_the_server_stops(
    other: ScriptedEngine, answer: Any
) -> None:
    other.answers = [answer]
    stop = threading.Event()
    lm = model(other)
    pieces = lm.reply(HELLO, NO_TOOLS, 4096, stop.is_set)
    if answer is not silent:
        assert next(pieces) == "Once"
    stop.set()
    assert list(pieces) == []
    if answer is not silent:
        assert other.client_gone.wait(PATIENCE_S)


def test_closing_the_model_ends_its_replies(other: ScriptedEngine) -> None:
    other.answers = [events(delta("Once"), then=silent)]
    lm = model(other)
    pieces = lm.reply(HELLO, NO_TOOLS, 4096, never)
    next(pieces)
    lm.close()
    assert list(pieces) == []


# Addresses


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("localhost:11434", "http://localhost:11434/v1"),
        ("https://models.example/api/v1/chat/completions", "https://models.example/api/v1"),
        ("https://models.example/openai", "https://models.example/openai"),
    ],
)
def test_an_address_may_be_given_in_any_usual_way(given: str, meant: str) -> None:
    assert base_url(given, ENDING, "", "the language model") == meant


@pytest.mark.parametrize("given", ["ftp://localhost/v1", "http://", "http://user:word@host/v1", "http://host/v1?a=b"])
def test_what_is_no_such_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="no address of the language model"):
        base_url(given, ENDING, "", "the language model")


def test_a_key_does_not_cross_a_network_unencrypted() -> None:
    with pytest.raises(ConfigError, match=r"unencrypted to models\.example: use https"):
        base_url("http://models.example/v1", ENDING, "secret", "the language model")
    assert base_url("http://127.0.0.1:1234/v1", ENDING, "secret", "the language model")
