"""The servers this program knows, as data: where they are, how they are asked, and what they lack.

A server that is not listed is reached with ``--base-url``, and ``--dialect`` where it needs one; or the user describes
it in the config file (``user.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import ConfigError
from realtime_cli.protocol.dialects import Dialect

GENERAL_KEY = "OPENAI_API_KEY"
GENERAL_BASE_URL = "OPENAI_BASE_URL"
INSTALL_LOCAL = 'pip install "realtime-voice-cli[local]"'


class Auth(Enum):
    """How the key is sent."""

    BEARER = "bearer"
    """``Authorization: Bearer``"""
    API_KEY = "api-key"
    """A header of that name."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One server, or one kind of server. What it lacks is said so that the conversation can do without."""

    name: str
    title: str
    base_url: str = ""
    """Empty where the environment or the user has to say it."""
    base_url_variable: str = ""
    key_variable: str = ""
    """Empty where no key is ever sent."""
    key_needed: bool = False
    auth: Auth = Auth.BEARER
    dialect: Dialect = Dialect.GA
    beta_header: bool = False
    """Send ``OpenAI-Beta: realtime=v1`` when the beta dialect is spoken."""
    model: str = ""
    """The default; empty where none can be known."""
    model_needed: bool = False
    model_variable: str = ""
    transcription_model: str | None = None
    """What writes down the user's speech by default; None where the server has its own way, or none."""
    transcribes_unasked: bool = False
    """The user's transcript comes without a transcription model being named."""
    says_intent: bool = False
    """The URL also says ``intent=conversation``."""
    can_cancel: bool = True
    """The server takes ``response.cancel``."""
    can_truncate: bool = True
    """The server takes ``conversation.item.truncate``."""
    detection_always_on: bool = False
    """The server's voice detection cannot be turned off: recordings and push-to-talk end in a silence, not a commit."""
    takes_nulls: bool = True
    """A setting is cleared by an explicit null; without this, what would be null is left out."""
    transcribes: bool = True
    """The server has transcription sessions (``transcribe``)."""
    names_transcriptions: bool = True
    """With the beta dialect: it knows ``transcription_session.update``, and not only ``session.update``."""
    mints_secrets: bool = True
    """The server has ephemeral client secrets (``token``)."""
    passes_by: frozenset[str] = frozenset()
    """Names of session options that the server takes and does nothing with."""
    input_rate_hz: int = RATE_HZ
    """The rate of the audio that the server takes; what it sends is 24 kHz always."""


OPENAI = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    base_url_variable=GENERAL_BASE_URL,
    key_variable=GENERAL_KEY,
    key_needed=True,
    # gpt-realtime and gpt-realtime-mini retire on 2027-01-20 (https://platform.openai.com/docs/deprecations).
    model="gpt-realtime-2.1",
    model_variable="OPENAI_REALTIME_MODEL",
    # whisper-1 and all of the gpt-4o transcription models retire on 2027-02-26 (same page); gpt-live-transcribe
    # costs four times as much and refuses voice detection.
    transcription_model="gpt-transcribe",
)

AZURE = Provider(
    name="azure",
    title="Azure OpenAI",
    base_url_variable="AZURE_OPENAI_ENDPOINT",
    key_variable="AZURE_OPENAI_API_KEY",
    key_needed=True,
    auth=Auth.API_KEY,
    model_needed=True,  # the name of a deployment, which is the user's own
    model_variable="OPENAI_REALTIME_MODEL",
    # The one in Azure's guide (https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio).
    transcription_model="whisper-1",
)

XAI = Provider(
    name="xai",
    title="xAI",
    base_url="wss://api.x.ai/v1",
    key_variable="XAI_API_KEY",
    key_needed=True,
    dialect=Dialect.XAI,
    model="grok-voice-latest",  # https://docs.x.ai/docs/guides/voice/agent
    transcribes_unasked=True,
    transcribes=False,
)

SPEACHES = Provider(
    name="speaches",
    title="Speaches",
    base_url="ws://localhost:8000/v1",
    base_url_variable="SPEACHES_BASE_URL",
    key_variable="SPEACHES_API_KEY",
    dialect=Dialect.BETA,
    model_needed=True,  # a model of the language server behind it
    says_intent=True,
    transcribes_unasked=True,
    can_cancel=False,
    can_truncate=False,
    # A null in a session is an invalid event there (https://github.com/speaches-ai/speaches, types/realtime.py).
    takes_nulls=False,
    names_transcriptions=False,
)

LOCALAI = Provider(
    name="localai",
    title="LocalAI",
    base_url="ws://localhost:8080/v1",
    key_variable="LOCALAI_API_KEY",
    model_needed=True,  # the name of a pipeline
    transcribes_unasked=True,
    mints_secrets=False,
)

SPEECH_TO_SPEECH = Provider(
    name="speech-to-speech",
    title="Hugging Face speech-to-speech",
    base_url="ws://127.0.0.1:8765/v1",
    transcribes_unasked=True,
    # turn_detection: null is passed by, a commit ends nothing, and there is no input_audio_buffer.clear (1.1.0).
    detection_always_on=True,
    transcribes=False,
    mints_secrets=False,
)

DASHSCOPE = Provider(
    name="dashscope",
    title="Alibaba DashScope",
    base_url="wss://dashscope-intl.aliyuncs.com/api-ws/v1",
    key_variable="DASHSCOPE_API_KEY",
    key_needed=True,
    dialect=Dialect.BETA,
    model="qwen3.5-omni-plus-realtime",  # https://www.alibabacloud.com/help/en/model-studio/realtime
    transcribes_unasked=True,
    can_truncate=False,
    input_rate_hz=16_000,
)

LOCAL = Provider(
    name="local",
    title="the embedded local server",
    transcription_model="local",
    passes_by=frozenset({"reasoning", "truncation", "noise_reduction", "keywords"}),
)
"""In this process: no URL and no key."""

CUSTOM = Provider(
    name="custom",
    title="the server at --base-url",
    base_url_variable=GENERAL_BASE_URL,
    key_variable=GENERAL_KEY,
    beta_header=True,
    model_variable="OPENAI_REALTIME_MODEL",
    transcription_model="whisper-1",  # the name that most compatible servers take, whatever they run behind it
)
"""Any compatible server; a key is sent when there is one."""

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (OPENAI, AZURE, XAI, SPEACHES, LOCALAI, SPEECH_TO_SPEECH, DASHSCOPE, LOCAL, CUSTOM)
}


def choose_provider(
    name: str,
    environment: Mapping[str, str],
    *,
    local_available: bool,
    base_url: str | None = None,
    known: Mapping[str, Provider] = PROVIDERS,
) -> Provider:
    """The provider called ``name``; for ``auto`` the one that a URL, a key, or the installation speaks for.

    Raises ConfigError for an unknown name, and for ``auto`` with neither a key nor the local part.
    """
    if name != "auto":
        if name not in known:
            raise ConfigError(f"there is no provider {name!r}", f"choose auto or one of {', '.join(sorted(known))}")
        return known[name]
    if base_url or (environment.get(GENERAL_BASE_URL) and not environment.get(GENERAL_KEY)):
        return CUSTOM
    if environment.get(GENERAL_KEY):
        return OPENAI
    if local_available:
        return LOCAL
    raise ConfigError(
        "there is no model to talk with",
        f"set {GENERAL_KEY} (in the environment or in .env), or install the local voice server: {INSTALL_LOCAL}",
    )
