"""The decorator that marks functions for the model. Imports nothing, as every file of tools imports this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

ATTRIBUTE = "__realtime_tool__"


class Mark(NamedTuple):
    """What the decorator was told. ``name`` replaces the function's own; ``confirm``: ask the user before each call."""

    name: str | None = None
    confirm: bool = False


@overload
def tool(function: F) -> F: ...
@overload
def tool(*, name: str | None = None, confirm: bool = False) -> Callable[[F], F]: ...


def tool(function: F | None = None, *, name: str | None = None, confirm: bool = False) -> F | Callable[[F], F]:
    """Offer this function to the model; a file's other functions are then not offered.

    ``@tool`` or ``@tool(name="search", confirm=True)``. The function stays as it is.
    """

    def mark(marked: F) -> F:
        setattr(marked, ATTRIBUTE, Mark(name, confirm))
        return marked

    return mark if function is None else mark(function)


def mark_of(function: object) -> Mark | None:
    """The function's mark, if it has one."""
    mark = getattr(function, ATTRIBUTE, None)
    return mark if isinstance(mark, Mark) else None
