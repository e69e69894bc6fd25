"""From settings to a session that can run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from realtime_cli.audio.core.meters import Meters
from realtime_cli.cli.conversation_options import Shape, conversation_options, session_options
from realtime_cli.cli.engine_choice import better_models
from realtime_cli.cli.printing import tell_traceback
from realtime_cli.cli.saving import Saving, saving
from realtime_cli.cli.tool_options import Prints, asking_at, remote_servers, toolbox_of
from realtime_cli.cli.which_server import Server, find_server, way_to
from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.ports import AudioSink, Input, Note, View
from realtime_cli.providers.prices import prices_of
from realtime_cli.providers.profiles import LOCAL
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
from realtime_cli.view.choose import choose_view
from realtime_cli.view.screen import is_screen

if TYPE_CHECKING:
    from realtime_cli.cli.resuming import Resumed
    from realtime_cli.tools.toolbox import Toolbox
    from realtime_cli.view.progress import Status

COMMANDS: dict[Shape, str] = {"typed": "say", "recorded": "ask", "voice": "chat"}
"""What a conversation of each shape is held with."""


class UserSide(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation has on the user's side: how it is heard and spoken, and what is typed."""

    make_source: MakeSource = nothing
    make_sink: MakeSink = nothing
    plays: bool = False
    """Whether ``make_sink`` makes one."""
    other_source: OtherSource = no_other
    other_sink: OtherSink = no_other
    make_echo_control: MakeEchoControl = nothing
    open_recording: OpenRecording = no_recordings
    inputs: tuple[Input, ...] = ()
    controls: Callable[[], Controls] = Controls
    facts: tuple[f.Fact, ...] = ()
    """What the user wants from the start."""
    interactive: bool = False
    """Whether somebody may write further turns."""
    status: Status | None = None
    """A line for the bottom of a terminal, where no live view is."""


def hold_conversation(
    settings: Settings, environment: Environment, shape: Shape, user: UserSide, *, resume: str | None = None
) -> int:
    """Hold one conversation from beginning to end, and return the exit code. Raises errors of the configuration.

    ``resume``: the saved conversation to go on with.
    """
    _check_files(settings, listens=shape == "voice", speaks=user.plays)
    server = find_server(settings, environment)
    settings = server.careful(settings)
    notices = [*server.notices, *server.fetched()]
    if server.engines is not None and shape == "voice" and sys.stderr.isatty():
        notices += better_models(server.engines)
    tools, hints = toolbox_of(settings, environment, server.provider, on_failure(settings, environment))
    remote = remote_servers(settings, environment, server.provider, server.dialect)
    wanted = replace(session_options(settings, server.provider, shape, spoken=user.plays), tools=remote)
    inputs, can_ask = asking_at(user.inputs, may_ask=bool(remote) or (tools is not None and tools.may_ask))
    options = conversation_options(
        settings,
        server,
        shape,
        wanted,
        plays=user.plays,
        offers_tools=tools is not None,
        can_ask=can_ask,
        prices=None if server.provider is LOCAL else prices_of(environment.file),
    )
    notices += [*options.left_out.get(server.dialect, ()), *server.passed_by(wanted), *hints]
    earlier = _resumed(environment, resume, options.restore_tokens) if resume else None
    if earlier:
        options = replace(options, past=earlier.past)
    kept = saving(
        settings,
        environment,
        command=COMMANDS[shape],
        provider=server.provider.name,
        model=settings.model or "",
        by_clock=shape == "voice",
        resumed_from=earlier.id if earlier else None,
    )
    options = replace(options, saved_as=kept.saved_as)
    begun = (f.Noted(earlier.notice),) if earlier else _greeting(settings)
    facts = (*map(f.Noted, (*notices, *kept.notices)), *begun, *user.facts)
    user = replace(user, inputs=inputs, facts=facts)
    session = Session(_drivers(settings, environment, server, shape, user, Conversation(options), kept, tools))
    if tools is None:
        return session.run()
    with redirect_stdout(Prints(session.note)):
        return session.run()


def _drivers(
    settings: Settings,
    environment: Environment,
    server: Server,
    shape: Shape,
    user: UserSide,
    core: Conversation,
    kept: Saving,
    tools: Toolbox | None,
) -> Drivers:
    """All that the session of a conversation is made of."""
    meters = Meters(
        microphone=shape == "voice" and settings.mic != "none", speaker=user.plays and settings.speaker != "none"
    )
    view = choose_view(
        settings,
        streaming=shape != "voice",
        interactive=user.interactive,
        echo_user=shape != "typed",
        controls=user.controls,
        meters=meters,
        environ=environment,
    )
    return Drivers(
        core=core,
        view=with_progress(view, settings, environment, user.status) if user.status else view,
        make_transport=way_to(server, settings, speech=shape != "typed" or user.plays, wire_log=kept.wire_log),
        make_encoder=server.encoder,
        make_source=user.make_source,
        make_sink=user.make_sink,
        other_source=user.other_source,
        other_sink=user.other_sink,
        make_echo_control=user.make_echo_control,
        open_recording=user.open_recording,
        meters=meters,
        inputs=user.inputs,
        # Where single keys are read, Ctrl-C is one of them, and they see to that themselves.
        interrupt_stops_reply=(
            user.interactive and shape == "typed" and sys.stdin.isatty() and not user.controls().keyboard
        ),
        tools=tools,
        make_journal=kept.make_journal,
        make_recorder=kept.make_recorder,
        wire_log=kept.wire_log,
        first_facts=user.facts,
        on_failure=on_failure(settings, environment),
    )


def _resumed(environment: Environment, name: str, budget_tokens: int) -> Resumed:
    from realtime_cli.cli.resuming import resumed  # the index of saved conversations: for those who resume one

    return resumed(environment, name, budget_tokens)


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


def _greeting(settings: Settings) -> tuple[f.Fact, ...]:
    """The wish that the model speaks first, if there is one."""
    return (f.Wanted(settings.greeting),) if settings.greet or settings.greeting else ()


def speaking(settings: Settings, source: Path | None = None) -> UserSide:
    """Speak replies, which cannot be interrupted, where ``--speaker`` says; without one there is no sound.

    ``source`` may not be overwritten.
    """
    if settings.speaker is None or settings.text_only:
        return UserSide()

    def make_sink(_note: Note, pending_frames: Callable[[], int]) -> AudioSink | None:
        from realtime_cli.audio.drivers.choose import open_reply_sink  # a written reply does without

        return open_reply_sink(settings.speaker, pending_frames, source=source)

    return UserSide(make_sink=make_sink, plays=settings.speaker != "none")
