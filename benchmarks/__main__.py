"""``python -m benchmarks``: every measurement in turn; each also runs alone, as ``python -m benchmarks.NAME``.

They ask for some ten minutes of a machine that does nothing else. ``--peer 'COMMAND'`` measures another client beside
this program, in the same run and on the same devices, where that makes sense: it is started with the address of the
server in ``OPENAI_BASE_URL`` and any key in ``OPENAI_API_KEY``, and is to hold a spoken conversation on the default
devices until it is ended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FIRST = ("startup", "latency", "jitter", "cost", "local_voice")
WITH_PEER = ("latency", "jitter", "cost")


def names() -> list[str]:
    """The modules here that can be run, the quick ones first."""
    here = Path(__file__).parent
    files = {file.stem: file for file in here.glob("*.py")} | {
        file.parent.name: file for file in here.glob("*/__main__.py")
    }
    found = {name for name, file in files.items() if "\ndef main(" in file.read_text(encoding="utf-8")}
    return [*FIRST, *sorted(found - {*FIRST, "__main__"})]


def main() -> int:
    """Run all; a failure of one is no reason to leave out the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Every measurement in turn.")
    parser.add_argument("--peer", default="", metavar="COMMAND", help="another client, measured beside this program")
    peer = parser.parse_args().peer
    failed = []
    for name in names():
        options = ["--peer", peer] if peer and name in WITH_PEER else []
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
