"""Which server the settings mean, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from realtime_cli.cli.engine_choice import engines_of
from realtime_cli.cli.fetch import fetch_visibly
from realtime_cli.cli.printing import tell_wire
from realtime_cli.journal.writer import WireLog
from realtime_cli.ports import Note, Transport
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import Key
from realtime_cli.protocol.session_body import MakeBody, left_out, without_nulls
from realtime_cli.protocol.session_options import SessionOptions, flag_of
from realtime_cli.providers.endpoint import Endpoint, Intent, endpoint, is_loopback
from realtime_cli.providers.profiles import LOCAL, Provider, choose_provider
from realtime_cli.providers.user import known_providers
from realtime_cli.server.engines.choice import EngineChoice
from realtime_cli.server.engines.optional_packages import missing_parts, require_parts
from realtime_cli.session.sending import Encoder
from realtime_cli.settings.settings import ENV_PREFIX, Environment, Settings

if TYPE_CHECKING:
    from realtime_cli.transport.loopback import Kind


class Server(msgspec.Struct, frozen=True):
    """Where a session is held; ``place`` is None for the embedded server."""

    provider: Provider
    place: Endpoint | None
    notices: list[str]
    """What the user should know about the choice."""
    of_folder: bool = False
    """Its address is from the ``.env`` of a folder that the user has not trusted."""
    engines: EngineChoice | None = None
    """What the embedded server is made of."""

    def fetched(self) -> list[str]:
        """Fetch the weights of the embedded server's engines that are missing, and what the user should know of them.

        Blocks, and shows how far it is. Raises what keeps a chat from working.
        """
        return [] if self.engines is None else fetch_visibly(self.engines.weights())

    def careful(self, settings: Settings) -> Settings:
        """The settings for this server: a folder's may run nothing unasked, and is told no keys of MCP servers."""
        return replace(settings, confirm_tools="always", remote_mcp=()) if self.of_folder else settings

    @property
    def dialect(self) -> Dialect:
        """The shape of what is sent."""
        return self.place.dialect if self.place else Dialect.GA

    def reconnect_s(self, settings: Settings) -> float:
        """For how long a lost connection is tried again: the embedded server is not lost to a network."""
        return settings.reconnect_s if self.place else 0.0

    def encoder(self) -> Encoder:
        """Make what puts the messages into that shape, and audio into the server's rate."""
        return Encoder(self.dialect, self.provider.input_rate_hz)

    def other_dialects(self, settings: Settings) -> tuple[Dialect, ...]:
        """What the server may turn out to speak instead; nothing where the user said what it is.

        Nor for xAI: what it shows of a session can be taken for either of the others.
        """
        if self.place is None or settings.dialect or self.dialect is Dialect.XAI:
            return ()
        return tuple(other for other in Dialect if other is not self.dialect)

    def sessions(self, settings: Settings, wanted: SessionOptions, make: MakeBody) -> dict[Dialect, dict[str, Any]]:
        """What is asked of the session, as ``make`` says it: in each dialect that may be spoken."""
        bodies = {each: self._body(wanted, make, each) for each in (self.dialect, *self.other_dialects(settings))}
        if not self.provider.names_transcriptions and Dialect.BETA in bodies:
            bodies[Dialect.BETA].pop("type", None)
        return bodies

    def left_out(self, settings: Settings, wanted: SessionOptions, make: MakeBody) -> dict[Dialect, tuple[str, ...]]:
        """What the user should know, by the dialect that is spoken: which options the server is not told, and why."""
        dialects = (self.dialect, *self.other_dialects(settings))
        return {dialect: tuple(self._left_out(settings, wanted, make, dialect)) for dialect in dialects}

    def passed_by(self, wanted: SessionOptions) -> list[str]:
        """What the user should know of options that the server takes and does nothing with."""
        names = (name for name in SessionOptions.__struct_fields__ if name in self.provider.passes_by)
        return [
            f"{flag_of(name)} changes nothing: {self.provider.title} takes it, and does without"
            for name in names
            if getattr(wanted, name)
        ]

    def _left_out(self, settings: Settings, wanted: SessionOptions, make: MakeBody, dialect: Dialect) -> Iterator[str]:
        of_provider = dialect is self.provider.dialect or not self.provider.takes_nulls
        who = self.provider.title if of_provider else f"the {dialect.value} dialect"
        in_full, sent = partial(make, dialect=Dialect.GA), partial(self._body, make=make, dialect=dialect)
        for name in left_out(wanted, in_full, sent):
            # Its own transcription model is no wish of the user's.
            if name != "transcription_model" or settings.transcription_model:
                yield f"{flag_of(name)} is left out: {who} has no setting for it"

    def _body(self, wanted: SessionOptions, make: MakeBody, dialect: Dialect) -> dict[str, Any]:
        made = make(wanted, dialect)
        return made if self.provider.takes_nulls else without_nulls(made)

    @property
    def key(self) -> Key:
        """What became of the key, for messages."""
        return self.place.target.key if self.place else Key()


