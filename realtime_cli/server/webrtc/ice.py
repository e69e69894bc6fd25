"""How aioice finds a caller and notices that it has gone, where its own ways do not fit a server on this machine."""

from __future__ import annotations

from aioice import ice

CONSENT_S, CONSENTS = 1.0, 5
"""How often it is asked whether the caller is still there, and how many of these go without an answer before it counts
as gone. aioice asks every 5 s and gives up after 30 (RFC 7675, 5.1), too long for a server with few places."""

_found_addresses = ice.get_host_addresses


def prepare() -> None:
    """Change the module for all connections of this process: nothing of it can be had as a parameter. May be called
    twice."""
    ice.CONSENT_INTERVAL, ice.CONSENT_FAILURES = CONSENT_S, CONSENTS  # type: ignore[assignment]
    ice.get_host_addresses = host_addresses


def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """The addresses that a caller may try: those of this machine, and loopback where there are no others.

    Loopback is no candidate else (RFC 8445, 5.1.1.1): it leads nowhere from another machine.
    """
    found: list[str] = _found_addresses(use_ipv4, use_ipv6)
    return found or ["127.0.0.1" if use_ipv4 else "::1"]
