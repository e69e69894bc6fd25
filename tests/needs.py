"""What tests ask of the machine they run on."""

from __future__ import annotations

import os
import shutil

import pytest


def need(there: bool, what: str) -> None:
    """Skip the test where something is missing; on CI everything is installed, and the test has failed."""
    if not there and os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    if not there:
        pytest.skip(f"{what} is missing")


def need_espeak() -> None:
    """A voice for the people in the tests."""
    need(shutil.which("espeak-ng") is not None, "espeak-ng (apt-get install espeak-ng)")
