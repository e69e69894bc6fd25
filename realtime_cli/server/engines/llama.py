"""The bundled language model: SmolLM2-135M-Instruct (Apache-2.0), run by llama.cpp through xllamacpp (MIT).

It is there so that everything works at once, not to be clever. xllamacpp always starts llama.cpp's HTTP server, whose
default is a TCP port that any local program and any web page may use; here it gets a UNIX socket in a private folder,
which is removed as soon as it is bound: nothing can connect. Where Python has no UNIX sockets (Windows) it is a port on
127.0.0.1 that asks for a random key.
"""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import xllamacpp

from realtime_cli.errors import ConfigError, RealtimeError, TurnError
from realtime_cli.server.engines.interface import NO_TOOLS, Ended
from realtime_cli.server.engines.prompt import ChatMessage, primed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from realtime_cli.server.engines.interface import Message, Piece, Tools

CONTEXT_TOKENS = 4096
BATCH_TOKENS = 64
"""How much of a prompt is read between two chances to cancel: 0.2 s."""

REUSED_TOKENS = 16
"""The shortest piece of what was read before that is worth moving to its new place when old history is dropped. Without
it the rest of the history is read again: 10 s for 870 tokens, in the middle of a conversation."""

MOST_TOKENS = 200
"""A reply never gets longer, whatever is asked for: the model rambles, and this is a minute of speech."""

ENOUGH_TOKENS = 80
"""From here on a reply ends with its sentence."""

SOCKET_PATH_LIMIT = 100
"""The shortest limit of a UNIX socket's path is 103 bytes (macOS, ``sys/un.h``)."""

SAMPLING = {
    "temperature": 0,
    # "I'm a chatbot. I'm a chatbot. …": at temperature 0 a small model repeats itself, this sampler ("don't repeat
    # yourself") forbids runs of more than three tokens without touching single words, as a repeat penalty would.
    "dry_multiplier": 0.8,
    "dry_allowed_length": 3,
    "dry_penalty_last_n": 80,
}

_Event = str | Ended | RealtimeError | None
"""Text, how it ended, what went wrong, or that nothing follows."""


class SmolLM:
    """Writes one reply at a time; a second caller waits for the first reply to end."""

    def __init__(self, weights: Path, threads: int) -> None:
        """Load ``weights`` (GGUF; about 0.5 s, blocks). Raises :class:`ConfigError` when they cannot be loaded."""
        self._server: Any = _start(weights, threads)
        self._one_at_a_time = threading.Lock()
        self._closed = threading.Event()

    def warm_up(self) -> None:
        """Read the priming once, so that the first reply does not wait for it. Blocks about 0.6 s."""
        self.prepare([], NO_TOOLS, lambda: False)

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Read what a reply would begin with, and write one token that nobody sees. Blocks until it is read."""
        for _ in self.reply(messages, tools, 1, cancelled):
            pass

    def reply(
        self,
        messages: Sequence[Message],
        tools: Tools,  # noqa: ARG002
        max_tokens: int,
        cancelled: Callable[[], bool],
    ) -> Iterator[Piece]:
        """Yield the reply token by token, then how it ended; blocks between tokens, first for about 0.1 s.

        Ends within 0.25 s of ``cancelled()`` becoming true (which is asked on another thread), and of being closed.
        Raises :class:`TurnError` when the model fails.
        """
        pieces: SimpleQueue[_Event] = SimpleQueue()
        dropped = threading.Event()

        def stopped() -> bool:
            return dropped.is_set() or self._closed.is_set() or cancelled()

        worker = threading.Thread(
            target=self._generate,
            args=(primed(messages), max_tokens, stopped, pieces),
            name="language-model",
            daemon=True,
        )
        worker.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, RealtimeError):
                    raise piece
                if stopped():
                    return
                yield piece
        finally:
            dropped.set()
            worker.join()

    def close(self) -> None:
        """End the running reply, free the model and end its threads. May be called twice."""
        self._closed.set()
        with self._one_at_a_time:
            self._server = None

    def _generate(
        self, chat: list[ChatMessage], max_tokens: int, stopped: Callable[[], bool], pieces: SimpleQueue[_Event]
    ) -> None:
        """Run one completion on its own thread: xllamacpp calls back, the reply is pulled."""
        count = 0

        def on_chunk(chunk: dict[str, Any]) -> bool:
            """Take one event of the stream; true stops it."""
            nonlocal count
            if "error" in chunk:
                pieces.put(TurnError(f"the language model failed: {chunk['error'].get('message', 'no reason given')}"))
                return True
            text = _text(chunk)
            if text:
                count += 1
                pieces.put(text)
            if "timings" in chunk:
                pieces.put(_ended(chunk, max_tokens))
            return stopped() or (count >= ENOUGH_TOKENS and text.rstrip().endswith((".", "!", "?")))

        request = {
            "messages": chat,
            "max_tokens": min(max_tokens, MOST_TOKENS),
            "stream": True,
            # Events while the prompt is being read, too: otherwise nothing could be cancelled before the first token.
            "return_progress": True,
            **SAMPLING,
        }
        try:
            with self._one_at_a_time:
                if self._server is not None and not stopped():
                    self._server.handle_chat_completions(request, on_chunk)
        except RuntimeError as error:
            pieces.put(TurnError(f"the language model failed: {error}"))
        finally:
            pieces.put(None)


def _text(chunk: dict[str, Any]) -> str:
    """What one event of the stream adds to the reply."""
    choices = chunk.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def _ended(chunk: dict[str, Any], max_tokens: int) -> Ended:
    """What the last event of the stream says. A reply as long as this model's get is whole, it cannot do better."""
    timings = chunk["timings"]
    return Ended(
        cut_off=chunk["choices"][0].get("finish_reason") == "length" and max_tokens <= MOST_TOKENS,
        read_tokens=timings["cache_n"] + timings["prompt_n"],
        cached_tokens=timings["cache_n"],
        written_tokens=timings["predicted_n"],
    )


def _start(weights: Path, threads: int) -> Any:
    """Start llama.cpp where nobody can reach it."""
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = CONTEXT_TOKENS
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_parallel = 1
    params.n_cache_reuse = REUSED_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    # By default up to 8 GB of old prompts are kept.
    params.cache_ram_mib = 0
    params.api_keys = [secrets.token_hex(32)]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    params.n_threads_http = 1
    with tempfile.TemporaryDirectory(prefix="realtime-cli-") as folder:
        path = Path(folder, "llama.sock")
        if hasattr(socket, "AF_UNIX") and len(str(path)) <= SOCKET_PATH_LIMIT:
            params.hostnames = [str(path)]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(
                f"the language model in {weights} cannot be loaded", "delete this file and start again"
            ) from error
