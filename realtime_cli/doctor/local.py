"""Looks at what the local voice server needs."""

from __future__ import annotations

from realtime_cli.doctor.check import Check, doubtful, good
from realtime_cli.server.engines.weights import cache_folder, find_weights


def check_weights() -> Check:
    """The language model's weights are there, or will be fetched."""
    weights = find_weights()
    if weights is not None:
        return good("weights", f"{weights.stat().st_size / 1e6:.0f} MB in {weights.parent}")
    return doubtful(
        "weights",
        f"not in {cache_folder()} yet: the first chat fetches 93 MB; without them the server was not tried",
        "realtime-cli fetch",
    )
