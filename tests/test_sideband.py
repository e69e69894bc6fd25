"""A second client of a call: what it gets, what it may send, who may join, and what becomes of it and of the call."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import Any

import pytest
import websocket as websocket_client
from openai import OpenAI

from realtime_cli.server.connection import Ending
from realtime_cli.server.socket.admission import NotAllowed
from realtime_cli.server.webrtc import sideband as sideband_module
from realtime_cli.server.webrtc.client_messages import ClientMessages
from realtime_cli.server.webrtc.sideband import MOST_SIDEBANDS, Sideband, Sidebands
from realtime_cli.transport.loopback import LoopbackTransport
from tests.calling import Caller, Noise, Whistler, calling, comes_true, post
from tests.local_engines import Caller as CallsFunctions
from tests.local_engines import Reciter
from tests.serving import Client, Serving, serving
from tests.waiting import PATIENCE_S

TOKEN = "a-token-of-the-tests-0123456789"
VOICE: dict[str, Any] = {"tts": Whistler(), "vad": Noise}
Talk = Callable[[Caller, Serving], Coroutine[Any, Any, None]]


def on_call(talk: Talk, *, key: str = "any", **options: Any) -> None:
    """Hold one call with a server of its own."""

    async def hold(serve: Serving) -> None:
        async with asyncio.timeout(2 * PATIENCE_S), calling(serve.base_url, key=key) as caller:
            await caller.until("session.created")
            await talk(caller, serve)

    with serving(**{**VOICE, **options}) as serve:
        asyncio.run(hold(serve))
        asyncio.run(comes_true(lambda: serve.server.sessions == 0))


class Side:
    """A client at the side, from the loop that the caller lives on."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def until(self, kind: str) -> dict[str, Any]:
        return await asyncio.to_thread(self.client.until, kind)

    async def closed(self) -> tuple[int, str]:
        closed = await asyncio.to_thread(self.client.closed)
        return closed.code, closed.reason

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.client.events]


def call_id(caller: Caller) -> str:
    return caller.location.rpartition("/")[2]


@asynccontextmanager
async def joined(caller: Caller, serve: Serving, key: str = "any") -> AsyncIterator[Side]:
    """A client at the side until the end of the block."""
    header = [f"Authorization: Bearer {key}"]
    client = await asyncio.to_thread(serve.connect, f"?call_id={call_id(caller)}", header=header)
    try:
        yield Side(client)
    finally:
        await asyncio.to_thread(client.close)


def test_a_client_at_the_side_changes_the_session_and_runs_its_functions_and_both_see_every_event() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        caller.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        await caller.until("session.updated")
        async with joined(caller, serve) as side:
            created = await side.until("session.created")
            assert created["session"]["instructions"] == "Be brief."
            clock = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
            sound = {"output": {"format": {"type": "audio/pcmu"}}}
            side.client.send("session.update", session={"type": "realtime", "tools": [clock], "audio": sound})
            updated = await caller.until("session.updated")
            assert [tool["name"] for tool in updated["session"]["tools"]] == ["clock"]
            assert updated["session"]["audio"]["output"]["format"]["type"] == "audio/pcm"
            caller.say("What time is it?")
            caller.send("response.create")
            called = await side.until("response.function_call_arguments.done")
            await side.until("response.done")
            answer = {"type": "function_call_output", "call_id": called["call_id"], "output": "noon"}
            side.client.send("conversation.item.create", item=answer)
            side.client.send("response.create")
            assert (await side.until("response.output_audio_transcript.done"))["transcript"] == "It is noon."
            await caller.until("output_audio_buffer.stopped")
            await side.until("output_audio_buffer.stopped")
            await caller.hears(500)
            mine = [event for event in caller.events if event["event_id"] != created["event_id"]]
            since = next(at for at, event in enumerate(mine) if event["event_id"] == side.client.events[1]["event_id"])
            assert mine[since : since + len(side.kinds) - 1] == side.client.events[1:]
            assert "response.output_audio.delta" not in side.kinds

    on_call(talk, lm=CallsFunctions())


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


