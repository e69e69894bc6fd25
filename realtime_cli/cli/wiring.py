"""From settings to a session that can run."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from msgspec.structs import replace

from realtime_cli.audio.core.meters import Meters
from realtime_cli.cli.engine_choice import better_models
from realtime_cli.cli.printing import tell_traceback
from realtime_cli.cli.resuming import resumed
from realtime_cli.cli.saving import saving
from realtime_cli.cli.tool_options import Prints, asking_at, remote_servers, toolbox_of
from realtime_cli.cli.which_server import Server, find_server, way_to
from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions, SideChannel
from realtime_cli.errors import InputError
from realtime_cli.ports import AudioSink, Input, Note, View
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions, languages_of, truncation_of, words_of
from realtime_cli.providers.prices import PriceList, prices_of
from realtime_cli.providers.profiles import LOCAL, Provider
from realtime_cli.session.drivers import (
    Drivers,
    MakeEchoControl,
    MakeSink,
    MakeSource,
    OpenRecording,
    OtherSink,
    OtherSource,
    no_other,
    no_recordings,
    nothing,
)
from realtime_cli.session.session import Session
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.settings.sources import read_text
from realtime_cli.view.choose import choose_view
from realtime_cli.view.screen import is_screen

if TYPE_CHECKING:
    from realtime_cli.view.progress import Status

Shape = Literal["typed", "recorded", "voice"]
"""What the user's turns are: written, read from files, or spoken into a microphone."""

COMMANDS: dict[Shape, str] = {"typed": "say", "recorded": "ask", "voice": "chat"}
"""What a conversation of each shape is held with."""

MAX_NAME_CHARS = 64
"""Of a side channel: a good deal less than what metadata take (512), but it stands before every line."""

SILENCE_MS = 500
"""What the endpoint's silence is taken to be where the user leaves it to the server (OpenAI documents 500 ms)."""

PADDING_MS = 300
"""The same of what is kept from before speech (https://platform.openai.com/docs/guides/realtime-vad)."""

CLOSING_SILENCE_MS = 2000
"""Behind speech for a server whose detection is always on: well over any default for the silence that ends a turn."""

SEMANTIC_PATIENCE_S = 8.0
"""The longest that semantic detection waits, at low eagerness (https://platform.openai.com/docs/guides/realtime-vad)."""


def hold(  # noqa: PLR0913 -- a conversation has this many sides
    settings: Settings,
    environment: Environment,
    shape: Shape,
    *,
    make_source: MakeSource = nothing,
    make_sink: MakeSink = nothing,
    other_source: OtherSource = no_other,
    other_sink: OtherSink = no_other,
    make_echo_control: MakeEchoControl = nothing,
    open_recording: OpenRecording = no_recordings,
    plays: bool = False,
    inputs: tuple[Input, ...] = (),
    controls: Callable[[], Controls] = Controls,
    facts: tuple[f.Fact, ...] = (),
    interactive: bool = False,
    resume: str | None = None,
    status: Status | None = None,
) -> int:
    """Hold one conversation from beginning to end, and return the exit code. Raises errors of the configuration.

    ``plays``: ``make_sink`` makes one. ``interactive``: somebody may write further turns. ``resume``: the saved
    conversation to go on with. ``status``: a line for the bottom of a terminal, where no live view is.
    """
    _check_files(settings, listens=shape == "voice", speaks=plays)
    server = find_server(settings, environment)
    settings = server.careful(settings)
    provider, notices = server.provider, server.notices
    if server.engines is not None:
        from realtime_cli.cli.fetch import fetch_visibly  # the optional part

        notices += fetch_visibly(server.engines.weights())
        if shape == "voice" and interactive:
            notices += better_models(server.engines)
    wanted = session_options(settings, provider, shape, spoken=plays)
    remote = remote_servers(settings, environment, provider, server.dialect)
    wanted = replace(wanted, tools=remote)
    tools, hints = toolbox_of(settings, environment, provider, on_failure(settings, environment))
    inputs, can_ask = asking_at(inputs, may_ask=bool(remote) or (tools is not None and tools.may_ask))
    options = conversation_options(
        settings,
        server,
        shape,
        wanted,
        plays=plays,
        offers_tools=tools is not None,
        can_ask=can_ask,
        prices=None if provider is LOCAL else prices_of(environment.file),
    )
    notices += [*options.left_out.get(server.dialect, ()), *server.passed_by(wanted)]
    earlier = resumed(environment, resume, options.restore_tokens) if resume else None
    if earlier:
        options = replace(options, past=earlier.past)
    kept = saving(
        settings,
        environment,
        command=COMMANDS[shape],
        provider=provider.name,
        model=settings.model or "",
        by_clock=shape == "voice",
        resumed_from=earlier.id if earlier else None,
    )
    meters = Meters(
        microphone=shape == "voice" and settings.mic != "none", speaker=plays and settings.speaker != "none"
    )
    view = choose_view(
        settings,
        streaming=shape != "voice",
        interactive=interactive,
        echo_user=shape != "typed",
        controls=controls,
        meters=meters,
        environ=environment,
    )
    begun = (f.Noted(earlier.notice),) if earlier else _greeting(settings)
    session = Session(
        Drivers(
            core=Conversation(replace(options, saved_as=kept.saved_as)),
            view=with_progress(view, settings, environment, status) if status else view,
            make_transport=way_to(server, settings, speech=shape != "typed" or plays, wire_log=kept.wire_log),
            make_encoder=server.encoder,
            make_source=make_source,
            make_sink=make_sink,
            other_source=other_source,
            other_sink=other_sink,
            make_echo_control=make_echo_control,
            open_recording=open_recording,
            meters=meters,
            inputs=inputs,
            # Where single keys are read, Ctrl-C is one of them, and they see to that themselves.
            interrupt_stops_reply=interactive and shape == "typed" and sys.stdin.isatty() and not controls().keyboard,
            tools=tools,
            make_journal=kept.make_journal,
            make_recorder=kept.make_recorder,
            wire_log=kept.wire_log,
            first_facts=(*(f.Noted(text) for text in (*notices, *hints, *kept.notices)), *begun, *facts),
            on_failure=on_failure(settings, environment),
        )
    )
    if tools is None:
        return session.run()
    with redirect_stdout(Prints(session.note)):
        return session.run()


