"""Runs the real program as a subprocess, in an environment that holds no key and no setting of the developer's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent
KEY = "sk-test-0123456789abcdefSECRET"


def environment(**variables: str) -> dict[str, str]:
    """The environment for a run; settings and keys of whoever runs the tests are left out."""
    private = ("OPENAI", "AZURE", "XAI", "REALTIME_CLI", "SPEACHES", "DASHSCOPE", "LOCALAI")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    if cache := os.environ.get("REALTIME_CLI_CACHE_DIR"):
        kept["REALTIME_CLI_CACHE_DIR"] = cache
    return {
        **kept,
        "REALTIME_CLI_CONFIG_DIR": str(ROOT / "tests" / "none"),
        "REALTIME_CLI_SAVE": "false",
        # Whether Whisper base was fetched before must not matter.
        "REALTIME_CLI_STT": "tiny.en",
        "PYTHONWARNINGS": "error",
        "PYTHONPATH": str(ROOT),
        **variables,
    }


def run(
    *arguments: str, cwd: Path | None = None, stdin: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[str]:
    """``realtime-cli`` with these arguments, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "realtime_cli", *arguments],
        check=False,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment(**variables),
        timeout=PATIENCE_S,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON objects of ``--json``."""
    return [json.loads(line) for line in done.stdout.splitlines()]
