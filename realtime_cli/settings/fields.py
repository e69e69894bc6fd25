"""The settings as the command line and the documentation see them: made from their declarations."""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_origin

import msgspec
from msgspec import Meta

from realtime_cli.settings.settings import ENV_PREFIX, FolderMay, Settings


class Field(msgspec.Struct, frozen=True):
    """One setting as the command line and the documentation see it."""

    name: str
    help: str
    group: str
    short: str
    variable: str
    metavar: str
    allowed: str
    """What its values are, for messages: ``a number from 0 to 1``."""
    is_flag: bool
    default: Any

    repeatable: bool = False
    folder: FolderMay = "never"
    negatable: bool = False
    """A flag that is on by default has a ``--no-`` form."""

    @property
    def flag(self) -> str:
        """The long option."""
        return "--" + self.name.replace("_", "-")


@cache
def fields() -> tuple[Field, ...]:
    """All settings, in the order of the class."""
    return tuple(_field(field) for field in msgspec.structs.fields(Settings))


def _field(field: Any) -> Field:
    meta = next(each for each in field.type.__metadata__ if isinstance(each, Meta) and each.extra)
    extra = meta.extra or {}
    kind = field.type.__origin__
    limits = [each for each in field.type.__metadata__ if isinstance(each, Meta) and not each.extra]
    return Field(
        name=field.name,
        help=meta.description or "",
        group=extra["group"],
        short=extra.get("short", ""),
        variable=extra.get("env") or ENV_PREFIX + field.name.upper(),
        metavar=extra.get("metavar") or _metavar(kind),
        # A limited number that may not be left out has its limits beside the declaration.
        allowed=_allowed(Annotated[kind, limits[0]] if limits else kind),
        is_flag=kind is bool,
        folder=extra.get("folder", "never"),
        repeatable=get_origin(kind) is tuple,
        default=field.default,
        negatable=field.default is True,
    )


def _metavar(kind: Any) -> str:
    """What stands for the value in the help: the choices of a literal, else the type."""
    choices = [choice for each in _kinds(kind) for choice in _choices(each)]
    first = _kinds(kind)[0]
    return "|".join(choices) or {int: "N", float: "X"}.get(getattr(first, "__origin__", first), "TEXT")


def _allowed(kind: Any) -> str:
    """The values in words."""
    words = [_in_words(each) for each in _kinds(kind) if not _choices(each)]
    choices = [choice for each in _kinds(kind) for choice in _choices(each)]
    if choices:
        words.append(("one of " if len(choices) > 1 else "") + ", ".join(choices))
    return " or ".join(words)


def _kinds(kind: Any) -> list[Any]:
    """The types that a value may have, but for None."""
    kinds = kind.__args__ if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    return [each for each in kinds if each is not type(None)]


def _choices(kind: Any) -> list[str]:
    return list(kind.__args__) if get_origin(kind) is Literal else []


def _in_words(kind: Any) -> str:
    meta = next((each for each in getattr(kind, "__metadata__", ()) if isinstance(each, Meta)), Meta())
    named = {int: "a whole number", float: "a number", bool: "yes or no", str: "a text"}
    what = named.get(getattr(kind, "__origin__", kind), "texts")
    least = f"from {meta.ge:g}" if meta.ge is not None else f"above {meta.gt:g}" if meta.gt is not None else ""
    most = f"to {meta.le:g}" if meta.le is not None else "up" if least else ""
    return " ".join(word for word in (what, least, most) if word)
