"""From settings to what a conversation, and the session on the server, are asked to be."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from realtime_cli.cli.which_server import Server
from realtime_cli.conversation.options import ConversationOptions, SideChannel
from realtime_cli.errors import InputError
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions, languages_of, truncation_of, words_of
from realtime_cli.providers.prices import PriceList
from realtime_cli.providers.profiles import Provider
from realtime_cli.settings.settings import Settings
from realtime_cli.settings.sources import read_text

Shape = Literal["typed", "recorded", "voice"]
"""What the user's turns are: written, read from files, or spoken into a microphone."""

MAX_NAME_CHARS = 64
"""Of a side channel: a good deal less than what metadata take (512), but it stands before every line."""

SILENCE_MS = 500
"""What the endpoint's silence is taken to be where the user leaves it to the server (OpenAI documents 500 ms)."""

PADDING_MS = 300
"""The same of what is kept from before speech (https://platform.openai.com/docs/guides/realtime-vad)."""

CLOSING_SILENCE_MS = 2000
"""Behind speech for a server whose detection is always on: well over any default for the silence that ends a turn."""

SEMANTIC_WAIT_S = 8.0
"""The longest that semantic detection waits, at low eagerness (https://platform.openai.com/docs/guides/realtime-vad)."""


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
        return SEMANTIC_WAIT_S + 1.0
    return silence_s(wanted) + 1.0


def silence_s(wanted: SessionOptions) -> float:
    """The silence by which a server hears that somebody stopped; semantic detection waits for no certain one."""
    return (SILENCE_MS if wanted.silence_ms is None else wanted.silence_ms) / 1000


def _side_channel(said: str) -> SideChannel:
    """What ``NAME=TEXT`` or ``NAME=@FILE`` means. Raises InputError."""
    name, equals, prompt = said.partition("=")
    if prompt.startswith("@"):
        prompt = read_text(Path(prompt[1:]).expanduser(), "--side-channel")
    if not (equals and name.isprintable() and 0 < len(name.strip()) <= MAX_NAME_CHARS and prompt.strip()):
        raise InputError(f"--side-channel: {said[:40]!r} is not usable", "write NAME=TEXT or NAME=@FILE")
    return SideChannel(name.strip(), prompt.strip())
