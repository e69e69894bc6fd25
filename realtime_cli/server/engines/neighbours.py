"""Looks for better language models that run on this machine already, at the usual ports of what serves them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping

import msgspec

PORTS: Mapping[int, str] = {11434: "Ollama", 1234: "LM Studio", 8080: "llama.cpp", 8000: "vLLM"}
"""Their documented defaults (https://ollama.com, https://lmstudio.ai, https://github.com/ggml-org/llama.cpp,
https://docs.vllm.ai)."""

MOST_S = 0.1
"""For all together: it happens before every chat with the embedded model."""

MOST_BYTES = 200_000


class Neighbour(msgspec.Struct, frozen=True):
    """A program on this machine that serves language models."""

    title: str
    url: str
    models: tuple[str, ...]

    @property
    def flags(self) -> str:
        """What to add to the command line to talk with it."""
        named = f" --lm-model {self.models[0]}" if len(self.models) > 1 else ""
        return f"--lm {self.url}{named}"

    @property
    def line(self) -> str:
        """For the user."""
        return f"{self.title} runs here with {', '.join(self.models[:3])}: {self.flags} talks with it"


def find_neighbours(ports: Mapping[int, str] = PORTS, within_s: float = MOST_S) -> list[Neighbour]:
    """Those that answer at once with the models they have. Blocks for at most about ``within_s``, usually 1 ms."""
    give_up_at = time.monotonic() + within_s
    found = (_look(port, title, give_up_at) for port, title in ports.items())
    return [neighbour for neighbour in found if neighbour is not None]


def _look(port: int, title: str, give_up_at: float) -> Neighbour | None:
    left_s = give_up_at - time.monotonic()
    if left_s <= 0:
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=left_s)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        # A program that is no model server may say anything at these ports.
        models = json.loads(response.read(MOST_BYTES))["data"] if response.status == 200 else []
        names = tuple(str(model["id"]) for model in models if isinstance(model["id"], str))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return Neighbour(title, f"http://localhost:{port}/v1", names) if names else None
