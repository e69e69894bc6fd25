"""Talk with a realtime voice model from a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime_cli.tools.mark import tool

__version__ = "0.1.0"
__all__ = ["__version__", "tool"]


def __getattr__(name: str) -> Any:
    """The decorator for functions that the model may call; loaded when somebody asks for it."""
    if name == "tool":
        from realtime_cli.tools.mark import tool  # the program itself starts without it

        return tool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
