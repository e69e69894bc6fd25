"""Providers that the user describes in the config file, under ``[providers.NAME]``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from realtime_cli.errors import ConfigError
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.profiles import PROVIDERS, Provider
from realtime_cli.settings.config_file import ConfigFile, Table

NAMES = tuple(name for name in Provider.__struct_fields__ if name != "name")
"""What such a table may say: the fields of :class:`~realtime_cli.providers.profiles.Provider`."""

RATES_HZ = (8_000, 48_000)
"""The lowest and the highest rate of audio that any server is known to take (xAI)."""

CHOICES = {
    "dialect": f"choose {', '.join(each.value for each in Dialect)}",
    "auth": "choose bearer or api-key",
}

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def known_providers(file: ConfigFile) -> Mapping[str, Provider]:
    """Those of this program and those of the user. Raises ConfigError for one that cannot be used."""
    return {**PROVIDERS, **{name: _provider(name, table) for name, table in file.providers.items()}}


def _provider(name: str, table: Table) -> Provider:
    if name in PROVIDERS or name == "auto":
        raise ConfigError(
            f"{table.path}: {table.label} has the name of a provider that is there already", "choose another name"
        )
    table.check_names(NAMES)
    for variable in ("key_variable", "base_url_variable", "model_variable"):
        if not _VARIABLE.fullmatch(str(table.values.get(variable, "X"))):
            raise ConfigError(
                f"{table.path}: {variable} in {table.label} is not the name of a variable", "write it like MY_API_KEY"
            )
    told = {"title": table.values.get("title", name), "name": name}
    if not {"transcription_model", "transcribes_unasked"} & set(table.values):
        # Where no model is named for it, a server may transcribe by itself; what it tells unasked is shown.
        told["transcribes_unasked"] = True
    provider = table.filled(Provider, CHOICES, **told)
    if not (provider.base_url or provider.base_url_variable):
        raise ConfigError(f"{table.path}: {table.label} says no URL", "add base_url or base_url_variable")
    if not RATES_HZ[0] <= provider.input_rate_hz <= RATES_HZ[1]:
        raise ConfigError(
            f"{table.path}: input_rate_hz in {table.label} is not usable", "choose from {} to {}".format(*RATES_HZ)
        )
    return provider
