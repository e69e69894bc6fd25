"""Looks at what the local voice server needs, and at what it could do better with."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_cli.doctor.check import Check, doubtful, good
from realtime_cli.server.engines.choice import EngineChoice
from realtime_cli.server.engines.neighbours import find_neighbours
from realtime_cli.server.engines.weight_sets import LANGUAGE_MODEL, WeightSet
from realtime_cli.settings.folders import cache_folder

EVERYBODYS = "weights"
"""The check of what nobody can do without."""


def check_weights(choice: EngineChoice) -> Iterator[Check]:
    """The weights that the engines need are there, or will be fetched."""
    for weights in choice.weights():
        yield _check(EVERYBODYS if weights is LANGUAGE_MODEL else weights.name, weights)


def check_neighbours(choice: EngineChoice) -> Iterator[Check]:
    """Better language models that run on this machine, if the embedded one is to be used. Blocks for 0.1 s at most."""
    if choice.lm is None:
        for one in find_neighbours():
            yield good("language model", one.line)


def _check(name: str, weights: WeightSet) -> Check:
    files = weights.find()
    if files is not None:
        size = sum(path.stat().st_size for path in files)
        return good(name, f"{size / 1e6:.0f} MB in {files[0].parent}")
    fetched = f"{weights.fetched_bytes / 1e6:.0f} MB"
    return doubtful(
        name,
        f"not in {cache_folder()} yet: the first chat fetches {fetched}; without them the server was not tried",
        "realtime-cli fetch" if weights is LANGUAGE_MODEL else f"realtime-cli fetch {weights.name}",
    )
