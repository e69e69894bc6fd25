"""Who may join a call from the side, with which key, how many, and by which ways."""

from __future__ import annotations

import asyncio
import json
import threading
from queue import SimpleQueue
from typing import Any

import pytest
import websocket as websocket_client
from openai import OpenAI

from realtime_cli.server.socket.admission import NotAllowed
from realtime_cli.server.webrtc.sideband import MOST_SIDEBANDS
from realtime_cli.transport.loopback import LoopbackTransport
from tests.calling import Caller, calling, comes_true
from tests.serve_requests import TOKEN, http
from tests.served_calls import VOICE, call_id, joined, on_call, side_threads
from tests.serving import Serving, serving
from tests.waiting import PATIENCE_S


def test_the_official_sdk_joins_a_call() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        def lead() -> str:
            client = OpenAI(base_url=serve.base_url, api_key="any")
            with client, client.realtime.connect(call_id=call_id(caller)) as connection:
                assert connection.recv().type == "session.created"
                connection.session.update(session={"type": "realtime", "instructions": "Speak like a pirate."})
                updated = connection.recv()
                assert updated.type == "session.updated"
                return str(getattr(updated.session, "instructions", ""))

        assert await asyncio.to_thread(lead) == "Speak like a pirate."
        assert (await caller.until("session.updated"))["session"]["instructions"] == "Speak like a pirate."

    on_call(talk)


def refused(serve: Serving, query: str, key: str) -> tuple[int, str]:
    """Status and error code of an upgrade that is not granted."""
    with pytest.raises(websocket_client.WebSocketBadStatusException) as refusal:
        serve.connect(query, header=[f"Authorization: Bearer {key}"])
    body = json.loads(refusal.value.resp_body or b"")
    return refusal.value.status_code, body["error"]["code"]


def secret(serve: Serving) -> str:
    _, made, _ = http(serve, "/v1/realtime/client_secrets", {}, Authorization=f"Bearer {TOKEN}")
    return str(made["value"])


def test_a_call_that_is_not_there_is_refused_before_the_handshake() -> None:
    with serving(**VOICE) as serve:
        assert refused(serve, "?call_id=rtc_none", "any") == (404, "call_id_not_found")
        assert refused(serve, "?call_id=", "any") == (404, "call_id_not_found")


def test_a_call_is_joined_and_hung_up_with_the_servers_key_or_the_secret_that_began_it_and_no_other() -> None:
    async def hold(serve: Serving) -> None:
        mine, other = secret(serve), secret(serve)
        async with calling(serve.base_url, key=mine) as caller, calling(serve.base_url, key=TOKEN) as plain:
            await caller.until("session.created")
            for key in (mine, TOKEN):
                async with joined(caller, serve, key) as side:
                    await side.until("session.created")
            for each in (caller, plain):
                query = f"?call_id={call_id(each)}"
                assert await asyncio.to_thread(refused, serve, query, other) == (404, "call_id_not_found")
                hangup, authorization = f"{each.location}/hangup", f"Bearer {other}"
                assert (await asyncio.to_thread(http, serve, hangup, b"", Authorization=authorization))[0] == 404
            async with joined(caller, serve, "a-wrong-key-of-the-tests") as side:
                assert await side.closed() == (3000, "invalid_request_error.invalid_api_key")
                assert side.client.events[0]["error"]["code"] == "invalid_api_key"

    with serving(token=TOKEN, **VOICE) as serve:
        asyncio.run(hold(serve))


def test_so_many_join_a_call_and_no_more() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        sides = [joined(caller, serve) for _ in range(MOST_SIDEBANDS)]
        for each in sides:
            await (await each.__aenter__()).until("session.created")
        async with joined(caller, serve) as side:
            assert await side.closed() == (1013, "invalid_request_error.sideband_limit_reached")
        await sides.pop().__aexit__(None, None, None)
        await comes_true(lambda: len(side_threads()) == len(sides))
        async with joined(caller, serve) as side:
            await side.until("session.created")
        for each in sides:
            await each.__aexit__(None, None, None)

    on_call(talk)


def test_a_call_is_joined_in_the_same_process_without_a_socket() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        got: SimpleQueue[dict[str, Any]] = SimpleQueue()
        transport = LoopbackTransport(lambda _note, _stopped: serve.calls.joining(call_id(caller)), print)
        running = threading.Thread(
            target=transport.run, args=(lambda: None, lambda text: got.put(json.loads(text))), daemon=True
        )
        running.start()
        assert (await asyncio.to_thread(got.get, True, PATIENCE_S))["type"] == "session.created"
        transport.send(json.dumps({"type": "input_audio_buffer.clear"}))
        await caller.until("input_audio_buffer.cleared")
        transport.close()
        await asyncio.to_thread(running.join, PATIENCE_S)
        caller.send("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        with pytest.raises(NotAllowed):
            serve.calls.joining("rtc_none")

    on_call(talk)
