"""Calls by WebRTC with the local server: who may call, a turn of talk, interruptions, and how calls end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import ifaddr
import pytest

from realtime_cli.server.webrtc.ice import prepare
from tests.calling import Caller, calling, comes_true, offered
from tests.local_engines import Reciter
from tests.running import ROOT
from tests.serve_requests import TOKEN, http
from tests.served_calls import VOICE, call_id, on_call
from tests.serving import Client, Serving, serving
from tests.waiting import PATIENCE_S, wait_until


def test_a_machine_without_any_address_but_loopback_takes_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")])
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [loopback])
    prepare()

    async def talk(caller: Caller, _serve: Serving) -> None:
        lines = caller.peer.remoteDescription.sdp.splitlines()
        assert {line.split()[4] for line in lines if line.startswith("a=candidate")} == {"127.0.0.1"}
        caller.send("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")

    on_call(talk)


def test_what_is_said_is_recognised_and_the_reply_comes_as_sound() -> None:
    async def talk(caller: Caller, _serve: Serving) -> None:
        caller.microphone.speak(2.0)
        heard = await caller.until("conversation.item.input_audio_transcription.completed")
        # Of sound that comes in bursts, as it does on a busy machine, some may be lost.
        assert heard["transcript"].strip() in ("1 seconds.", "2 seconds.", "3 seconds.")
        started = await caller.until("output_audio_buffer.started")
        stopped = await caller.until("output_audio_buffer.stopped")
        assert started["response_id"] == stopped["response_id"]
        kinds = [event["type"] for event in caller.events]
        assert kinds.index("response.done") < kinds.index("output_audio_buffer.stopped")
        assert "response.output_audio_transcript.done" in kinds
        assert "response.output_audio.delta" not in kinds
        # Eleven letters and blanks, a tenth of a second each.
        await caller.hears(900)
        assert caller.loud_ms < 1300

    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    on_call(talk, session=session, lm=Reciter(("Yes, ", "it is.")))


def test_speaking_stops_the_reply_which_is_then_known_as_far_as_it_was_sent() -> None:
    async def talk(caller: Caller, _serve: Serving) -> None:
        caller.say("Go.")
        caller.send("response.create")
        done = await caller.until("response.done")
        assert done["response"]["status"] == "completed"
        await caller.hears(400)
        caller.microphone.speak(0.6)
        await caller.until("input_audio_buffer.speech_started")
        cleared = await caller.until("output_audio_buffer.cleared")
        assert cleared["response_id"] == done["response"]["id"]
        heard_ms = caller.loud_ms
        cut = await caller.until("conversation.item.truncated")
        assert cut["item_id"] == done["response"]["output"][0]["id"]
        assert heard_ms <= cut["audio_end_ms"] + 300
        assert cut["audio_end_ms"] < 4000
        kinds = [event["type"] for event in caller.events]
        assert "output_audio_buffer.stopped" not in kinds

    on_call(talk, lm=Reciter(("A reply that takes several seconds to say in full.",)))


def test_the_client_clears_the_output_and_the_next_reply_is_heard_whole() -> None:
    async def talk(caller: Caller, _serve: Serving) -> None:
        caller.say("Go.")
        caller.send("response.create")
        await caller.until("response.done")
        await caller.hears(200)
        caller.send("output_audio_buffer.clear")
        await caller.until("output_audio_buffer.cleared")
        await caller.until("conversation.item.truncated")
        caller.send("output_audio_buffer.clear")
        await caller.until("output_audio_buffer.cleared")
        before_ms = caller.loud_ms
        caller.send("response.create")
        await caller.until("output_audio_buffer.stopped")
        await caller.hears(before_ms + 1700)

    on_call(talk, lm=Reciter(("Twenty letters long.",)))


def test_events_of_the_client_are_obeyed_but_formats_of_sound_are_the_calls() -> None:
    async def talk(caller: Caller, _serve: Serving) -> None:
        output = {"format": {"type": "audio/pcmu"}, "voice": "whistle"}
        caller.send("session.update", session={"type": "realtime", "audio": {"output": output}})
        updated = await caller.until("session.updated")
        assert updated["session"]["audio"]["output"]["format"]["type"] == "audio/pcm"
        assert updated["session"]["audio"]["output"]["voice"] == "whistle"
        caller.send("dance")
        assert (await caller.until("error"))["error"]["code"] == "invalid_value"
        caller.channel.send("{")
        assert (await caller.until("error"))["error"]["code"] == "invalid_json"

    on_call(talk)


def test_another_data_channel_is_none_of_the_calls() -> None:
    async def talk(caller: Caller, _serve: Serving) -> None:
        other, opened = caller.peer.createDataChannel("other"), asyncio.Event()
        other.on("open", opened.set)
        await asyncio.wait_for(opened.wait(), PATIENCE_S)
        other.send("{")
        other.close()
        caller.send("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")

    on_call(talk)


def test_a_call_has_the_session_of_its_form_or_of_its_key() -> None:
    async def hold(serve: Serving) -> None:
        form = {"type": "realtime", "model": "mine", "instructions": "Be brief."}
        async with calling(serve.base_url, form, key=TOKEN) as caller:
            session = (await caller.until("session.created"))["session"]
            assert (session["model"], session["instructions"]) == ("mine", "Be brief.")
        secrets, body = "/v1/realtime/client_secrets", {"session": {**form, "instructions": "By key."}}
        _, made, _ = await asyncio.to_thread(http, serve, secrets, body, Authorization=f"Bearer {TOKEN}")
        async with calling(serve.base_url, key=made["value"]) as caller:
            assert (await caller.until("session.created"))["session"]["instructions"] == "By key."

    with serving(token=TOKEN, **VOICE) as serve:
        asyncio.run(hold(serve))


CALLS = "/v1/realtime/calls"
OFFER = "v=0\r\nm=audio 9 nonsense\r\n"
ANY = {"Authorization": "Bearer any"}
SDP = {**ANY, "Content-Type": "application/sdp"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"hello", SDP, 400, "invalid_value"),
        (OFFER.encode(), SDP, 400, "invalid_value"),
        (b"\xff", SDP, 400, "invalid_value"),
        (OFFER.encode(), {**ANY, "Content-Type": "text/plain"}, 400, "invalid_content_type"),
        (OFFER.encode(), {**SDP, "Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        (OFFER.encode(), {**SDP, "Authorization": "Bearer ek_nonsense"}, 401, "invalid_api_key"),
    ],
)
def test_what_is_no_call_is_refused_and_takes_no_place(
    body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    with serving(**VOICE) as serve:
        found, answer, _ = http(serve, CALLS, body, **headers)
        assert (found, answer["error"]["code"]) == (status, code)
        assert serve.server.sessions == 0


@pytest.mark.parametrize(
    ("session", "code"),
    [
        ({"type": "poem"}, "invalid_value"),
        ({}, "missing_required_parameter"),
        ({"type": "realtime", "temperature": 1}, "unknown_parameter"),
    ],
)
def test_a_session_that_cannot_be_had_is_refused(session: Any, code: str) -> None:
    with serving(**VOICE) as serve:
        body, kind = offered(OFFER, session)
        found, answer, _ = http(serve, CALLS, body, **{**ANY, "Content-Type": kind})
        assert (found, answer["error"]["code"]) == (400, code)


def test_calls_take_the_servers_places_and_hanging_up_gives_them_back() -> None:
    async def hold(serve: Serving) -> None:
        async with calling(serve.base_url) as first, calling(serve.base_url) as second:
            await first.until("session.created")
            await second.until("session.created")
            body, _ = offered(second.peer.localDescription.sdp, None)
            status, answer, _ = await asyncio.to_thread(http, serve, CALLS, body, **SDP)
            assert (status, answer["error"]["code"]) == (503, "session_limit_reached")
            hangup = f"{first.location}/hangup"
            assert (await asyncio.to_thread(http, serve, hangup, b"", **ANY))[0] == 200
            await asyncio.wait_for(first.gone(), PATIENCE_S)
            await comes_true(lambda: serve.server.sessions == 1)
            status, answer, _ = await asyncio.to_thread(http, serve, hangup, b"", **ANY)
            assert (status, answer["error"]["code"]) == (404, "call_id_not_found")
            second.send("input_audio_buffer.clear")
            await second.until("input_audio_buffer.cleared")

    with serving(sessions=2, **VOICE) as serve:
        asyncio.run(hold(serve))


def test_a_session_that_is_over_says_so_and_ends_the_call() -> None:
    async def hold(serve: Serving) -> None:
        async with calling(serve.base_url) as caller:
            assert (await caller.until("error"))["error"]["code"] == "session_expired"
            await asyncio.wait_for(caller.gone(), PATIENCE_S)

    with serving(session_minutes=0.01, **VOICE) as serve:
        asyncio.run(hold(serve))


def test_a_caller_that_vanishes_without_a_word_leaves_its_place() -> None:
    async def hold(serve: Serving) -> None:
        caller = Caller()
        await caller.dial(f"{serve.base_url}/realtime/calls", ANY)
        await caller.until("session.created")
        # Nothing leaves this side any more, not even the answer whether it is there.
        transport = caller.peer.sctp.transport.transport._connection
        sockets = [protocol.transport for protocol in transport._protocols]
        for socket in sockets:
            socket.abort()
        await comes_true(lambda: serve.server.sessions == 0)
        await caller.close()

    with serving(**VOICE) as serve:
        asyncio.run(hold(serve))


class Counted:
    """The server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks, self._tells = process.stdin, process.stdout
        self.base = f"127.0.0.1:{int(self._tells.readline())}/v1"

    def held(self) -> dict[str, Any]:
        self._asks.write("\n")
        self._asks.flush()
        found: dict[str, Any] = json.loads(self._tells.readline())
        return found

    def between_calls(self) -> dict[str, Any]:
        """What is held when all of the last call has ended."""
        wait_until(lambda: self.held()["threads"] == ["MainThread", "calls", "socket-server"])
        return self.held()