def conversation_options(
    settings: Settings,
    server: Server,
    shape: Shape,
    wanted: SessionOptions,
    *,
    plays: bool,
    offers_tools: bool = False,
    can_ask: bool = False,
    prices: PriceList | None = None,
) -> ConversationOptions:
    """What the conversation must know beforehand."""
    provider = server.provider
    sessions = server.sessions(settings, wanted, session_update)
    return ConversationOptions(
        provider=provider.name,
        key=server.key,
        session=sessions.pop(server.dialect),
        session_otherwise=sessions,
        left_out=server.left_out(settings, wanted, session_update),
        own_settings=own_settings(settings),
        server_decides_turns=wanted.vad != "off",
        detection_always_on=provider.detection_always_on,
        closing_silence_ms=CLOSING_SILENCE_MS + (settings.silence_ms or 0),
        server_answers=settings.auto_response and settings.interruptions == "always",
        server_interrupts=settings.interruptions == "always",
        interruptions=settings.interruptions,
        silence_s=silence_s(wanted),
        padding_s=(PADDING_MS if wanted.prefix_padding_ms is None else wanted.prefix_padding_ms) / 1000,
        languages=wanted.languages,
        asks_for_answers=settings.auto_response and settings.interruptions != "always",
        transcribes_user=wanted.transcription_model is not None or provider.transcribes_unasked,
        push_to_talk=settings.ptt,
        talk_limit_s=settings.ptt_max_s,
        listens=shape == "voice",
        can_cancel=provider.can_cancel,
        can_truncate=provider.can_truncate,
        side_channels=tuple(map(_side_channel, settings.side_channel)),
        max_turns=settings.max_turns,
        offers_tools=offers_tools,
        can_ask=can_ask,
        tool_timeout_s=settings.tool_timeout,
        max_tool_rounds=settings.max_tool_rounds,
        answer_timeout_s=settings.answer_timeout,
        reconnect_s=server.reconnect_s(settings),
        seed=secrets.randbits(31),
        plays=plays,
        wants_sound=plays and not wanted.text_only,
        prices=prices,
        transcription_model=wanted.transcription_model or "",
        budget_usd=settings.budget,
        idle_timeout_s=settings.idle_timeout,
        mic_end_grace_s=mic_end_grace_s(wanted),
    )


def _check_files(settings: Settings, *, listens: bool, speaks: bool) -> None:
    """What can be wrong with files is found before anything is fetched, asked or paid for. Raises InputError."""
    if (listens and settings.mic) or (speaks and settings.speaker):
        from realtime_cli.audio.drivers.choose import check_files  # typed turns do without

        check_files(settings.mic if listens else None, settings.speaker if speaks else None)


