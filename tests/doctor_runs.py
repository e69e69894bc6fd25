"""Runs of ``realtime-cli doctor``, check by check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.running import KEY, lines_of, run

MUTE = ("--mic", "none", "--speaker", "none")
"""No device is looked at."""


def checks(*arguments: str, cwd: Path | None = None, **variables: str) -> tuple[dict[str, dict[str, Any]], int]:
    """The checks of one run by name, and its exit code."""
    done = run("doctor", "--json", *arguments, cwd=cwd, **variables)
    assert done.stderr == ""
    assert KEY not in done.stdout
    lines = lines_of(done)
    assert len({line["name"] for line in lines}) == len(lines)
    return {line["name"]: line for line in lines}, done.returncode