def test_ten_calls_one_after_the_other_leave_threads_descriptors_and_memory_as_they_were() -> None:
    async def hold(server: Counted) -> None:
        async with calling(f"http://{server.base}") as caller:
            await caller.until("session.created")
            side = await asyncio.to_thread(Client, f"ws://{server.base}/realtime?call_id={call_id(caller)}")
            caller.say("Go.")
            caller.send("response.create")
            await caller.until("output_audio_buffer.started")
            await asyncio.to_thread(side.close)

    command = [sys.executable, "-m", "tests.counted_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        server = Counted(process)
        at_first = server.held()["memory_kb"]
        for _ in range(2):
            asyncio.run(hold(server))
        before = server.between_calls()
        for _ in range(10):
            asyncio.run(hold(server))
        after = server.between_calls()
        wait_until(lambda: server.held()["descriptors"] <= before["descriptors"])
        # The last call's may not have been let go of yet.
        assert all(count <= 3 for count in after["objects"].values()), after
        # Ten more take less than the libraries of the first two.
        assert after["memory_kb"] - before["memory_kb"] < before["memory_kb"] - at_first
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def test_the_end_of_the_server_ends_calls() -> None:
    async def hold(serve: Serving) -> None:
        async with calling(serve.base_url) as caller:
            await caller.until("session.created")
            await asyncio.to_thread(serve.server.close, PATIENCE_S)
            await asyncio.wait_for(caller.gone(), PATIENCE_S)

    with serving(**VOICE) as serve:
        asyncio.run(hold(serve))
