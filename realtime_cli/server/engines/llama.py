"""llama.cpp through xllamacpp (MIT): a model's weights in a file, and chat completions made of them in this process.

xllamacpp always starts llama.cpp's HTTP server, whose default is a TCP port that any local program and any web page may
use; here it gets a UNIX socket in a private folder, which is removed as soon as it is bound: nothing can connect. Where
Python has no UNIX sockets (Windows) it is a port on 127.0.0.1 that asks for a random key.
"""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

import xllamacpp

from realtime_cli.errors import ConfigError, RealtimeError, TurnError
from realtime_cli.server.engines.interface import Ended

BATCH_TOKENS = 16
"""How much of a prompt is read between two chances to cancel: 0.1 s for a model of 135M parameters on one thread. An
ordinary question fits one batch. A prompt of 400 tokens takes 4.0 s in place of the 3.1 s of batches of 64, but those
went on for up to 0.4 s when nobody wanted the reply any more, and kept the other sessions' replies waiting."""

SLOTS = 4
"""Conversations that are answered at once. Each slot remembers what it read last, and a request gets the slot that
remembers most of what it says: sessions do not push each other out, and only what is new is read."""

SAME_TALK = 0.6
"""A slot is taken for the request's own when it remembers this share of it. All begin alike: with llama.cpp's own 0.1
two sessions with instructions of some length would push each other out of one slot."""

SOCKET_PATH_LIMIT = 100
"""The shortest limit of a UNIX socket's path is 103 bytes (macOS, ``sys/un.h``)."""

_Event: TypeAlias = Mapping[str, Any] | RealtimeError | None
"""An event of the stream, what went wrong, or that nothing follows."""


class Llama:
    """One model. Any number of threads may ask; more than ``SLOTS`` wait for their turn inside llama.cpp."""

    def __init__(self, weights: Path, threads: int, context_tokens: int, *, own_template: bool) -> None:
        """Load ``weights`` (GGUF; blocks, 0.5 s for 100 MB). Raises :class:`ConfigError` when they cannot be loaded.

        ``own_template``: the chat is put into words by the template in the file, which may know of functions.
        """
        self._server: Any = _start(weights, threads, context_tokens, own_template)
        self._closed = threading.Event()
        # Closing frees the model, which may only happen when nobody is using it any more.
        self._idle = threading.Condition()
        self._running = 0

    def chat(self, request: Mapping[str, Any], cancelled: Callable[[], bool]) -> Iterator[Mapping[str, Any]]:
        """Yield the events of a streamed chat completion. Blocks between events.

        Ends within a batch (0.1 s for 135M parameters) of ``cancelled()`` becoming true, which is asked on another
        thread, and of being closed.
        Raises :class:`TurnError` when the model fails.
        """
        events: SimpleQueue[_Event] = SimpleQueue()
        dropped = threading.Event()

        def stopped() -> bool:
            return dropped.is_set() or self._closed.is_set() or cancelled()

        worker = threading.Thread(
            target=self._generate, args=(request, stopped, events), name="language-model", daemon=True
        )
        worker.start()
        try:
            while (event := events.get()) is not None:
                if isinstance(event, RealtimeError):
                    raise event
                if stopped():
                    return
                yield event
        finally:
            dropped.set()
            worker.join()

    def close(self) -> None:
        """End the running replies, free the model and end its threads. May be called twice."""
        self._closed.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._running)
            self._server = None

    def _generate(self, request: Mapping[str, Any], stopped: Callable[[], bool], events: SimpleQueue[_Event]) -> None:
        """Run one completion on its own thread: xllamacpp calls back, the events are pulled."""

        def on_chunk(chunk: dict[str, Any]) -> bool:
            """Take one event of the stream; true stops it."""
            if "error" in chunk:
                events.put(TurnError(f"the language model failed: {chunk['error'].get('message', 'no reason given')}"))
                return True
            events.put(chunk)
            return stopped()

        # With progress there are events while the prompt is being read, too: otherwise nothing could be cancelled
        # before the first token.
        body = {**request, "stream": True, "return_progress": True}
        try:
            with self._using() as server:
                if server is not None and not stopped():
                    server.handle_chat_completions(body, on_chunk)
        except RuntimeError as error:
            events.put(TurnError(f"the language model failed: {error}"))
        finally:
            events.put(None)

    def _using(self) -> _Use:
        return _Use(self)


class _Use:
    """Holds the model while it is used."""

    def __init__(self, owner: Llama) -> None:
        self._owner = owner

    def __enter__(self) -> Any:
        with self._owner._idle:
            self._owner._running += 1
            return self._owner._server

    def __exit__(self, *_: object) -> None:
        with self._owner._idle:
            self._owner._running -= 1
            self._owner._idle.notify_all()


def counted(event: Mapping[str, Any], most_tokens: int) -> Ended | None:
    """What the last event of a stream says, None for the others. ``most_tokens``: a reply of so many is whole."""
    timings = event.get("timings")
    if timings is None:
        return None
    written = int(timings["predicted_n"])
    return Ended(
        cut_off=event["choices"][0].get("finish_reason") == "length" and written < most_tokens,
        read_tokens=timings["cache_n"] + timings["prompt_n"],
        cached_tokens=timings["cache_n"],
        written_tokens=written,
    )


def _start(weights: Path, threads: int, context_tokens: int, own_template: bool) -> Any:
    """Start llama.cpp where nobody can reach it."""
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = context_tokens
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_parallel = SLOTS
    params.slot_prompt_similarity = SAME_TALK
    # All slots share the context: one long conversation may have all of it.
    params.kv_unified = True
    params.use_jinja = own_template
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
                f"the language model in {weights} cannot be loaded", "it must be a whole GGUF file"
            ) from error
