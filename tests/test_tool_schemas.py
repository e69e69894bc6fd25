"""Python functions as the model sees them: their schemas, the arguments they take, and the results they give."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field

from realtime_cli.conversation.tool_definitions import ToolOutcome
from realtime_cli.errors import InputError
from realtime_cli.tools.call_text import MAX_OUTPUT_CHARS, BadArguments, outcome_of
from realtime_cli.tools.functions import FunctionTool


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0
    colours: list[Colour] = []


@dataclasses.dataclass
class Size:
    """How large."""

    width: float


def draw(
    schema: str,
    points: list[Point],
    colour: Colour = Colour.RED,
    size: Size | None = None,
    style: Literal["thin", "thick"] = "thin",
    old: Optional[int] = None,  # noqa: UP045 -- people write it
    times: Annotated[int, Field(ge=1, description="How often.")] = 1,
    anything: Any = None,
) -> str:
    """Draw points.

    With a pen.

    Args:
        schema: The name of the drawing.
        points: Where.
        times: Not this one.
    """
    return f"{schema} {[point.x for point in points]} {colour} {size} {style} {old} {times} {anything}"


def test_a_schema_says_all_that_hints_and_docstring_say() -> None:
    definition = FunctionTool(draw, "file.py").definition
    properties, shared = definition.parameters["properties"], definition.parameters["$defs"]
    assert (definition.name, definition.description) == ("draw", "Draw points.\n\nWith a pen.")
    assert definition.parameters["required"] == ["schema", "points"]
    assert definition.parameters["additionalProperties"] is False
    assert properties["schema"] == {"type": "string", "description": "The name of the drawing."}
    assert properties["points"] == {"type": "array", "items": {"$ref": "#/$defs/Point"}, "description": "Where."}
    assert properties["colour"] == {"$ref": "#/$defs/Colour", "default": "red"}
    assert shared["Colour"]["enum"] == ["red", "blue"]
    assert shared["Point"]["required"] == ["x"]
    assert properties["size"] == {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}], "default": None}
    assert properties["style"]["enum"] == ["thin", "thick"]
    assert properties["old"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["times"] == {"type": "integer", "minimum": 1, "description": "How often.", "default": 1}


def test_arguments_arrive_as_the_types_that_the_hints_say() -> None:
    arguments = {"schema": "a", "points": [{"x": "3"}], "colour": "blue", "size": {"width": 2}, "times": 2}
    given = FunctionTool(draw, "file.py").call(json.dumps(arguments))
    assert given == "a [3] Colour.BLUE Size(width=2.0) thin None 2 None"


GOOGLE = """Look.

    Args:
        where (str): The place.
            It may be far.
        how: The way.

    Returns:
        What is seen.
    """


NUMPY = """Look.

    Parameters
    ----------
    where : str
        The place.
        It may be far.
    how
        The way.

    Returns
    -------
    str
        What is seen.
    """


SPHINX = """Look.

    :param str where: The place.
        It may be far.
    :param how: The way.
    :returns: What is seen.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["Google", "NumPy", "Sphinx"])
def test_docstrings_of_every_style_describe_parameters(docstring: str) -> None:
    def look(where: str, how: str) -> None: ...

    look.__doc__ = docstring
    definition = FunctionTool(look, "file.py").definition
    described = {name: it["description"] for name, it in definition.parameters["properties"].items()}
    assert described == {"where": "The place.\nIt may be far.", "how": "The way."}
    assert definition.description == "Look."


def test_a_function_without_hints_and_docstring_is_offered_all_the_same() -> None:
    def ping(what, *, when=3):  # type: ignore[no-untyped-def]
        return [what, when]

    tool = FunctionTool(ping, "file.py")
    assert tool.definition.for_session() == {
        "type": "function",
        "name": "ping",
        "parameters": {
            "type": "object",
            "properties": {"what": {}, "when": {"default": 3}},
            "required": ["what"],
            "additionalProperties": False,
        },
    }
    assert tool.call('{"what": {"a": 1}}') == [{"a": 1}, 3]


def test_positional_parameters_are_filled_in_by_name() -> None:
    def divide(a: int, b: int = 2, /) -> float:
        return a / b

    tool = FunctionTool(divide, "file.py")
    assert (tool.call('{"a": 8}'), tool.call('{"b": 4, "a": 8}')) == (4.0, 2.0)


def test_everything_that_is_wrong_with_arguments_is_said_at_once() -> None:
    with pytest.raises(BadArguments) as caught:
        FunctionTool(draw, "file.py").call('{"points": [{"x": "far"}], "colour": "green", "zoom": 1}')
    text = str(caught.value)
    for words in ("no argument 'zoom'", "'schema' is missing", "'points.0.x'", "'red' or 'blue'"):
        assert words in text


@pytest.mark.parametrize("arguments", ["{", "[1]", "3", "null", "[" * 100_000], ids=range(5))
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(BadArguments, match="JSON"):
        FunctionTool(draw, "file.py").call(arguments)


def unknown_type(a: int, sock: Iterator[int] | threading.Thread) -> None: ...


def unresolved(a: int, b: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def starred(a: int, *rest: int) -> None: ...


def keywords(a: int, **rest: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(unknown_type, "sock"), (unresolved, "b"), (starred, "rest"), (keywords, "rest")],
)
def test_a_schema_that_cannot_be_made_names_function_and_parameter(function: Any, parameter: str) -> None:
    with pytest.raises(InputError) as caught:
        FunctionTool(function, "my_tools.py")
    text = str(caught.value)
    assert text.startswith(f"my_tools.py: {function.__name__}: ")
    assert f"'{parameter}'" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain text", "plain text"),
        (None, "null"),
        ({"where": Path("a"), "size": 1.5}, '{"where":"a","size":1.5}'),
        (Point(x=1, colours=[Colour.RED]), '{"x":1,"y":0,"colours":["red"]}'),
        ([Size(1.0)], '[{"width":1.0}]'),
        ((number for number in (1, 2)), "[1,2]"),
        (math.nan, '"NaN"'),
        (3 + 4j, '"3+4j"'),
    ],
)
def test_results_become_text(result: object, text: str) -> None:
    assert outcome_of(result) == ToolOutcome(text)


def test_a_result_that_is_no_text_at_all_is_a_failure_that_says_so() -> None:
    outcome = outcome_of(b"\xff\xfe")
    assert outcome.failed
    assert "JSON" in json.loads(outcome.output)["error"]


def test_a_long_result_is_cut_and_says_how_long_it_was() -> None:
    output = outcome_of("x" * 1_000_000).output
    assert len(output) < MAX_OUTPUT_CHARS + 100
    assert "1000000" in output
