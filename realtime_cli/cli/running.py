"""Runs a command from what the command line says: its settings, its own parameters, and what becomes of its errors."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from realtime_cli.cli.command import Command
from realtime_cli.cli.printing import complain, tell_traceback
from realtime_cli.errors import INTERRUPTED_EXIT_CODE, in_words
from realtime_cli.settings.environment import load_environment
from realtime_cli.settings.sources import resolve


def run_command(command: Command, flags: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Run a command; every error is one line on stderr and an exit code, with a traceback only for ``--debug``."""
    debug = bool(flags.get("debug"))
    secrets: tuple[str, ...] = ()
    try:
        environment = load_environment()
        secrets = environment.secrets
        for notice in environment.notices:
            complain(notice)
        settings = resolve(flags, environment)
        debug = settings.debug
        module, name = command.function
        function = getattr(import_module(f"realtime_cli.cli.{module}"), name)
        return int(function(settings, environment, **values, **({"flags": flags} if command.takes_flags else {})))
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read standard output has enough.
        return 0
    except Exception as error:  # noqa: BLE001 -- the last place that can turn a bug into one line
        if debug:
            tell_traceback(error, secrets)
        shown = in_words("main", error)
        complain(shown, secrets)
        return shown.exit_code
