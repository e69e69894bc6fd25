"""A language model of the user's own as a GGUF file; the embedded one's file stands for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from realtime_cli.server.engines.interface import NO_TOOLS, CallArguments, CallBegun, Ended, Function, Message, Tools
from realtime_cli.server.engines.loading import Engines
from realtime_cli.server.engines.weights import find_weights
from tests.real_engines import never, text

if TYPE_CHECKING:
    from realtime_cli.server.engines.gguf import GgufModel

WEATHER = Function(
    "get_weather",
    "The weather in a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TIME = Function("current_time", "The time of day")


@pytest.fixture(scope="module")
def model(engines: Engines) -> Iterator[GgufModel]:
    from realtime_cli.server.engines.gguf import GgufModel

    _ = engines.lm  # the weights are here
    weights = find_weights()
    assert weights is not None
    model = GgufModel(weights, 1)
    yield model
    model.close()


def test_it_answers_with_its_own_template_and_says_how_it_ended(model: GgufModel) -> None:
    pieces = list(model.reply([Message("user", "What is the capital of France?")], NO_TOOLS, 40, never))
    # How warm a model of the user's own is, is the user's: another answer each time.
    assert text(pieces).strip()
    assert isinstance(pieces[-1], Ended)
    assert pieces[-1].read_tokens


def test_a_limit_of_tokens_cuts_its_reply(model: GgufModel) -> None:
    *words, ended = model.reply([Message("user", "Tell me a long story.")], NO_TOOLS, 5, never)
    assert len(words) <= 5
    assert isinstance(ended, Ended)
    assert ended.cut_off


@pytest.mark.parametrize(
    "tools", [Tools((WEATHER, TIME), "required"), Tools((WEATHER, TIME), "required", "get_weather")]
)
def test_a_forced_call_is_valid_even_where_the_template_knows_no_functions(model: GgufModel, tools: Tools) -> None:
    begun, arguments, ended = model.reply([Message("user", "What is the weather in Paris?")], tools, 100, never)
    assert isinstance(begun, CallBegun)
    assert isinstance(arguments, CallArguments)
    assert begun.name in ("get_weather", "current_time")
    assert isinstance(json.loads(arguments.delta), dict)
    if tools.named:
        assert begun.name == "get_weather"
        assert isinstance(json.loads(arguments.delta)["city"], str)
    assert isinstance(ended, Ended)


def test_a_reply_that_is_not_wanted_any_more_ends(model: GgufModel) -> None:
    assert list(model.reply([Message("user", "Hello.")], NO_TOOLS, 40, lambda: True)) == []
