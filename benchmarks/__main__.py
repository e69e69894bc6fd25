"""``python -m benchmarks``: every measurement in turn; each also runs alone, as ``python -m benchmarks.NAME``.

They ask for some ten minutes of a machine that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FIRST = ("startup", "latency", "jitter", "cost", "local_voice")


def names() -> list[str]:
    """The modules here that can be run, the quick ones first."""
    files = Path(__file__).parent.glob("*.py")
    found = {file.stem for file in files if "\ndef main(" in file.read_text(encoding="utf-8")}
    return [*FIRST, *sorted(found - {*FIRST, "__main__"})]


def main() -> int:
    """Run all; a failure of one is no reason to leave out the others."""
    failed = [
        name for name in names() if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