def with_progress(view: View, settings: Settings, environment: Environment, status: Status) -> View:
    """The view with a line of progress on standard error, if that is a terminal and no flag speaks against it."""
    if settings.quiet or settings.plain or not is_screen(sys.stderr, environment):
        return view
    from realtime_cli.view.progress import ProgressView  # wcwidth: for terminals only

    return ProgressView(view, sys.stderr, status)


def on_failure(settings: Settings, environment: Environment) -> Callable[[BaseException], None]:
    """What is done about an error that ends a thread: its traceback, for ``--debug`` only."""
    return partial(tell_traceback, secrets=environment.secrets) if settings.debug else lambda _error: None


def _side_channel(said: str) -> SideChannel:
    """What ``NAME=TEXT`` or ``NAME=@FILE`` means. Raises InputError."""
    name, equals, prompt = said.partition("=")
    if prompt.startswith("@"):
        prompt = read_text(Path(prompt[1:]).expanduser(), "--side-channel")
    if not (equals and name.isprintable() and 0 < len(name.strip()) <= MAX_NAME_CHARS and prompt.strip()):
        raise InputError(f"--side-channel: {said[:40]!r} is not usable", "write NAME=TEXT or NAME=@FILE")
    return SideChannel(name.strip(), prompt.strip())


def _greeting(settings: Settings) -> tuple[f.Fact, ...]:
    """The wish that the model speaks first, if there is one."""
    return (f.Wanted(settings.greeting),) if settings.greet or settings.greeting else ()


def session_options(settings: Settings, provider: Provider, shape: Shape, *, spoken: bool) -> SessionOptions:
    """What the settings ask of the server."""
    transcription = settings.transcription_model or provider.transcription_model
    return SessionOptions(
        model=settings.model,
        instructions=settings.instructions,
        voice=settings.voice,
        speed=settings.speed,
        languages=languages_of(settings.language),
        max_output_tokens=settings.max_output_tokens,
        vad=settings.vad if shape == "voice" and not settings.ptt else "off",
        vad_threshold=settings.vad_threshold,
        silence_ms=settings.silence_ms,
        prefix_padding_ms=settings.prefix_padding_ms,
        idle_timeout_ms=settings.idle_timeout_ms,
        eagerness=settings.eagerness,
        create_response=None if settings.auto_response and settings.interruptions == "always" else False,
        interrupt_response=None if settings.interruptions == "always" else False,
        noise_reduction=settings.noise_reduction,
        transcription_model=None if transcription == "off" or shape == "typed" else transcription,
        keywords=words_of(settings.keywords),
        reasoning=settings.reasoning,
        truncation=truncation_of(settings.truncation),
        text_only=settings.text_only or not spoken,
    )


def own_settings(settings: Settings) -> frozenset[str]:
    """What is asked of the session that the user did not name: it is left out where a server refuses it."""
    return frozenset() if settings.transcription_model else frozenset({"transcription"})


def mic_end_grace_s(wanted: SessionOptions) -> float:
    """How long a server may take to notice that a file microphone's last words are over, with a second to spare."""
    if wanted.vad == "semantic":
        return SEMANTIC_PATIENCE_S + 1.0
    return silence_s(wanted) + 1.0


def silence_s(wanted: SessionOptions) -> float:
    """The silence by which a server hears that somebody stopped; semantic detection waits for no certain one."""
    return (SILENCE_MS if wanted.silence_ms is None else wanted.silence_ms) / 1000


class Speaking(TypedDict):
    """Where a reply is spoken that cannot be interrupted: arguments of :func:`hold`."""

    make_sink: MakeSink
    plays: bool


def speaking(settings: Settings, source: Path | None = None) -> Speaking:
    """Speak replies where ``--speaker`` says; without one there is no sound. ``source`` may not be overwritten."""
    if settings.speaker is None or settings.text_only:
        return Speaking(make_sink=nothing, plays=False)

    def make_sink(_note: Note, pending_frames: Callable[[], int]) -> AudioSink | None:
        from realtime_cli.audio.drivers.choose import open_reply_sink  # a written reply does without

        return open_reply_sink(settings.speaker, pending_frames, source=source)

    return Speaking(make_sink=make_sink, plays=settings.speaker != "none")
