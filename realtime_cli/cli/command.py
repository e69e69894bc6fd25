"""What a command is to the command line, and how it declares options that are no settings."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import msgspec
from typer import Option

REQUIRED = inspect.Parameter.empty
"""The default of an argument that has to be given."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command as the command line knows it.

    The function that runs it takes the resolved settings, the environment, and the command's own parameters by name,
    and returns the exit code.
    """

    name: str
    """As it is typed; ``config show`` is ``show`` in the group ``config``."""
    help: str
    examples: tuple[str, ...]
    """Command lines that work as written, without the program's name."""
    own: tuple[inspect.Parameter, ...] = ()
    groups: tuple[str, ...] = ()
    """The groups of settings it takes, in the order of its help."""
    also: tuple[str, ...] = ()
    """Single settings of other groups."""
    without: tuple[str, ...] = ()
    """Settings of its groups that it does not take."""
    listed: tuple[str, ...] = ()
    """The settings that its help lists where it takes more than concern it at first; empty: all."""
    more: str = ""
    """A word below the options."""
    runs: str = ""
    """The module and the function that run it, where they are not called what it is: ``playback.play``."""
    takes_flags: bool = False
    """Its function also gets ``flags``: what the command line alone says of the settings."""

    @property
    def function(self) -> tuple[str, str]:
        """The module in this package and the function in it: ``config show`` is ``show`` in ``config``."""
        if self.runs:
            module, _, function = self.runs.partition(".")
            return module, function
        module, _, function = self.name.partition(" ")
        return module, function or "run"


def own_option(name: str, kind: Any, declared: Any, default: Any = None) -> inspect.Parameter:
    """An option or argument that one command has and that is no setting, by its declaration to Typer."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared]
    )


def own_flag(name: str, *names: str, help: str) -> inspect.Parameter:
    """One that is on or off."""
    return own_option(name, bool, Option(*names, help=help, show_default=False), False)
