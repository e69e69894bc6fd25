"""Which view the flags and the terminal ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from realtime_cli.audio.core.meters import Meters
from realtime_cli.controls import Controls
from realtime_cli.errors import InputError
from realtime_cli.ports import View
from realtime_cli.settings.settings import Settings
from realtime_cli.view.jsonl import JsonView
from realtime_cli.view.plain import PlainView
from realtime_cli.view.quiet import QuietView
from realtime_cli.view.screen import is_screen
from realtime_cli.view.stats import StatsView


def choose_view(
    settings: Settings,
    *,
    streaming: bool,
    interactive: bool = False,
    echo_user: bool = True,
    controls: Callable[[], Controls] = Controls,
    meters: Meters | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> View:
    """The live view on a terminal, else the plain one, unless a flag names another.

    ``streaming`` (typed and recorded turns): replies are written as they come, which needs no live view unless
    somebody is to write further turns (``interactive``).
    ``echo_user``: show what the user said, if not typed just now. ``controls`` and ``meters`` are for the live
    view's status line.
    ``out`` and ``err`` default to the program's own. Raises InputError for flags that exclude each other.
    """
    named = [flag for flag in ("plain", "json", "quiet") if getattr(settings, flag)]
    if len(named) > 1:
        raise InputError(" and ".join(f"--{flag}" for flag in named) + " exclude each other", "give one of them")
    out, err = out or sys.stdout, err or sys.stderr
    if settings.speaker == "-":
        if settings.json:
            raise InputError("--json and --speaker - both need standard output", "name a .wav file for --speaker")
        # Standard output is the loudspeaker.
        out = err
    if settings.json:
        view: View = JsonView(out.buffer)
    elif settings.quiet:
        view = QuietView(out, err, streaming=streaming)
    elif is_live(settings, streaming=streaming and not interactive, out=out, err=err, environ=environ):
        view = _live(settings, out, err, environ, controls, meters)
    else:
        view = PlainView(out, err, streaming=streaming, echo_user=echo_user)
    if not settings.stats:
        return view
    tells_notices = not (settings.json or settings.quiet)
    return StatsView(view, None if tells_notices else err)


def is_live(
    settings: Settings,
    *,
    streaming: bool,
    out: TextIO | None = None,
    err: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> bool:
    """Whether :func:`choose_view` would choose the live view."""
    if settings.plain or settings.json or settings.quiet or streaming:
        return False
    err = err or sys.stderr
    return is_screen(err if settings.speaker == "-" else out or sys.stdout, environ) and is_screen(err, environ)


def _live(
    settings: Settings,
    out: TextIO,
    err: TextIO,
    environ: Mapping[str, str],
    controls: Callable[[], Controls],
    meters: Meters | None,
) -> View:
    # rich takes 20 ms to import, which only this view needs.
    from rich.console import Console

    from realtime_cli.view.live import NO_METERS, LiveView
    from realtime_cli.view.right_to_left import orders

    console = Console(file=out, no_color=bool(environ.get("NO_COLOR")), highlight=False, emoji=False, markup=False)
    if console.legacy_windows:
        return PlainView(out, err, streaming=False)
    return LiveView(console, environ, controls, meters=meters or NO_METERS, orders=orders(settings.bidi, environ))
