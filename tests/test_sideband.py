"""A second client of a call: what it gets, what it may send, and what becomes of it and of the call at their ends."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from tests.calling import Caller, Noise, comes_true, post
from tests.local_engines import Caller as CallsFunctions
from tests.local_engines import Reciter
from tests.serve_requests import http
from tests.served_calls import VOICE, joined, on_call, side_threads
from tests.serving import Serving, serving
from tests.waiting import PATIENCE_S


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
            await comes_true(lambda: not side_threads())
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
            await comes_true(lambda: bool(side_threads()))
            hangup = f"{caller.location}/hangup"
            assert (await asyncio.to_thread(http, serve, hangup, b"", Authorization="Bearer any"))[0] == 200
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
