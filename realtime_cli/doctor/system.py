"""Looks at Python, the settings' files, and the terminal."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from realtime_cli import __version__
from realtime_cli.doctor.check import Check, doubtful, good
from realtime_cli.terminal.chat_keyboard import Keyboard


def check_python() -> Check:
    """Which program this is, and on what it runs."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    return good("python", f"{version} on {_system()} ({platform.machine()}); realtime-cli {__version__}")


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def check_settings(dotenv: Path | None, config: Path | None, profile: str | None) -> Check:
    """Which files the settings come from."""
    found = [f".env: {dotenv or 'none here or above'}", f"config.toml: {config or 'none'}"]
    return good("settings", "; ".join(found + ([f"profile {profile}"] if profile else [])))


def check_terminal() -> Check:
    """What the terminal can show, and whether it tells when a key is released. Takes a second where it says nothing."""
    if not sys.stdin.isatty():
        return good("terminal", "standard input is none: no keys, so no push-to-talk")
    keyboard = Keyboard(sys.stdin)
    try:
        keyboard.open()
        hold = keyboard.reports_release
    finally:
        keyboard.close()
    keys = "push-to-talk by holding the key" if hold else "key releases are not reported: push-to-talk by tapping"
    if not sys.stdout.isatty():
        return good("terminal", f"standard output is none: plain lines; {keys}")
    return _judge_screen(keys)


def _judge_screen(keys: str) -> Check:
    from rich.console import Console

    console = Console()
    colours = (not console.no_color and console.color_system) or "no"
    finding = f"{console.width} x {console.height}, {colours} colour, {console.encoding}; {keys}"
    if console.encoding != "utf-8":
        return doubtful("terminal", f"{finding}; some signs cannot be shown", "set LC_ALL=C.UTF-8, or PYTHONUTF8=1")
    return good("terminal", finding)
