"""What a response and a transcript cost, by the prices in ``prices.toml`` and the user's own. Pure but for that file.

Cached tokens are a subset of the input tokens of their kind, and cost less
(https://platform.openai.com/docs/guides/realtime-costs).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

from realtime_cli.protocol.items import InputTokens, OutputTokens, Usage
from realtime_cli.settings.config_file import ConfigFile

PER_MILLION = 1e-6

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
"""The date behind the name of a model's snapshot: it costs what the model costs."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars: per million tokens as (input, cached input, output), or per minute of audio."""

    text: tuple[float, float, float] | None = None
    audio: tuple[float, float, float] | None = None
    image: tuple[float, float] | None = None
    """(input, cached input)."""
    tokens: tuple[float, float] | None = None
    """(input, output), for models that count all kinds alike."""
    per_minute: float | None = None
    source: str = ""

    def of(self, usage: Usage) -> float | None:
        """Dollars of one response's or transcript's usage; None where this price does not tell, rather than a guess."""
        if usage.seconds is not None:
            return None if self.per_minute is None else usage.seconds / 60 * self.per_minute
        if self.tokens is not None:
            read, wrote = self.tokens
            return ((usage.input_tokens or 0) * read + (usage.output_tokens or 0) * wrote) * PER_MILLION
        read_tokens, wrote_tokens = usage.input_token_details, usage.output_token_details
        if (usage.input_tokens and read_tokens is None) or (usage.output_tokens and wrote_tokens is None):
            return None
        return self._of_kinds(read_tokens or InputTokens(), wrote_tokens or OutputTokens())

    def _of_kinds(self, read: InputTokens, wrote: OutputTokens) -> float | None:
        cached_text, cached_audio, cached_images = _cached(read)
        kinds = (
            (self.text, read.text_tokens or 0, cached_text, wrote.text_tokens or 0),
            (self.audio, read.audio_tokens or 0, cached_audio, wrote.audio_tokens or 0),
            ((*self.image, 0.0) if self.image else None, read.image_tokens or 0, cached_images, 0),
        )
        dollars = 0.0
        for price, tokens_in, cached, tokens_out in kinds:
            if price is None:
                if tokens_in or tokens_out:
                    return None
                continue
            dollars += (tokens_in - cached) * price[0] + cached * price[1] + tokens_out * price[2]
        return dollars * PER_MILLION


_SHAPES = {
    "text": "write text = [input, cached input, output]",
    "audio": "write audio = [input, cached input, output]",
    "image": "write image = [input, cached input]",
    "tokens": "write tokens = [input, output]",
    "per_minute": "write per_minute = 0.01",
}

FREE = Price(text=(0, 0, 0), audio=(0, 0, 0), image=(0, 0), tokens=(0, 0), per_minute=0)
"""A model that runs on this machine."""


class PriceList(msgspec.Struct, frozen=True):
    """Prices by model, and of which day they are."""

    as_of: date
    models: Mapping[str, Price]

    def price(self, model: str) -> Price | None:
        """The price of a model or of one of its snapshots; None for one that is not listed."""
        return self.models.get(model) or self.models.get(_SNAPSHOT.sub("", model))

    def with_own(self, own: Mapping[str, Price]) -> PriceList:
        """The same, but for what the user says."""
        return PriceList(self.as_of, {**self.models, **own})


SMALL_USD = 0.1
"""Below this, a tenth of a cent is worth showing."""


@cache
def price_list() -> PriceList:
    """The prices that come with the program. Reads a file on the first call."""
    text = files("realtime_cli.providers").joinpath("prices.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), PriceList)


def dollars(usd: float | None, *, brief: bool = False) -> str:
    """Money for people: cents, and more places where it is less than a dollar; ``?`` for what has no known price.

    ``brief``: no more places than it takes to see that it grows.
    """
    if usd is None:
        return "?"
    if brief:
        return f"${usd:.2f}" if usd >= SMALL_USD else f"${usd:.3f}"
    return f"${usd:.2f}" if usd >= 0.995 or usd == 0 else f"${usd:.4f}"


def prices_of(file: ConfigFile) -> PriceList:
    """The program's prices, and the user's own from ``[prices."MODEL"]``. Raises ConfigError for what is no price."""
    own: dict[str, Price] = {}
    for model, table in file.prices.items():
        table.check_names(Price.__struct_fields__)
        own[model] = table.filled(Price, _SHAPES)
    return price_list().with_own(own)


def _cached(read: InputTokens) -> tuple[int, int, int]:
    """Cached tokens of text, audio and images, none of them more than there are of its kind.

    Without details they count as text first, where caching saves least: the sum is then rather too high than too low.
    """
    text, audio, images = read.text_tokens or 0, read.audio_tokens or 0, read.image_tokens or 0
    details = read.cached_tokens_details
    if details is not None:
        return (
            min(details.text_tokens or 0, text),
            min(details.audio_tokens or 0, audio),
            min(details.image_tokens or 0, images),
        )
    left = read.cached_tokens or 0
    of_text = min(left, text)
    of_images = min(left - of_text, images)
    return of_text, min(left - of_text - of_images, audio), of_images
