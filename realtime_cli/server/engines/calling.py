"""How the embedded model calls functions: words decide which, a grammar makes the arguments valid. Pure.

A model of this size cannot be left to decide whether to call a function: it would call any. It is good at finding the
arguments in what the user said, though, when a grammar leaves it no other choice (9 of 10 simple requests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from realtime_cli.server.engines.prompt import ChatMessage
from realtime_cli.server.engines.remembering import stems

if TYPE_CHECKING:
    from realtime_cli.server.engines.interface import Function, Message, Tools

MOST_LETTERS = 120
MOST_ENTRIES = 8
"""Bounds of a string and of a list where the schema has none: what is generated must come to an end."""

NAME_WEIGHT = 2
ENOUGH_WEIGHT = 2
"""A word of a function's name counts two, one of its description or of its parameters one; with two it is called."""

SYSTEM = "Fill in the JSON with what the user says."
EXAMPLES = (
    ('Weather in Berlin? {"city": string}', '{"city": "Berlin"}'),
    ('Set volume to 4. {"level": integer}', '{"level": 4}'),
)

_KEPT = frozenset(
    {
        *("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions"),
        *("properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
        *("minimum", "maximum", "minLength", "maxLength"),
    }
)
"""What of a JSON schema llama.cpp's grammars understand; of the rest (formats, patterns) some make them fail."""

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_FILLER = frozenset({"get", "set", "the", "func", "tool", "call", "make", "show", "user", "retu", "give"})


def chosen(messages: Sequence[Message], question: str, tools: Tools) -> Function | None:
    """The function to call now, if any. With ``auto`` one that was just called has answered the question."""
    if not tools.functions or tools.choice == "none":
        return None
    if tools.named:
        return next((one for one in tools.functions if one.name == tools.named), None)
    scores = [_score(one, question) for one in tools.functions]
    best = max(scores)
    if tools.choice == "auto" and (best < ENOUGH_WEIGHT or _answered(messages)):
        return None
    return tools.functions[scores.index(best)]


def arguments_chat(question: str, schema: Mapping[str, Any]) -> list[ChatMessage]:
    """What the model reads to find the arguments in what the user said."""
    chat = [{"role": "system", "content": SYSTEM}]
    for asked, filled in EXAMPLES:
        chat += [{"role": "user", "content": asked}, {"role": "assistant", "content": filled}]
    return [*chat, {"role": "user", "content": f"{question} {_brief(schema)}"}]


def bounded(schema: Any) -> Any:
    """The schema as a grammar can be made of it: only what is understood, and nothing that may go on for ever."""
    if isinstance(schema, list):
        return [bounded(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {name: value for name, value in schema.items() if name in _KEPT}
    for name in ("properties", "$defs", "definitions"):
        if isinstance(kept.get(name), Mapping):
            kept[name] = {key: bounded(value) for key, value in kept[name].items()}
    for name in ("items", "anyOf", "oneOf", "allOf"):
        if name in kept:
            kept[name] = bounded(kept[name])
    types = kept.get("type")
    if types == "string" and "enum" not in kept and "const" not in kept:
        kept["maxLength"] = min(int(kept.get("maxLength", MOST_LETTERS)), MOST_LETTERS)
    if types == "array":
        kept["maxItems"] = min(int(kept.get("maxItems", MOST_ENTRIES)), MOST_ENTRIES)
    return kept


def narrowed(schema: Mapping[str, Any], question: str) -> dict[str, Any]:
    """The same, but where the user named one of a parameter's choices it is that one: the model tends to the first."""
    asked = question.casefold()
    properties = dict(schema.get("properties") or {})
    for name, one in properties.items():
        choices = one.get("enum") if isinstance(one, Mapping) else None
        named = [choice for choice in choices or () if isinstance(choice, str) and choice.casefold() in asked]
        if len(named) == 1:
            properties[name] = {**one, "enum": named}
    return {**schema, "properties": properties}


def _brief(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties") or {}
    kinds = (f'"{name}": {_kind(one)}' for name, one in properties.items())
    return "{" + ", ".join(kinds) + "}"


def _kind(schema: Any) -> str:
    return str(schema.get("type", "string")) if isinstance(schema, Mapping) else "string"


def _score(function: Function, question: str) -> int:
    asked = stems(question)
    name = stems(" ".join(_WORDS.findall(function.name))) - _FILLER
    about = stems(function.description) | stems(" ".join(function.parameters.get("properties") or {}))
    return NAME_WEIGHT * len(asked & name) + len(asked & (about - name - _FILLER))


def _answered(messages: Sequence[Message]) -> bool:
    """A function's output is the last thing that was said."""
    said = [message for message in messages if message.role != "system"]
    return bool(said) and said[-1].role == "tool"