def test_the_side_clears_the_output_before_what_it_sends_next() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            side.client.say("Go.")
            side.client.send("response.create")
            done = await side.until("response.done")
            await caller.hears(200)
            side.client.send("output_audio_buffer.clear")
            side.client.send("response.create")
            await side.until("output_audio_buffer.cleared")
            cut = await side.until("conversation.item.truncated")
            assert cut["item_id"] == done["response"]["output"][0]["id"]
            await side.until("response.created")
            await caller.until("output_audio_buffer.cleared")

    on_call(talk, lm=Reciter(("A reply that takes several seconds to say in full.",)))


def test_what_is_longer_than_the_data_channel_takes_comes_there_shortened_and_whole_to_the_side() -> None:
    long = "word " * 100_000

    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            side.client.say(long)
            side.client.send("session.update", session={"type": "realtime", "instructions": long})
            for kind, where in (("conversation.item.added", "item"), ("session.updated", "session")):
                short, whole = (await caller.until(kind)), (await side.until(kind))
                assert (short["event_id"], short[where]["id"]) == (whole["event_id"], whole[where]["id"])
                told, said = json.dumps(short, ensure_ascii=False), json.dumps(whole)
                assert len(told.encode()) < 262_144
                assert len(said) > len(long)
                assert "w…" in told
        # Just as much as a browser may send.
        room = 262_144 - 200
        caller.say("x" * room)
        item = (await caller.until("conversation.item.added"))["item"]
        assert item["content"][0]["text"].strip("…") == "x" * len(item["content"][0]["text"].strip("…"))
        await caller.until("conversation.item.done")

    on_call(talk)


def test_sound_from_the_side_is_refused_and_what_is_wrong_is_told_as_everywhere() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            side.client.send("input_audio_buffer.append", audio="AAAA", event_id="mine")
            refused = await side.until("error")
            assert (refused["error"]["code"], refused["error"]["event_id"]) == ("invalid_value", "mine")
            assert "audio track" in refused["error"]["message"]
            caller.send("input_audio_buffer.append", audio="AAAA")
            await side.until("error")
            side.client.socket.send("{")
            assert (await side.until("error"))["error"]["code"] == "invalid_json"
            side.client.socket.send_binary(b"{}")
            assert (await side.until("error"))["error"]["code"] == "invalid_event"
            side.client.send("input_audio_buffer.clear")
            await side.until("input_audio_buffer.cleared")

    on_call(talk)


def test_the_side_leaves_without_ending_the_call_and_may_join_again() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            await side.until("session.created")
            side.client.socket.send_close()
            assert (await side.closed())[0] == 1000
        async with joined(caller, serve) as side:
            await side.until("session.created")
            side.client.reset()
            await comes_true(lambda: not _threads("sideband"))
        caller.send("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")

    on_call(talk)


def test_the_end_of_the_call_is_told_to_the_side_and_who_joins_before_the_caller_is_there_waits() -> None:
    async def hold(serve: Serving) -> None:
        caller = Caller()
        await caller.peer.setLocalDescription(await caller.peer.createOffer())
        headers = {"Authorization": "Bearer any", "Content-Type": "application/sdp"}
        offer = caller.peer.localDescription.sdp.encode()
        status, _, caller.location = await asyncio.to_thread(post, f"{serve.base_url}/realtime/calls", offer, headers)
        assert status == 201
        async with joined(caller, serve) as side:
            # The handshake is over before it has joined.
            await comes_true(lambda: bool(_threads("sideband")))
            hangup = f"{serve.base_url.removesuffix('/v1')}{caller.location}/hangup"
            assert (await asyncio.to_thread(post, hangup, b"", headers))[0] == 200
            assert await side.closed() == (1000, "the call has ended")
            assert side.client.events == []
        await caller.close()

    with serving(**VOICE) as serve:
        asyncio.run(hold(serve))