def find_server(settings: Settings, environment: Environment, intent: Intent = "conversation") -> Server:
    """The server that the settings ask for. Raises errors of the configuration."""
    provider, notices = find_provider(settings, environment)
    if provider is LOCAL:
        engines = engines_of(settings, environment, replies=intent == "conversation")
        return Server(provider, None, notices, engines=engines)
    dialect = Dialect(settings.dialect) if settings.dialect else None
    place = endpoint(
        provider, environment, base_url=settings.base_url, model=settings.model, dialect=dialect, intent=intent
    )
    if place.notice:
        notices.append(place.notice)
    of_folder = _is_of_folder(settings, environment, provider)
    if of_folder and not is_loopback(place.where):
        notices.append(f"connecting to {place.where}, as {environment.dotenv_path} says")
    return Server(provider, place, notices, of_folder)


def _is_of_folder(settings: Settings, environment: Environment, provider: Provider) -> bool:
    if environment.trusted:
        return False
    if settings.base_url:
        variable = f"{ENV_PREFIX}BASE_URL"
        return environment.in_dotenv(variable) and settings.base_url == environment[variable]
    return environment.in_dotenv(provider.base_url_variable)


def find_provider(settings: Settings, environment: Environment) -> tuple[Provider, list[str]]:
    """The provider, and what the user should know about the choice. Raises ConfigError."""
    # Who names a language model for the embedded server means that server, whatever keys are set.
    by_lm = settings.provider == "auto" and settings.lm and not settings.base_url
    name = "local" if by_lm else settings.provider
    provider = choose_provider(
        name,
        environment,
        local_available=not missing_parts(),
        base_url=settings.base_url,
        known=known_providers(environment.file),
    )
    if provider is LOCAL:
        require_parts()
        if name == "auto":
            return provider, ["no OPENAI_API_KEY is set: talking with the embedded local server"]
    return provider, []


def way_to(
    server: Server,
    settings: Settings,
    *,
    speech: bool,
    kind: Kind = "realtime",
    wire_log: WireLog | None = None,
) -> Callable[[Note], Transport]:
    """What makes connections to the server; ``speech`` and ``kind`` say what the embedded one has to load.

    ``wire_log`` gets the messages of all of them.
    """
    logs = (*((tell_wire,) if settings.debug else ()), *((wire_log.put,) if wire_log else ()))

    def on_wire(direction: str, message: str) -> None:
        for log in logs:
            log(direction, message)

    log = on_wire if logs else None
    if server.place is None:
        from realtime_cli.server.local_server import load_server  # the optional part
        from realtime_cli.transport.loopback import LoopbackTransport

        load = partial(load_server, choice=server.engines, speech=speech, replies=kind == "realtime")
        return lambda note: LoopbackTransport(load, note, kind, on_wire=log)
    from realtime_cli.transport.liveness import Limits
    from realtime_cli.transport.websocket import WebSocketTransport  # only where there is a network

    place = server.place
    limits = Limits.of(settings.ping_s)
    return lambda _note: WebSocketTransport(place, limits=limits, on_wire=log)
