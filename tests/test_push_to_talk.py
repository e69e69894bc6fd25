"""Push-to-talk under real terminals, with and without releases, through a real (virtual) microphone."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests import scripts
from tests.audio_signals import ATTEMPTS, Samples, find, noise
from tests.pty_driver import XTERM, KittyTerminal, Terminal
from tests.running import ROOT, environment
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.virtual_devices import VirtualDevices
from tests.voice_chat import first_sound_ms
from tests.waiting import PATIENCE_S

PRESS, RELEASE, FOCUS_LOST = "\x1b[32;;32u", "\x1b[32;1:3u", "\x1b[O"
MS = 24
"""Frames a millisecond."""


def answers(audio_ms: int = 300) -> scripts.Script:
    """Answers whatever was committed."""

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.reply(scripts.ANSWER, audio_ms=audio_ms)

    return script


def chat(devices: VirtualDevices, server: ScriptedServer, *arguments: str, kitty: bool = True) -> Terminal:
    """``realtime-cli chat`` with these arguments, under a terminal that does or does not report releases."""
    command = [sys.executable, "-m", "realtime_cli", "chat", "--base-url", server.url, *arguments]
    environ = {**environment(), **devices.environment, "OPENAI_API_KEY": ""}
    if kitty:
        return KittyTerminal(command, columns=120, environ=environ)
    return Terminal(command, columns=120, environ=environ, answers=XTERM)


def recorded_by(devices: VirtualDevices) -> int:
    """How many programs have the microphone open."""
    lines = (line.split("\t") for line in devices.pactl("list", "short", "source-outputs").splitlines())
    # What makes the virtual microphone belongs to no client.
    return sum(client != "-" for _, _, client, *_ in lines)


@contextmanager
def noise_in_the_room(devices: VirtualDevices, recorded: Path) -> Iterator[None]:
    """Somebody speaks without a pause; ``recorded`` is what the microphone would have heard."""
    speaker = threading.Thread(target=devices.play_into_mic, args=(noise(5.0).tobytes(),))
    with devices.recording(recorded, "mic_in"):
        speaker.start()
        yield
        speaker.join()


def sounding(recorded: Path) -> bool:
    """Whether there was sound in a recording up to now, more than a second of it."""
    return int(np.count_nonzero(np.fromfile(recorded, "<i2"))) > 1000 * MS


def sent(server: ScriptedServer) -> Samples:
    """All the audio that the server got."""
    blocks = (base64.b64decode(event["audio"]) for event in server.of_type("input_audio_buffer.append"))
    return np.frombuffer(b"".join(blocks), "<i2")


def wait_for_event(terminal: Terminal, server: ScriptedServer, kind: str, count: int = 1) -> None:
    terminal.wait_until(lambda: len(server.of_type(kind)) >= count, f"{count} {kind}")


def leave(terminal: Terminal) -> None:
    """Ctrl-C, after which the terminal must be as it was."""
    terminal.send("\x03")
    assert terminal.wait_for_end() == 130
    assert terminal.modes() == terminal.found


class Sent(NamedTuple):
    """What was sent, what was heard in the room, and where in that the key went down and up. All in frames."""

    words: Samples
    room: Samples
    pressed: int
    released: int

    @property
    def late(self) -> int:
        """How long after the press the first word that was sent was said."""
        return find(self.words, self.room) - self.pressed

    @property
    def over(self) -> int:
        """How long after the release the last was."""
        return find(self.words, self.room) + len(self.words) - self.released

    @property
    def whole(self) -> bool:
        """It is word for word what was said in the room."""
        at = find(self.words, self.room)
        return np.array_equal(self.room[at : at + len(self.words)], self.words)


def talk_once(virtual_devices: VirtualDevices, recorded: Path, kitty: bool) -> Sent:
    """Press, talk and release; somebody talks before and after it, too."""
    hint, down, up = ("hold space to talk", PRESS, RELEASE) if kitty else ("space talk", " ", " ")
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, "--ptt", kitty=kitty) as terminal:
        terminal.wait_for("ready")
        terminal.wait_for(hint)
        assert recorded_by(virtual_devices) == 0
        with noise_in_the_room(virtual_devices, recorded):
            terminal.wait_until(lambda: sounding(recorded), "sound in the room")
            pressed = recorded.stat().st_size // 2
            terminal.send(down)
            terminal.wait_for("talking 0:01")
            assert recorded_by(virtual_devices) == 2, "the recorder of this test, and the program"
            released = recorded.stat().st_size // 2
            terminal.send(up)
            wait_for_event(terminal, server, "input_audio_buffer.commit")
            terminal.wait_until(lambda: recorded_by(virtual_devices) == 1, "the microphone closed")
        terminal.wait_for(scripts.ANSWER)
        terminal.wait_for("○ ready")
        leave(terminal)
    assert server.types == [
        "session.update",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "response.create",
    ]
    (update,) = server.of_type("session.update")
    assert update["session"]["audio"]["input"]["turn_detection"] is None
    return Sent(sent(server), np.fromfile(recorded, "<i2"), pressed, released)


LATE, OVER = 200 * MS, 100 * MS
"""The recorder runs behind, by up to 50 ms."""


@pytest.mark.parametrize("kitty", [True, False])
def test_what_is_said_between_press_and_release_is_sent_and_nothing_else(
    virtual_devices: VirtualDevices, tmp_path: Path, kitty: bool
) -> None:
    for _ in range(ATTEMPTS):
        said = talk_once(virtual_devices, tmp_path / "room.raw", kitty)
        if said.whole and said.late <= LATE and said.over <= OVER:
            break
    assert said.whole
    assert said.late <= LATE, "the first word is lost"
    assert said.over <= OVER, "it went on listening"


def test_a_press_of_less_than_100_ms_is_cleared_and_says_so(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, "--ptt") as terminal:
        terminal.wait_for("hold space to talk")
        terminal.send(PRESS + RELEASE)
        terminal.wait_for("too short: nothing was sent")
        wait_for_event(terminal, server, "input_audio_buffer.clear", 2)
        leave(terminal)
    assert server.types == ["session.update", "input_audio_buffer.clear", "input_audio_buffer.clear"]


def interrupted_reply(virtual_devices: VirtualDevices, recorded: Path) -> int:
    """How much of a reply that a press interrupts the server is told was heard, in ms."""
    with ScriptedServer(answers(audio_ms=8000)) as server, chat(virtual_devices, server, "--ptt") as terminal:
        terminal.wait_for("hold space to talk")
        with virtual_devices.recording(recorded):
            terminal.send(PRESS)
            terminal.wait_for("talking 0:01")
            terminal.send(RELEASE)
            terminal.wait_for("speaking")
            terminal.wait_until(lambda: bool(np.fromfile(recorded, "<i2").any()), "the reply")
            terminal.send(PRESS)
            wait_for_event(terminal, server, "conversation.item.truncate")
        terminal.wait_for("talking")
        terminal.send(RELEASE)
        wait_for_event(terminal, server, "response.create", 2)
        leave(terminal)
    (truncate,) = server.of_type("conversation.item.truncate")
    return int(truncate["audio_end_ms"])


def test_a_press_while_the_model_speaks_interrupts_it_and_the_server_learns_what_was_heard(
    virtual_devices: VirtualDevices, tmp_path: Path
) -> None:
    recorded = tmp_path / "reply.raw"
    for _ in range(ATTEMPTS):
        told_ms = interrupted_reply(virtual_devices, recorded)
        if first_sound_ms(recorded) == pytest.approx(told_ms, abs=20):
            break
    assert first_sound_ms(recorded) == pytest.approx(told_ms, abs=20)


def test_a_press_that_never_ends_is_ended_and_sent(virtual_devices: VirtualDevices) -> None:
    with (
        ScriptedServer(answers()) as server,
        chat(virtual_devices, server, "--ptt", "--ptt-max-s", "1", kitty=False) as terminal,
    ):
        terminal.wait_for("space talk")
        terminal.send(" ")
        terminal.wait_for("1 s left")
        terminal.wait_for("the talk key was down for 1 s: the microphone is closed (--ptt-max-s)")
        wait_for_event(terminal, server, "response.create")
        terminal.wait_for("○ ready")
        # The next tap starts again: it is not taken for the end of the one before.
        terminal.send(" ")
        terminal.wait_for("talking")
        leave(terminal)


def test_a_key_that_is_held_when_another_window_takes_the_keys_is_let_go_of(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, "--ptt") as terminal:
        terminal.wait_for("hold space to talk")
        terminal.send(PRESS)
        terminal.wait_for("talking 0:01")
        terminal.send(FOCUS_LOST)
        wait_for_event(terminal, server, "response.create")
        leave(terminal)
        assert terminal.raw.count(b"\x1b[?1004h") == terminal.raw.count(b"\x1b[?1004l") == 1


def test_a_terminal_that_goes_away_ends_the_press_and_with_its_answer_the_conversation(
    virtual_devices: VirtualDevices, tmp_path: Path
) -> None:
    out = tmp_path / "lines.json"
    out.touch()
    with ScriptedServer(answers()) as server:
        program = [sys.executable, "-m", "realtime_cli", "chat", "--base-url", server.url, "--ptt", "--json"]
        # As under nohup, which lets a program outlive its terminal.
        command = ["sh", "-c", f'trap "" HUP; exec "$@" > {out}', "sh", *program]
        environ = {**environment(), **virtual_devices.environment, "OPENAI_API_KEY": ""}
        with Terminal(command, environ=environ, answers=XTERM) as terminal:
            terminal.wait_until(lambda: '"session"' in out.read_text(), "the session")
            terminal.send(" ")
            terminal.wait_until(lambda: len(sent(server)) > 500 * MS, "half a second of sound")
            terminal.hang_up()
            assert terminal.process.wait(PATIENCE_S) == 0
    assert server.types[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert '"assistant"' in out.read_text()


def test_any_key_can_be_the_one_to_talk_with(virtual_devices: VirtualDevices) -> None:
    with (
        ScriptedServer(answers()) as server,
        chat(virtual_devices, server, "--ptt", "--ptt-key", "F5", kitty=False) as terminal,
    ):
        terminal.wait_for("f5 talk")
        terminal.send(" ")
        terminal.send("\x1b[15~")
        terminal.wait_for("f5 send")
        terminal.wait_for("talking 0:01")
        terminal.send("\x1b[15~")
        wait_for_event(terminal, server, "response.create")
        leave(terminal)


def test_in_the_plain_view_what_is_typed_between_presses_is_seen_without_control_codes(
    virtual_devices: VirtualDevices,
) -> None:
    with (
        ScriptedServer(answers()) as server,
        chat(virtual_devices, server, "--ptt", "--plain", kitty=False) as terminal,
    ):
        terminal.wait_for("connected to")
        terminal.send("helo\x7flo")
        terminal.wait_for("> hello")
        terminal.send("\r")
        terminal.wait_for(scripts.ANSWER)
        terminal.send("/mi\t")
        terminal.wait_for("> /mic")
        terminal.send("\x1b")
        terminal.wait_until(lambda: terminal.screen()[terminal.cursor[0] :][:1] in ([], [""]), "an empty row")
        terminal.send("?")
        terminal.wait_for("close this list")
        terminal.send("?\x04")
        assert terminal.wait_for_end() == 0
    assert [event["item"]["content"][0]["text"] for event in server.of_type("conversation.item.create")] == ["hello"]


def test_the_plain_view_says_when_the_microphone_opens_and_closes(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, "--ptt", "--plain") as terminal:
        terminal.wait_for("connected to")
        terminal.send(PRESS)
        terminal.wait_for("[microphone open]")
        terminal.send(RELEASE)
        terminal.wait_for("[microphone closed]")
        leave(terminal)


@pytest.mark.parametrize("at_start", [True, False])
def test_a_muted_microphone_sends_silence_until_the_key_is_pressed_again(
    virtual_devices: VirtualDevices, at_start: bool
) -> None:
    arguments = ("--mute",) if at_start else ()
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, *arguments, kitty=False) as terminal:
        terminal.wait_for("F2 unmute" if at_start else "F2 mute")
        if not at_start:
            terminal.send("\x1bOQ")
        terminal.wait_for("○ muted")
        virtual_devices.play_into_mic(noise(1.0).tobytes())
        # What has been heard by now is sent in some pieces.
        wait_for_event(
            terminal, server, "input_audio_buffer.append", len(server.of_type("input_audio_buffer.append")) + 5
        )
        assert not sent(server).any()
        terminal.send("\x1bOQ")
        terminal.wait_for("● listening")
        virtual_devices.play_into_mic(noise(1.0).tobytes())
        terminal.wait_until(lambda: bool(sent(server).any()), "sound")
        leave(terminal)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--ptt", "--mic", str(ROOT / "examples" / "question.wav")], "--ptt opens and closes a microphone"),
        (["--ptt", "--mic", "none"], "--ptt opens and closes a microphone"),
        (["--ptt", "--mute"], "--ptt and --mute exclude each other"),
        (["--ptt", "--ptt-key", "f13"], 'no key to talk with is called "f13"'),
        (["--ptt", "--ptt-max-s", "0"], "--ptt-max-s"),
    ],
)
def test_what_push_to_talk_cannot_be_done_with_is_refused_in_one_line(
    virtual_devices: VirtualDevices, arguments: list[str], problem: str
) -> None:
    with ScriptedServer(answers()) as server, chat(virtual_devices, server, *arguments) as terminal:
        assert terminal.wait_for_end() == 2
        assert problem in " ".join(terminal.screen())
        assert terminal.modes() == terminal.found