def test_the_end_of_the_session_is_told_to_the_side_with_its_reason() -> None:
    breaks = threading.Event()

    class Fragile(Noise):
        def probability(self, frame: Any) -> float:
            assert not breaks.is_set()
            return super().probability(frame)

    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            await side.until("session.created")
            breaks.set()
            assert await side.closed() == (1011, "server_error.server_error")
            assert side.client.events[-1]["error"]["type"] == "server_error"

    on_call(talk, vad=Fragile)


def test_the_end_of_the_server_is_told_to_the_side() -> None:
    async def talk(caller: Caller, serve: Serving) -> None:
        async with joined(caller, serve) as side:
            await side.until("session.created")
            await asyncio.to_thread(serve.server.close, PATIENCE_S)
            assert await side.closed() == (1001, "the server is shutting down")

    on_call(talk)


def refused(serve: Serving, query: str, key: str) -> tuple[int, str]:
    """Status and error code of an upgrade that is not granted."""
    with pytest.raises(websocket_client.WebSocketBadStatusException) as refusal:
        serve.connect(query, header=[f"Authorization: Bearer {key}"])
    body = json.loads(refusal.value.resp_body or b"")
    return refusal.value.status_code, body["error"]["code"]


def secret(serve: Serving) -> str:
    _, made, _ = post(f"{serve.base_url}/realtime/client_secrets", b"{}", {"Authorization": f"Bearer {TOKEN}"})
    return str(json.loads(made)["value"])


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
                hangup = f"{serve.base_url.removesuffix('/v1')}{each.location}/hangup"
                headers = {"Authorization": f"Bearer {other}"}
                assert (await asyncio.to_thread(post, hangup, b"", headers))[0] == 404
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
        await comes_true(lambda: len(_threads("sideband")) == len(sides))
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


class Quiet:
    """A call that takes everything."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def from_side(self, message: str) -> None:
        self.got.append(message)

    def binary_from_side(self) -> None:
        """Nothing."""


def test_a_side_that_takes_nothing_is_let_go_with_what_waits_for_it_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sideband_module, "MOST_UNTAKEN", 100)
    gate, endings, taken = threading.Event(), SimpleQueue[Ending](), SimpleQueue[str]()
    sidebands = Sidebands(Quiet())

    def stall(_text: str) -> None:
        assert gate.wait(PATIENCE_S)

    slow, quick = sidebands.join(stall, endings.put), sidebands.join(taken.put, lambda _ending: None)
    for side in (slow, quick):
        side.begin("created")
    for number in range(100):
        sidebands.put(f"{number}" + "x" * 10)
        assert taken.get(timeout=PATIENCE_S) == ("created" if number == 0 else f"{number - 1}" + "x" * 10)
    assert endings.get(timeout=PATIENCE_S) == sideband_module.TOO_SLOW
    slow.receive("too late")
    gate.set()
    sidebands.end(Ending(1001, "over"))
    with pytest.raises(NotAllowed):
        sidebands.join(taken.put, endings.put)
    assert endings.empty()


def test_what_was_given_before_the_end_is_delivered_and_the_end_told_once() -> None:
    taken, endings = SimpleQueue[str](), SimpleQueue[Ending]()
    side = Sideband(Quiet(), taken.put, endings.put)
    side.put("before it has begun")
    side.begin("created")
    side.put("event")
    side.end(Ending(1001, "over"))
    side.end(Ending(1000, "again"))
    assert endings.get(timeout=PATIENCE_S) == Ending(1001, "over")
    side.close()
    side.put("after the end")
    assert [taken.get(timeout=PATIENCE_S) for _ in range(2)] == ["created", "event"]
    assert (taken.empty(), endings.empty()) == (True, True)


def test_a_side_that_floods_the_call_waits_and_the_call_goes_on() -> None:
    messages = ClientMessages(lambda work: work(), lambda: None, lambda _refused: None)
    sent = threading.Event()

    def flood() -> None:
        for _ in range(600):
            messages.from_side('{"type":"response.cancel"}')
        sent.set()

    threading.Thread(target=flood, daemon=True).start()
    assert messages.put({"type": "from the call"})
    assert not sent.wait(0.2)
    messages.close()
    assert sent.wait(PATIENCE_S)


def _threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]
