"""One Python function as a tool: its JSON schema from type hints and docstring, and calls with checked arguments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, get_type_hints

import docstring_parser
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import JsonSchemaMode
from pydantic_core import PydanticSerializationError

from realtime_cli.conversation.tool_definitions import ToolDefinition
from realtime_cli.errors import InputError
from realtime_cli.tools.call_text import BadArguments, json_object
from realtime_cli.tools.mark import Mark, mark_of

MAX_NAME_CHARS = 64
"""As in https://platform.openai.com/docs/guides/function-calling, which allows the characters A-Z a-z 0-9 _ - only."""

MODE: JsonSchemaMode = "validation"


class FunctionTool:
    """See the module. ``origin`` is the file, for messages."""

    def __init__(self, function: Callable[..., Any], origin: str) -> None:
        """Raises InputError, naming function and parameter, when no schema can be made."""
        mark = mark_of(function) or Mark()
        self._function = function
        self._where = f"{origin}: {function.__name__}"
        self._parameters = self._inspect()
        self._adapters = {name: self._adapter(parameter) for name, parameter in self._parameters.items()}
        docs = docstring_parser.parse(inspect.getdoc(function) or "")
        self._told = {param.arg_name.lstrip("*"): param.description or "" for param in docs.params}
        self.definition = ToolDefinition(
            name=wire_name(mark.name or function.__name__),
            description="\n\n".join(part for part in (docs.short_description, docs.long_description) if part),
            parameters=self._schema(),
            asks=mark.confirm,
        )

    def call(self, arguments: str) -> Any:
        """Call the function with ``arguments``, a JSON object; of an ``async`` one the result is to be awaited.

        Raises BadArguments, and whatever the function raises.
        """
        values = self._checked(arguments)
        by_place = [
            values.pop(name)
            for name, parameter in self._parameters.items()
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and name in values
        ]
        return self._function(*by_place, **values)

    def _inspect(self) -> Mapping[str, inspect.Parameter]:
        try:
            parameters = inspect.signature(self._function).parameters
        except (NameError, TypeError, ValueError) as error:
            raise InputError(f"{self._where}: its signature cannot be read", str(error)) from error
        for name, parameter in parameters.items():
            if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                raise self._unfit(name, "the model can only fill in parameters that have names")
        return parameters

    def _adapter(self, parameter: inspect.Parameter) -> TypeAdapter[Any]:
        hint: Any = Any
        if parameter.annotation is not inspect.Parameter.empty:
            hint = self._hint(parameter)
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint)
            adapter.json_schema(mode=MODE)
        except (PydanticUserError, TypeError, NameError) as error:
            raise self._unfit(parameter.name, str(error).split(". ")[0]) from error
        return adapter

    def _hint(self, parameter: inspect.Parameter) -> Any:
        """The annotation with its strings evaluated; alone, so that the one which fails can be named."""
        alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        names = getattr(inspect.unwrap(self._function), "__globals__", {})
        try:
            return get_type_hints(alone, globalns=names, include_extras=True)[parameter.name]
        except (NameError, AttributeError, SyntaxError, TypeError) as error:
            raise self._unfit(parameter.name, str(error)) from error

    def _unfit(self, parameter: str, reason: str) -> InputError:
        return InputError(f"{self._where}: no JSON schema for parameter {parameter!r}", reason)

    def _schema(self) -> dict[str, Any]:
        schemas, shared = TypeAdapter.json_schemas([(name, MODE, it) for name, it in self._adapters.items()])
        properties = {name: self._property(name, schemas[name, MODE]) for name in self._adapters}
        required = [name for name, parameter in self._parameters.items() if parameter.default is parameter.empty]
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **shared,
        }

    def _property(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        described = {"description": self._told[name]} if self._told.get(name) and "description" not in schema else {}
        default = self._parameters[name].default
        if default is inspect.Parameter.empty:
            return {**schema, **described}
        try:
            return {**schema, **described, "default": self._adapters[name].dump_python(default, mode="json")}
        except PydanticSerializationError:
            # A default that only Python can hold: the model is told that it may leave the argument out.
            return {**schema, **described}

    def _checked(self, arguments: str) -> dict[str, Any]:
        given = json_object(arguments)
        faults = [f"there is no argument {name!r}" for name in given if name not in self._parameters]
        values: dict[str, Any] = {}
        for name, parameter in self._parameters.items():
            if name not in given:
                faults += [f"argument {name!r} is missing"] if parameter.default is parameter.empty else []
                continue
            try:
                values[name] = self._adapters[name].validate_json(json.dumps(given[name]))
            except ValidationError as error:
                faults += [_fault(name, fault) for fault in error.errors(include_url=False)]
        if faults:
            raise BadArguments("; ".join(faults))
        return values


def wire_name(name: str) -> str:
    """A name that the protocol takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:MAX_NAME_CHARS]


def _fault(name: str, fault: Any) -> str:
    place = ".".join((name, *(str(step) for step in fault["loc"])))
    return f"argument {place!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
