"""From settings to the calls of a page: each with a session of this process, which joins it from the side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from realtime_cli.cli.conversation_options import conversation_options, session_options
from realtime_cli.cli.printing import tell, tell_wire
from realtime_cli.cli.resuming import Resumed, resumed
from realtime_cli.cli.saving import Saving, saving
from realtime_cli.cli.tool_options import remote_servers, toolboxes_of
from realtime_cli.cli.which_server import Server
from realtime_cli.cli.wiring import on_failure
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions, JoinedCall
from realtime_cli.conversation.past import Model, Past, User, newest
from realtime_cli.errors import InputError
from realtime_cli.ports import Transport
from realtime_cli.protocol.client_events import ClientEvent, ResponseCreate
from realtime_cli.protocol.dialects import Dialect, to_wire
from realtime_cli.protocol.session_body import session_update, without_nulls
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.providers.prices import prices_of
from realtime_cli.providers.profiles import LOCAL
from realtime_cli.session.drivers import Drivers
from realtime_cli.session.sending import Encoder
from realtime_cli.session.session import Session
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.transport.calls import Answer, place_call
from realtime_cli.transport.liveness import Limits
from realtime_cli.transport.websocket import WebSocketTransport
from realtime_cli.web.joining import Joining
from realtime_cli.web.page_calls import Begun, PastLine
from realtime_cli.web.page_channel import PageChannel

REJOIN_S = 3600.0
"""For how long a connection from the side is tried again: as long as a call lasts, which ends it."""

UNNAMED_CALL = "call"
"""What a call is named here that its server gives no name."""

MOST_PAST_LINES = 400
"""What a page shows of the past, the newest; a day's talk would make it slow."""

MakeSide = Callable[[str], Transport]
"""Makes a connection that joins the call of this id."""


class PageSessions:
    """Makes the calls of one run of the program. Its callers are threads of requests."""

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        server: Server,
        place: Endpoint,
        *,
        resume: str | None,
    ) -> None:
        """``place`` is where calls are taken, the embedded server's address too. Runs the files of ``--tools``.

        Raises errors of the configuration.
        """
        self._settings = settings
        self._environment = environment
        self._server = server
        self._place = place
        self.make_side: MakeSide = self._over_network
        """How a call is joined; to be changed where there is a shorter way than that address."""
        provider = server.provider
        self._wanted = session_options(settings, provider, "voice", spoken=True)
        remote = remote_servers(settings, environment, provider, server.dialect)
        self._wanted = replace(self._wanted, tools=remote)
        self._make_tools, self.hints = toolboxes_of(settings, environment, provider, on_failure(settings, environment))
        self._options = conversation_options(
            settings,
            server,
            "voice",
            self._wanted,
            plays=False,
            offers_tools=self._make_tools is not None,
            can_ask=True,
            prices=None if provider is LOCAL else prices_of(environment.file),
        )
        # By its id: what is the last one changes with what others hold meanwhile.
        self._taken_up = [self._resumed(resume).id] if resume else []
        """Conversations to go on with, the latest last; one in which nothing was said is not there."""

    def call(self, sdp: str, channel: PageChannel) -> tuple[Begun, Session]:
        """Make a call. Blocks for the network. Raises errors of this program."""
        provider = self._server.provider
        answer = place_call(self._place, self._bodies(), sdp, mints=provider.mints_secrets)
        earlier = self._earlier()
        kept = self._saving(earlier)
        if earlier and kept.id:
            self._taken_up.append(kept.id)
        tools = self._make_tools() if self._make_tools else None
        options = self._following(answer)
        joining = Joining(channel, self._side_of(answer), tell)
        session = Session(
            Drivers(
                core=Conversation(replace(options, saved_as=kept.saved_as)),
                view=channel,
                make_transport=joining.make,
                make_encoder=lambda: Encoder(answer.dialect),
                inputs=(channel,),
                tools=tools,
                make_journal=kept.make_journal,
                on_failure=on_failure(self._settings, self._environment),
            )
        )
        begun = Begun(
            sdp=answer.sdp,
            title=provider.title,
            model=self._place.model,
            past=_lines(earlier) if earlier else (),
            first=tuple(self._first(earlier, answer.dialect)),
            notices=(earlier.notice,) if earlier else (),
        )
        return begun, session

    def _bodies(self) -> dict[Dialect, dict[str, Any]]:
        """The session that is asked for, in the shape of either interface."""
        named = {"model": self._place.model} if self._place.model else {}
        bodies = {
            Dialect.GA: session_update(self._wanted, Dialect.GA) | named,
            Dialect.BETA: session_update(self._wanted, Dialect.BETA),
        }
        return bodies if self._server.provider.takes_nulls else {each: without_nulls(bodies[each]) for each in bodies}

    def _following(self, answer: Answer) -> ConversationOptions:
        """How a call is followed whose talking, hearing and typing is the page's."""
        remote = {"tools": list(self._wanted.tools)} if self._wanted.tools and self._make_tools else {}
        kind = {} if answer.dialect is Dialect.BETA else {"type": "realtime"}
        return replace(
            self._options,
            joined=JoinedCall(answer.call_id or UNNAMED_CALL, self._place.model),
            session=kind | remote if answer.configured else self._bodies()[answer.dialect],
            session_otherwise={},
            interruptions="never",
            can_cancel=False,
            can_truncate=False,
            reconnect_s=REJOIN_S,
        )

    def _side_of(self, answer: Answer) -> Callable[[], Transport] | None:
        return (lambda: self.make_side(answer.call_id)) if answer.call_id else None

    def _over_network(self, call_id: str) -> Transport:
        place = replace(self._place, url=f"{self._place.where}?{urlencode({'call_id': call_id})}")
        log = tell_wire if self._settings.debug else None
        return WebSocketTransport(place, limits=Limits.of(self._settings.ping_s), on_wire=log)

    def _earlier(self) -> Resumed | None:
        """The conversation to go on with: the latest that began here and is saved, or the one that was asked for."""
        for name in reversed(self._taken_up):
            try:
                return self._resumed(name)
            except InputError:
                continue
        return None

    def _resumed(self, name: str) -> Resumed:
        return resumed(self._environment, name, self._options.restore_tokens)

    def _saving(self, earlier: Resumed | None) -> Saving:
        kept = saving(
            self._settings,
            self._environment,
            command="web",
            provider=self._server.provider.name,
            model=self._settings.model or "",
            by_clock=True,
            resumed_from=earlier.id if earlier else None,
        )
        for notice in kept.notices:
            tell(notice)
        return kept

    def _first(self, earlier: Resumed | None, dialect: Dialect) -> list[str]:
        """What the page sends first: the past, or, where there is none, the wish to be greeted."""
        events: list[ClientEvent] = []
        if earlier:
            past = Past(earlier.past, budget_tokens=self._options.restore_tokens)
            events += [event for _, event in past.restoring()]
        elif self._settings.greet or self._settings.greeting:
            wish = {"instructions": self._settings.greeting} if self._settings.greeting else None
            events.append(ResponseCreate(response=wish))
        return [to_wire(event, dialect) for event in events]


def _lines(earlier: Resumed) -> tuple[PastLine, ...]:
    """The past as the page shows it."""
    lines: list[PastLine] = []
    for entry in newest(earlier.past, 1 << 30):
        if isinstance(entry, User) and entry.text:
            lines.append(PastLine("user", entry.text))
        elif isinstance(entry, Model):
            lines.append(PastLine("assistant", entry.text, entry.interrupted))
    return tuple(lines[-MOST_PAST_LINES:])
