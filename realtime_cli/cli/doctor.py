"""``realtime-cli doctor``: whether ``chat`` would work, and if not, what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec

from msgspec.structs import replace

from realtime_cli.audio.drivers.choose import is_device
from realtime_cli.cli.chat import check_usage
from realtime_cli.cli.conversation_options import conversation_options, session_options
from realtime_cli.cli.tool_options import toolbox_of
from realtime_cli.cli.which_server import Server, find_provider, find_server, way_to
from realtime_cli.doctor import sound as sound_checks
from realtime_cli.doctor.check import Check, Status, doubtful, failed, good
from realtime_cli.doctor.local import check_neighbours, check_weights
from realtime_cli.doctor.report import report_to
from realtime_cli.doctor.server import check_network, check_session
from realtime_cli.doctor.system import check_python, check_settings, check_terminal
from realtime_cli.doctor.tools import FIX, NAME, check_tools
from realtime_cli.doctor.verdicts import EchoProtection
from realtime_cli.errors import INTERRUPTED_EXIT_CODE, InputError, RealtimeError
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.server.engines.choice import EngineChoice
from realtime_cli.settings.settings import Environment, Settings

Checks = Iterator[Check | str]
"""What was found, and between that a word about what begins now, where it takes a moment."""


def run(settings: Settings, environment: Environment, *, no_sound: bool, no_turn: bool) -> int:
    """Check, and print a line a check. Blocks. Returns what ``chat`` would end with."""
    report = report_to(as_json=settings.json)
    exit_code = 0
    try:
        for found in _checks(settings, environment, sound=not no_sound, turn=not no_turn):
            if isinstance(found, str):
                report.begin(found)
            else:
                report.show(found)
                exit_code = exit_code or found.exit_code
    except KeyboardInterrupt:
        # Engines that load cannot be stopped, and the interpreter would wait for them before it ends.
        sys.stdout.flush()
        os._exit(INTERRUPTED_EXIT_CODE)
    report.end(exit_code)
    return exit_code


def _checks(settings: Settings, environment: Environment, *, sound: bool, turn: bool) -> Checks:
    yield check_python()
    config = environment.file.path
    yield check_settings(environment.dotenv_path, config if config and config.exists() else None, settings.profile)
    yield "asking the terminal"
    yield check_terminal()
    yield from _usage(settings)
    yield from _sound(settings, chirp=sound)
    yield from _server(settings, environment, turn=turn)


def _usage(settings: Settings) -> Checks:
    try:
        check_usage(settings)
    except InputError as error:
        yield failed("options", error)


def _sound(settings: Settings, *, chirp: bool) -> Checks:
    """Files and pipes need no PortAudio; each look needs what the one before it found."""
    mic, speaker = settings.mic, settings.speaker
    hears, plays = is_device(mic), is_device(speaker)
    if hears or plays:
        yield (found := sound_checks.check_portaudio())
        if found.status is Status.FAIL:
            return
        yield (found := sound_checks.check_devices(mic, speaker))
        if found.status is Status.FAIL:
            return
    yield "listening: say something"
    yield (microphone := sound_checks.check_microphone(mic, on_demand=settings.ptt))
    yield (loudspeaker := sound_checks.check_loudspeaker(speaker, mic))
    if chirp and hears and plays and Status.FAIL not in (microphone.status, loudspeaker.status):
        yield "listening for a chirp"
        yield sound_checks.check_echo(mic, speaker, _echo_protection(settings))


def _echo_protection(settings: Settings) -> EchoProtection:
    if settings.ptt or settings.half_duplex:
        return EchoProtection.TURNS
    if not settings.aec:
        return EchoProtection.OFF
    return EchoProtection.CANCELLER if find_spec("pywebrtc_audio") else EchoProtection.MISSING


def _server(settings: Settings, environment: Environment, *, turn: bool) -> Checks:
    try:
        server = find_server(settings, environment)
    except RealtimeError as error:
        yield failed(_failed_check(settings, environment), error)
        return
    settings = server.careful(settings)
    if (yield from _embedded(server) if server.place is None else _remote(server, server.place, environment)):
        yield from _tools(settings, environment, server)
        yield from _session(settings, server, turn=turn)


def _failed_check(settings: Settings, environment: Environment) -> str:
    """Which check it is that failed when no server can be found."""
    try:
        provider, _ = find_provider(settings, environment)
    except RealtimeError:
        return "parts" if settings.provider == "local" else "provider"
    return "key" if provider.key_needed and provider.key_variable not in environment else "provider"


def _embedded(server: Server) -> Generator[Check | str, None, bool]:
    """Returns whether it can be tried."""
    yield good("provider", "; ".join(server.notices) or server.provider.title)
    yield good("parts", "all packages of the local voice server are installed")
    engines = server.engines or EngineChoice()
    yield from check_neighbours(engines)
    there = True
    for weights in check_weights(engines):
        there = there and weights.status is Status.OK
        yield weights
    yield "loading the local voice server"
    return there


def _remote(server: Server, place: Endpoint, environment: Environment) -> Generator[Check | str, None, bool]:
    """Returns whether it can be reached."""
    yield good("provider", server.provider.title)
    variable = place.target.key.variable
    if place.notice:
        yield doubtful("key", place.notice, "use https:// or wss://")
    elif place.key:
        yield good("key", f"there is one in {environment.origin(variable)}")
    else:
        yield good("key", f"none in {variable}: none is sent" if variable else "none is needed")
    yield "connecting"
    yield (network := check_network(place))
    return network.status is not Status.FAIL


def _tools(settings: Settings, environment: Environment, server: Server) -> Checks:
    try:
        with redirect_stdout(sys.stderr):  # the files of --tools may print
            toolbox, _ = toolbox_of(settings, environment, server.provider, lambda _error: None)
    except RealtimeError as error:
        yield failed(NAME, error, FIX)
        return
    if toolbox:
        yield "starting the tools"
        yield check_tools(toolbox)


HELLO_S = 30.0
"""How long a server may take to open a session, and the embedded one to load: ten times what it needs."""


def _session(settings: Settings, server: Server, *, turn: bool) -> Checks:
    """The session of a chat, with a written turn in it: nobody speaks, and no function is offered."""
    transport = way_to(server, settings, speech=True)(lambda _notice: None)
    wanted = session_options(settings, server.provider, "voice", spoken=not settings.text_only)
    spoken = replace(settings, ptt=False, side_channel=())
    options = conversation_options(spoken, server, "typed", wanted, plays=not settings.text_only)
    options = replace(options, hello_timeout_s=HELLO_S)
    yield from check_session(transport, options, server.dialect, embedded=server.place is None, turn=turn)
