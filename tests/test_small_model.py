"""What helps a very small model: what it is reminded of, which function it calls, and where its reply ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.server.engines.calling import bounded, chosen
from realtime_cli.server.engines.interface import (
    CallArguments,
    CallBegun,
    Function,
    FunctionCall,
    Message,
    Piece,
    Tools,
)
from realtime_cli.server.engines.loading import Engines
from realtime_cli.server.engines.prompt import primed
from realtime_cli.server.engines.remembering import recalled, refers_back
from realtime_cli.server.engines.repetition import RepetitionGuard
from tests.real_engines import never, text

if TYPE_CHECKING:
    from realtime_cli.server.engines.small_model import SmolLM

# What it is reminded of

TOLD = ("My name is Anna and I live in Rome.", "What is the capital of France?", "I like apples. My dog is called Rex.")


@pytest.mark.parametrize(
    ("question", "facts"),
    [
        ("What is my dog called?", ["My name is Anna and I live in Rome.", "My dog is called Rex."]),
        ("Where do I live?", ["My name is Anna and I live in Rome."]),
        ("Which fruit do I like?", ["I like apples."]),
        ("What is the capital of Spain?", []),
        ("Tell me about dogs.", []),
    ],
)
def test_what_the_user_told_of_themselves_is_recalled_when_they_ask_for_it(question: str, facts: list[str]) -> None:
    assert recalled(TOLD, question) == facts


@pytest.mark.parametrize(
    ("question", "before", "refers"),
    [
        ("And of Italy?", "Paris.", True),
        ("Why?", "Because.", True),
        ("How old is he?", "Tom is a cat.", True),
        ("What did you say?", "Paris.", True),
        ("Green.", "Which colour do you like?", True),
        ("What is the capital of Italy?", "Paris.", False),
        ("Which animal is the largest on earth?", "How can I help you?", False),
    ],
)
def test_the_turn_before_is_read_only_when_the_question_refers_to_it(question: str, before: str, refers: bool) -> None:
    assert refers_back(question, before) is refers


def test_the_answer_of_a_function_is_read_with_the_question() -> None:
    chat = primed([Message("user", "What is the weather in Paris?"), Message("tool", '{"sky": "grey"}', call_id="c")])
    assert "What is the weather in Paris?" in chat[-1]["content"]
    assert "grey" in chat[-1]["content"]


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=3000))))
def test_whatever_was_said_the_prompt_is_small_and_ends_with_the_user(said: list[tuple[Any, str]]) -> None:
    chat = primed([Message(role, words) for role, words in said])
    assert chat[-1]["role"] == "user"
    assert sum(len(one["content"].encode()) + 8 for one in chat) < 3800


# Where its reply ends


def watched(*tokens: str) -> str:
    guard = RepetitionGuard()
    return "".join(guard.feed(token) for token in tokens) + guard.flush()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("I'm here. I'm here. I'm here.", "I'm here."),
        ("I'm glad. I'm here. I'm glad.", "I'm glad. I'm here."),
        ("One, two, three, four, five.", "One, two, three, four, five."),
        ("No, no, no. That is wrong.", "No, no, no. That is wrong."),
        ("It is a cat. It is a cat that purrs.", "It is a cat. It is a cat that purrs."),
    ],
)
def test_a_sentence_is_said_once(written: str, said: str) -> None:
    tokens = written.replace(" ", "| ").split("|")
    assert watched(*tokens).strip() == said
    assert watched(*written).strip() == said


def test_a_reply_that_goes_in_circles_ends() -> None:
    guard = RepetitionGuard()
    given_out = [guard.feed(" forever,") for _ in range(20)]
    assert guard.looping
    assert sum(map(bool, given_out)) <= 4


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=20))
def test_what_is_said_is_the_beginning_of_what_was_written(tokens: list[str]) -> None:
    assert "".join(tokens).startswith(watched(*tokens))


# Which function it calls

WEATHER = Function(
    "get_weather",
    "The weather in a city now",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
LIGHTS = Function(
    "switch_lights",
    "Turn the lights of a room on or off",
    {
        "type": "object",
        "properties": {"room": {"type": "string", "enum": ["kitchen", "bedroom"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
    },
)
TIME = Function("current_time", "The time of day")


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What is the weather like in Paris?", "get_weather"),
        ("Turn on the lights in the bedroom, please.", "switch_lights"),
        ("What time is it?", "current_time"),
        ("What is the capital of France?", None),
        ("Hello, how are you?", None),
        ("Tell me a story.", None),
    ],
)
def test_a_function_is_called_when_the_question_is_about_it(question: str, name: str | None) -> None:
    found = chosen([Message("user", question)], question, Tools((WEATHER, LIGHTS, TIME)))
    assert (found.name if found else None) == name


def test_a_choice_is_obeyed() -> None:
    asked = [Message("user", "Hello.")]
    assert chosen(asked, "Hello.", Tools((WEATHER, LIGHTS), "none")) is None
    assert chosen(asked, "Hello.", Tools((WEATHER, LIGHTS), "required")) is not None
    assert chosen(asked, "Hello.", Tools((WEATHER, LIGHTS), "required", "switch_lights")) is LIGHTS


def test_a_function_that_has_answered_is_not_called_again() -> None:
    question = "What is the weather like in Paris?"
    said = [Message("user", question), Message("tool", "sunny", call_id="c1")]
    assert chosen(said, question, Tools((WEATHER,))) is None


def test_a_schema_is_bounded_all_the_way_down() -> None:
    words = {"type": "string", "format": "email", "pattern": "^.+$"}
    schema = {"type": "object", "title": "X", "properties": {"to": {"type": "array", "items": words}}}
    assert bounded(schema) == {
        "type": "object",
        "properties": {"to": {"type": "array", "items": {"type": "string", "maxLength": 120}, "maxItems": 8}},
    }


@pytest.fixture
def mind(engines: Engines) -> SmolLM:
    from realtime_cli.server.engines.small_model import SmolLM

    assert isinstance(engines.lm, SmolLM)
    return engines.lm


def called(pieces: list[Piece]) -> tuple[str, Any]:
    """The one call in a reply."""
    (begun,) = [piece for piece in pieces if isinstance(piece, CallBegun)]
    arguments = "".join(piece.delta for piece in pieces if isinstance(piece, CallArguments))
    return begun.name, json.loads(arguments)


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("What is the weather like in Paris?", ("get_weather", {"city": "Paris"})),
        ("Turn on the lights in the bedroom, please.", ("switch_lights", {"room": "bedroom", "on": True})),
        ("What time is it?", ("current_time", {})),
    ],
)
def test_the_arguments_are_what_the_user_said(mind: SmolLM, said: str, call: tuple[str, Any]) -> None:
    pieces = list(mind.reply([Message("user", said)], Tools((WEATHER, LIGHTS, TIME)), 200, never))
    assert called(pieces) == call


def test_a_forced_call_is_valid_whatever_was_said(mind: SmolLM) -> None:
    pieces = list(mind.reply([Message("user", "I feel sad.")], Tools((LIGHTS,), "required"), 200, never))
    name, arguments = called(pieces)
    assert name == "switch_lights"
    assert arguments["room"] in ("kitchen", "bedroom")
    assert isinstance(arguments["on"], bool)


def test_what_a_function_returned_is_said(mind: SmolLM) -> None:
    said = [
        Message("user", "What is the weather like in Paris?"),
        Message("assistant", calls=(FunctionCall("c", "get_weather", "{}"),)),
        Message("tool", "It is raining.", call_id="c"),
    ]
    assert "rain" in text(mind.reply(said, Tools((WEATHER,)), 200, never))
