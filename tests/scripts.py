"""Ready scripts for :class:`tests.scripted_server.ScriptedServer`."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Mapping

from websockets.utils import accept_key

from tests.scripted_server import HttpAnswer, Raw, Script
from tests.scripted_talk import Talk

ANSWER = "Hello there, how are you?"


def text_turns(*replies: str) -> Script:
    """Answers each ``response.create`` with the next text; with the last one for ever after."""
    texts = replies or (ANSWER,)

    def script(talk: Talk) -> None:
        talk.greet()
        turn = 0
        while True:
            talk.obey_until("response.create")
            talk.reply(texts[min(turn, len(texts) - 1)])
            turn += 1

    return script


def in_turn(*scripts: Script) -> Script:
    """A script a connection, the last one for ever after."""

    def script(talk: Talk) -> None:
        scripts[min(talk.number, len(scripts) - 1)](talk)

    return script


ON_DEVICES_MS = 1000
"""The silence that ends a turn where sound comes from a device: a busy machine loses some of it, but not so much."""


def voice_turns(
    transcript: str = "what time is it", reply: str = ANSWER, audio_ms: int = 800, silence_ms: int = 300
) -> Script:
    """Voice detection by loudness; answers each turn by itself."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.hear_turn(transcript, silence_ms)
            talk.reply(reply, audio_ms=audio_ms)

    return script


def interrupted_turn(audio_ms: int = 5000, silence_ms: int = 300) -> Script:
    """A long spoken reply that the user talks into; the server cancels it and answers the interruption shortly."""

    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("tell me a story", silence_ms)
        story = talk.begin_reply()
        story.say("Once upon a time there was a king who could not sleep.", audio_ms=audio_ms)
        interruption = talk.new_id("item")
        talk.hear_speech()
        talk.send({"type": "input_audio_buffer.speech_started", "item_id": interruption, "audio_start_ms": 2000})
        story.finish("cancelled", "turn_detected")
        talk.hear_silence(silence_ms)
        talk.send({"type": "input_audio_buffer.speech_stopped", "item_id": interruption, "audio_end_ms": 3000})
        talk.commit(interruption, "stop it")
        talk.reply("All right.", audio_ms=300)
        talk.obey_until_closed()

    return script


def jittery(pauses_s: tuple[float, ...] = (0.0, 0.15, 0.05, 0.18), audio_ms: int = 4000) -> Script:
    """Spoken replies whose deltas stall on their way."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.reply(ANSWER, audio_ms=audio_ms, pauses_s=pauses_s)

    return script


def failed_response(code: str = "rate_limit_exceeded", message: str = "Rate limit reached.") -> Script:
    """The response fails, as it does when the limit or the credit is used up."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.begin_reply().fail(code, message)

    return script


def incomplete_response(reason: str = "max_output_tokens") -> Script:
    """The reply is cut off by the server."""

    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        reply = talk.begin_reply()
        reply.say("This goes on and")
        reply.finish("incomplete", reason)
        talk.obey_until_closed()

    return script


def error_then_close(code: str, close_code: int, message: str = "No.") -> Script:
    """An ``error`` as the first event, then the close: how OpenAI refuses a key or a model."""

    def script(talk: Talk) -> None:
        talk.error(code, message)
        talk.close(close_code, f"invalid_request_error.{code}")

    return script


def sends(*messages: str | bytes) -> Script:
    """Sends these as they are, whether they are events or not."""

    def script(talk: Talk) -> None:
        for message in messages:
            talk.send_raw(message)
        talk.obey_until_closed()

    return script


def closes(code: int = 1000, reason: str = "", *, after_greeting: bool = False) -> Script:
    """Closes as soon as the connection is open."""

    def script(talk: Talk) -> None:
        if after_greeting:
            talk.greet()
        talk.close(code, reason)

    return script


def silent(talk: Talk) -> None:
    """Takes everything and never says a word."""
    while True:
        talk.receive()


def refuses_everything(talk: Talk) -> None:
    """Answers the first request with an error that is a plain string, as vLLM does."""
    talk.greet()
    talk.obey_next("session.update")
    talk.receive()
    talk.send_raw(json.dumps({"type": "error", "error": "I am a teapot", "code": "teapot"}))
    talk.obey_until_closed()


def http_status(status: int, code: str = "", message: str = "") -> HttpAnswer:
    """Refuses the handshake, with the reason in OpenAI's shape."""
    body = json.dumps({"error": {"code": code, "message": message}}) if code or message else ""
    return HttpAnswer(status, body)


def redirect(location: str) -> HttpAnswer:
    """Sends the client elsewhere."""
    return HttpAnswer(302, headers={"Location": location})


def _no_handshake(client: socket.socket, stopping: threading.Event) -> None:
    client.recv(1)
    stopping.wait()


def _not_http(client: socket.socket, _stopping: threading.Event) -> None:
    client.recv(4096)
    client.sendall(b"220 mail.example.org ESMTP\r\n\r\n")


def _hangs_up(client: socket.socket, _stopping: threading.Event) -> None:
    client.recv(4096)


def deaf(heard: threading.Event) -> Raw:
    """Shakes hands and reads nothing after that, like a dead network; ``heard``: there is something to read."""

    def behave(client: socket.socket, stopping: threading.Event) -> None:
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", client.recv(4096))
        assert key
        accept = accept_key(key[1].decode())
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        client.sendall(f"{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        client.recv(1, socket.MSG_PEEK)
        heard.set()
        stopping.wait()

    return Raw(behave)


never_shakes_hands = Raw(_no_handshake)
"""Takes the connection and never answers the handshake."""

not_http = Raw(_not_http)
"""Answers the handshake with something else."""

hangs_up = Raw(_hangs_up)
"""Closes the connection in the middle of the handshake."""

READY: Mapping[str, Script | HttpAnswer | Raw] = {
    "text": text_turns(),
    "voice": voice_turns(),
    "interrupted": interrupted_turn(),
    "jitter": jittery(),
    "failed": failed_response(),
    "wrong-key": error_then_close("invalid_api_key", 3000, "Incorrect API key provided."),
    "wrong-model": error_then_close("model_not_found", 4004),
    "beta-closed": error_then_close("beta_api_shape_disabled", 4000),
    "silent": silent,
    "garbage": sends("<html>"),
    "closes": closes(),
    "http-401": http_status(401),
    "http-429": http_status(429),
    "no-handshake": never_shakes_hands,
}
"""By name, for the command line."""
