"""``realtime-cli doctor``: what it finds, what it advises, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from realtime_cli.doctor.check import Check, Status
from realtime_cli.doctor.chirp import Echo, chirp, find_echo
from realtime_cli.doctor.verdicts import Cure, judge_echo, judge_microphone
from realtime_cli.pcm import ms_to_frames
from tests import scripts
from tests.running import KEY, PATIENCE_S, environment, lines_of, run
from tests.scripted_server import HttpAnswer, Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.virtual_devices import VirtualDevices

MUTE = ("--mic", "none", "--speaker", "none")
"""No device is looked at."""

LEAD = ms_to_frames(500)
FIELDS = {"type", "name", "status", "finding", "fix"}


def checks(*arguments: str, cwd: Path | None = None, **variables: str) -> tuple[dict[str, dict[str, Any]], int]:
    """The checks of one run by name, and its exit code."""
    done = run("doctor", "--json", *arguments, cwd=cwd, **variables)
    assert done.stderr == ""
    assert KEY not in done.stdout
    lines = lines_of(done)
    assert len({line["name"] for line in lines}) == len(lines)
    return {line["name"]: line for line in lines}, done.returncode


@contextmanager
def hum(devices: VirtualDevices, level_db: float = -40.0) -> Iterator[None]:
    """A microphone that is not digitally silent."""
    module = devices.pactl("load-module", "module-sine", "sink=mic_in", "frequency=200")
    try:
        devices.pactl("set-sink-input-volume", devices._sink_input_of(module), f"{level_db:.2f}dB")
        yield
    finally:
        devices.pactl("unload-module", module)


def room(gain_db: float, delay_ms: float, noise: float) -> npt.NDArray[np.int16]:
    """Two seconds in which the chirp comes back ``delay_ms`` after it was played, half a second from the start."""
    recording = np.random.default_rng(5).normal(size=ms_to_frames(2000)) * noise
    at = LEAD + ms_to_frames(delay_ms)
    recording[at : at + len(chirp())] += chirp() * 10 ** (gain_db / 20)
    return np.round(recording).astype(np.int16)


@pytest.mark.parametrize(("gain_db", "noise"), [(-12, 0), (-12, 60), (-6, 300), (-40, 30), (3, 0)])
def test_an_echo_is_found_to_the_frame_and_its_level_to_the_decibel(gain_db: float, noise: float) -> None:
    echo = find_echo(room(gain_db, 80, noise), chirp(), LEAD)
    assert echo is not None
    assert echo.at_frame == LEAD + ms_to_frames(80)
    assert echo.gain_db == pytest.approx(gain_db, abs=1.0)


@pytest.mark.parametrize("noise", [0, 1, 100, 3000])
def test_where_nothing_comes_back_no_echo_is_found(noise: float) -> None:
    assert find_echo(room(-200, 80, noise), chirp(), LEAD) is None


def test_a_hum_that_breaks_off_with_the_recording_is_no_echo() -> None:
    hum_alone = np.sin(np.arange(ms_to_frames(2000)) * 2 * np.pi * 200 / 24_000) * 300
    assert find_echo(hum_alone.astype(np.int16), chirp(), LEAD) is None


def test_the_chirp_is_soft_and_begins_and_ends_without_a_click() -> None:
    sound = chirp().astype(int)
    assert 3000 < np.abs(sound).max() < 3300
    assert np.abs(sound[[0, -1]]).max() < 30


def heard(samples: npt.NDArray[Any], platform: str = "linux") -> Check:
    return judge_microphone("microphone", '"mic" at 24000 Hz', samples.astype(np.int16), platform)


def test_digital_silence_is_a_failure_with_the_platforms_own_remedy() -> None:
    silence = np.zeros(24_000)
    assert "Privacy & Security > Microphone" in heard(silence, "darwin").fix
    assert "Privacy & security" in heard(silence, "win32").fix
    assert "alsamixer" in heard(silence).fix
    assert heard(silence).exit_code == 5


@pytest.mark.parametrize(
    ("peak", "status", "words"),
    [
        (20_000, Status.OK, "peak -4 dBFS"),
        (30, Status.WARN, "very quiet"),
        (32_767, Status.WARN, "clipped"),
    ],
)
def test_the_microphones_level_is_judged(peak: int, status: Status, words: str) -> None:
    found = heard(np.tile([0, peak, 0, -peak], 6000))
    assert found.status is status
    assert words in found.finding
    assert bool(found.fix) == (status is not Status.OK)


def test_a_microphone_that_delivers_nothing_is_a_failure() -> None:
    assert heard(np.zeros(0)).status is Status.FAIL


@pytest.mark.parametrize(
    ("echo", "cure", "status", "words"),
    [
        (Echo(0, -12.0), Cure.CANCELLER, Status.OK, "open speakers, with echo cancellation"),
        (Echo(0, -12.0), Cure.MISSING, Status.WARN, "pip install pywebrtc-audio"),
        (Echo(0, -12.0), Cure.OFF, Status.WARN, "leave out --no-aec"),
        (Echo(0, 6.0), Cure.CANCELLER, Status.WARN, "--ptt"),
        (Echo(0, 6.0), Cure.TURNS, Status.OK, "no matter"),
        (None, Cure.MISSING, Status.OK, "headphones"),
    ],
)
def test_the_echo_leads_to_a_recommendation(echo: Echo | None, cure: Cure, status: Status, words: str) -> None:
    found = judge_echo("echo", echo, 90.0, cure=cure)
    assert found.status is status
    assert words in f"{found.finding} {found.fix}"


@pytest.mark.parametrize("gain_db", [-12.0, -20.0])
def test_the_echo_of_real_streams_is_measured(virtual_devices: VirtualDevices, gain_db: float) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.echo(gain_db, 80):
        found, code = checks("--base-url", server.url, **virtual_devices.environment)
    assert code == 0
    assert {found[name]["status"] for name in ("portaudio", "devices", "microphone", "loudspeaker", "echo")} == {"ok"}
    level_db, _, rest = found["echo"]["finding"].partition(" dB, back after ")
    assert float(level_db) == pytest.approx(gain_db, abs=1.0)
    # 80 ms of loopback and what the streams themselves take; a busy machine makes the loopback slower.
    assert 75 < float(rest.partition(" ms")[0]) < 400


def test_what_the_settings_do_about_the_echo_is_taken_into_account(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.echo(-12, 80):
        found, code = checks("--no-aec", "--no-turn", "--base-url", server.url, **virtual_devices.environment)
        calm, _ = checks("--half-duplex", "--no-turn", "--base-url", server.url, **virtual_devices.environment)
    assert code == 0
    assert (found["echo"]["status"], calm["echo"]["status"]) == ("warn", "ok")


def test_without_an_echo_path_none_is_found(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices):
        found, code = checks("--base-url", server.url, **virtual_devices.environment)
    assert code == 0
    assert found["echo"]["finding"].startswith("none came back")


def test_no_sound_plays_nothing(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    raw = tmp_path / "played.raw"
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices), virtual_devices.recording(raw):
        found, code = checks("--no-sound", "--base-url", server.url, **virtual_devices.environment)
    assert code == 0
    assert "echo" not in found
    assert not np.fromfile(raw, "<i2").any()


def test_a_muted_microphone_is_exit_5_and_says_how_to_unmute_it(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--base-url", server.url, **virtual_devices.environment)
    assert code == 5
    assert found["microphone"]["status"] == "fail"
    assert "digital silence" in found["microphone"]["finding"]
    assert found["microphone"]["fix"]
    assert found["reply"]["status"] == "ok"  # what does not depend on it is looked at all the same


def test_suspended_devices_are_exit_5_and_nothing_hangs(virtual_devices: VirtualDevices) -> None:
    virtual_devices.pactl("suspend-sink", "spk", "1")
    virtual_devices.pactl("suspend-source", "mic", "1")
    try:
        with ScriptedServer(scripts.text_turns()) as server:
            found, code = checks("--no-turn", "--base-url", server.url, **virtual_devices.environment)
    finally:
        virtual_devices.pactl("suspend-sink", "spk", "0")
        virtual_devices.pactl("suspend-source", "mic", "0")
    assert code == 5
    assert "--mic" in found["microphone"]["fix"]
    assert "--speaker" in found["loudspeaker"]["fix"]
    assert "echo" not in found


def test_a_device_that_is_not_there_is_exit_5_with_the_flag_that_mends_it(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--mic", "trumpet", "--base-url", server.url, **virtual_devices.environment)
    assert code == 5
    assert 'no microphone is called "trumpet"' in found["devices"]["finding"]
    assert "--mic" in found["devices"]["fix"]


def test_a_device_at_another_rate_is_resampled_and_said_so(virtual_devices: VirtualDevices) -> None:
    with ScriptedServer(scripts.text_turns()) as server, hum(virtual_devices):
        found, code = checks("--speaker", "hall", "--no-sound", "--base-url", server.url, **virtual_devices.environment)
    assert code == 0
    assert found["loudspeaker"]["finding"].startswith('"hall" at ')
    assert 'loudspeaker "hall" (44100 Hz)' in found["devices"]["finding"]


def test_without_any_sound_device_the_ways_out_are_named(virtual_devices: VirtualDevices, tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    # PortAudio aborts when the configuration names no device at all.
    config.write_text('pcm.gone { type pulse server "unix:/nowhere" }\n')
    variables = {**virtual_devices.environment, "ALSA_CONFIG_PATH": str(config)}
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--base-url", server.url, **variables)
    assert code == 5
    assert found["devices"]["status"] == "fail"
    assert "FILE.wav" in found["devices"]["fix"]
    assert "microphone" not in found


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels for macOS and Windows bring PortAudio with them")
def test_without_portaudio_the_install_command_is_the_fix(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    with ScriptedServer(scripts.text_turns()) as server:
        path = f"{tmp_path}:{environment()['PYTHONPATH']}"
        found, code = checks("--base-url", server.url, PYTHONPATH=path)
    assert code == 5
    assert found["portaudio"]["status"] == "fail"
    assert "install" in found["portaudio"]["fix"]


def test_files_and_pipes_need_no_sound_card_and_are_left_as_they_are(tmp_path: Path) -> None:
    speaker = tmp_path / "reply.wav"
    speaker.write_bytes(b"precious")
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks("--mic", "nowhere.wav", "--speaker", str(speaker), "--base-url", server.url)
    assert code == 2
    assert "nowhere.wav" in found["microphone"]["finding"]
    assert "--mic" in found["microphone"]["fix"]
    assert found["loudspeaker"]["status"] == "ok"
    assert "portaudio" not in found
    assert speaker.read_bytes() == b"precious"


def test_a_server_that_answers_is_all_right_and_the_cost_is_told() -> None:
    with ScriptedServer(scripts.text_turns("hello")) as server:
        found, code = checks(*MUTE, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert code == 0
    assert {line["status"] for line in found.values()} == {"ok"}
    assert all(set(line) == FIELDS and line["fix"] == "" for line in found.values())
    assert "OPENAI_API_KEY" in found["key"]["finding"]
    assert "TCP" in found["network"]["finding"]
    assert "is accepted" in found["session"]["finding"]
    assert "first words after" in found["reply"]["finding"]
    assert "tokens" in found["reply"]["finding"]
    first, second = server.of_type("session.update")
    assert first["session"]["output_modalities"] == ["audio"]
    assert second["session"]["output_modalities"] == ["text"]


def test_no_turn_opens_the_session_and_asks_nothing() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks(*MUTE, "--no-turn", "--base-url", server.url)
    assert code == 0
    assert "reply" not in found
    assert server.types == ["session.update"]


def test_the_key_in_dotenv_is_named_as_such_and_the_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    with ScriptedServer(scripts.text_turns()) as server:
        found, _ = checks(*MUTE, "--no-turn", "--base-url", server.url, cwd=tmp_path)
    assert "OPENAI_API_KEY in .env" in found["key"]["finding"]
    assert str(tmp_path / ".env") in found["settings"]["finding"]


@pytest.mark.parametrize(
    ("script", "name", "code", "words"),
    [
        (
            scripts.error_then_close("invalid_api_key", 3000, f"Incorrect API key: {KEY}"),
            "session",
            4,
            "OPENAI_API_KEY",
        ),
        (scripts.http_status(401, "invalid_api_key", f"Incorrect: {KEY}"), "session", 4, "OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), "session", 4, "--model"),
        (scripts.closes(), "session", 4, "--debug"),
        (scripts.sends("<html>"), "session", 4, "--base-url"),
        (scripts.failed_response("insufficient_quota", "No credit."), "reply", 1, "credit"),
        (scripts.failed_response("who_knows", "No."), "reply", 1, "--debug"),
    ],
)
def test_a_server_that_refuses_has_its_exit_code_and_its_remedy(
    script: Script | HttpAnswer, name: str, code: int, words: str
) -> None:
    with ScriptedServer(script, checked=False) as server:
        found, ended = checks(*MUTE, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert ended == code
    assert [line["name"] for line in found.values() if line["status"] == "fail"] == [name]
    assert words in found[name]["fix"]


def refuses_the_voice(talk: Talk) -> None:
    talk.greet()
    talk.expect("session.update")
    talk.error("invalid_value", "Invalid voice 'nobody'.", param="session.audio.output.voice")
    talk.obey_until_closed()


def test_an_option_that_chat_would_be_refused_is_exit_2() -> None:
    with ScriptedServer(refuses_the_voice) as server:
        found, code = checks(*MUTE, "--voice", "nobody", "--base-url", server.url)
    assert code == 2
    assert "Invalid voice 'nobody'" in found["session"]["finding"]


def test_a_server_that_turns_out_to_speak_the_beta_dialect_is_all_right() -> None:
    with ScriptedServer(scripts.text_turns(), beta=True, checked=False) as server:
        _, code = checks(*MUTE, "--base-url", server.url)
    assert code == 0
    assert all("type" not in event["session"] for event in server.of_type("session.update"))


def test_the_functions_that_a_chat_would_offer_are_named_and_a_broken_file_is_exit_2(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    tools.write_text('print("hello")\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n    return a + b\n')
    with ScriptedServer(scripts.text_turns()) as server:
        done = run("doctor", "--json", "--no-turn", *MUTE, "--tools", str(tools), "--base-url", server.url)
        tools.write_text("def add(\n")
        broken, code = checks(*MUTE, "--no-turn", "--tools", str(tools), "--base-url", server.url)
    assert done.returncode == 0
    assert "1 offered: add" in [line["finding"] for line in lines_of(done)]
    assert (code, broken["tools"]["status"]) == (2, "fail")


def test_a_port_where_nobody_listens_fails_before_the_session() -> None:
    found, code = checks(*MUTE, "--base-url", "127.0.0.1:9")
    assert code == 4
    assert found["network"]["status"] == "fail"
    assert "--base-url" in found["network"]["fix"]
    assert "session" not in found


def test_a_missing_key_is_exit_3_and_names_the_variable() -> None:
    found, code = checks(*MUTE, "--provider", "openai")
    assert code == 3
    assert "OPENAI_API_KEY" in found["key"]["fix"]


def test_an_unknown_provider_is_exit_3() -> None:
    found, code = checks(*MUTE, "--provider", "acme")
    assert code == 3
    assert "openai" in found["provider"]["fix"]


def test_push_to_talk_without_a_terminal_is_exit_2() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks(*MUTE, "--ptt", "--base-url", server.url)
    assert code == 2
    assert "terminal" in found["options"]["fix"]


def test_the_local_server_is_loaded_and_asked() -> None:
    found, code = checks(*MUTE, "--local")
    assert code == 0, found
    assert {line["status"] for line in found.values()} == {"ok"}
    assert "loaded after" in found["session"]["finding"]
    assert "tokens" not in found["reply"]["finding"]


def test_weights_that_are_not_there_yet_are_no_failure_and_are_not_fetched(tmp_path: Path) -> None:
    found, code = checks(*MUTE, "--local", REALTIME_CLI_CACHE_DIR=str(tmp_path))
    assert code == 0
    assert found["weights"]["status"] == "warn"
    assert "93 MB" in found["weights"]["finding"]
    assert "session" not in found
    assert list(tmp_path.iterdir()) == []


def test_a_missing_part_of_the_local_server_is_exit_3_with_the_install_command(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['xllamacpp'] = None\n")
    found, code = checks(*MUTE, "--local", PYTHONPATH=f"{tmp_path}:{environment()['PYTHONPATH']}")
    assert code == 3
    assert "xllamacpp" in found["parts"]["finding"]
    assert "pip install" in found["parts"]["fix"]


def test_for_people_there_is_a_line_a_check_without_colours_where_there_is_no_terminal() -> None:
    done = run("doctor", *MUTE, "--provider", "openai")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == [
        "python",
        "settings",
        "terminal",
        "microphone",
        "loudspeaker",
        "key",
    ]
    assert lines[-1].endswith("set OPENAI_API_KEY in the environment or in .env, or use --local")
    assert last == "chat will not work: mend first what failed"


def test_signs_that_cannot_be_shown_become_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime_cli", "doctor", *MUTE, "--provider", "openai"],
        check=False,
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii"),
        timeout=PATIENCE_S,
    )
    assert done.returncode == 3, done.stderr
    first, *_, failed, _ = done.stdout.decode("ascii").splitlines()
    assert first.startswith("ok   python")
    assert failed.startswith("FAIL key")


def test_ctrl_c_does_not_wait_for_the_local_server_to_load() -> None:
    program = [sys.executable, "-m", "realtime_cli", "doctor", "--json", *MUTE, "--local"]
    running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["name"] == "weights":
            break
    running.send_signal(signal.SIGINT)
    rest, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert (rest, errors) == (b"", b"")


def test_results_come_one_by_one_and_ctrl_c_ends_with_130() -> None:
    with ScriptedServer(scripts.silent) as server:
        program = [sys.executable, "-m", "realtime_cli", "doctor", "--json", *MUTE, "--base-url", server.url]
        running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert running.stdout is not None
        for line in running.stdout:
            if json.loads(line)["name"] == "network":
                break
        running.send_signal(signal.SIGINT)
        rest, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert (rest, errors) == (b"", b"")
