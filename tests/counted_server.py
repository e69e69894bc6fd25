"""A voice server in a process of its own, which tells what it holds: ``python -m tests.counted_server``.

It prints its port, then for each line that comes one JSON object, and ends with its input.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from tests.calling import Noise, Whistler
from tests.local_engines import Reciter
from tests.serving import serving

SHARED = ("load-engine", "call-encoder")
"""Threads that engines and encoders have for all calls: they begin when there is work for them."""

OF_A_CALL = ("Call", "Connection", "ServerCore", "Sideband", "SocketSession", "RTCPeerConnection", "RTCSctpTransport")


def held() -> dict[str, Any]:
    """Threads, open descriptors, how many objects of a call there are, and memory in kB."""
    gc.collect()
    types = Counter(type(each).__name__ for each in gc.get_objects())
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return {
        "threads": sorted(each.name for each in threading.enumerate() if not each.name.startswith(SHARED)),
        "descriptors": len(tuple(Path("/proc/self/fd").iterdir())),
        "objects": {name: types[name] for name in OF_A_CALL},
        "memory_kb": int(status["VmRSS"].split()[0]),
    }


def main() -> None:
    with serving(lm=Reciter(("Yes, ", "it is.")), tts=Whistler(), vad=Noise) as serve:
        sys.stdout.write(f"{serve.server.port}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(json.dumps({**held(), "sessions": serve.server.sessions}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
