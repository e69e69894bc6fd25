"""The way out of this machine: the system's proxy, and connections for HTTP requests that take it.

Certificates are always verified, against the system's authorities or those in ``SSL_CERT_FILE``. SOCKS proxies need
python-socks (https://github.com/romis2012/python-socks), the optional part ``socks``; websocket-client uses it as well.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from realtime_cli.errors import ConfigError, ConnectionFailed

if TYPE_CHECKING:
    import urllib3

SOCKS = ("socks5", "socks5h")
"""Schemes of SOCKS proxies. The proxy resolves names for both: where one is needed, names are often not known."""

_SOCKS_PORT = 1080
_HTTP_PORT = 80


def names_this_machine(host: str) -> bool:
    """Whether a name or address can only mean this machine; connecting to an unspecified address means it, too."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def system_proxy(host: str, port: int, secure: bool) -> SplitResult | None:
    """The system's proxy for this host: http_proxy, https_proxy, all_proxy and no_proxy, or the desktop's settings.

    Its scheme is http or one of :data:`SOCKS`. Never one for this machine itself, where no proxy could reach it.
    Raises ConfigError for one that cannot be used.
    """
    if names_this_machine(host) or host.endswith(".localhost"):
        return None
    if sys.platform not in {"darwin", "win32"} and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Slow to import, and needed by few.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    kind = next((kind for kind in ("https" if secure else "http", "all") if proxies.get(kind)), "")
    if not kind or proxy_bypass(f"{host}:{port}"):
        return None
    named, variable = proxies[kind], _variable(kind)
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        usable = proxy.scheme in ("http", *SOCKS) and proxy.hostname and proxy.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"the proxy in {variable} cannot be used",
            "only http://host:port and socks5://host:port will do; no_proxy makes exceptions",
        )
    if proxy.scheme in SOCKS and find_spec("python_socks") is None:
        raise ConfigError(
            f"{variable} names a SOCKS proxy, which needs a package that is missing",
            "pip install 'realtime-voice-cli[socks]', or make an exception in no_proxy",
        )
    return proxy


def proxy_address(proxy: SplitResult) -> tuple[str, int]:
    """Host and port of a proxy."""
    return proxy.hostname or "", proxy.port or (_SOCKS_PORT if proxy.scheme in SOCKS else _HTTP_PORT)


def through_socks(sock: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """Have a SOCKS proxy, to which ``sock`` is connected, connect it through. Blocks for the socket's timeout at most.

    Raises ConnectionFailed where it does not.
    """
    from python_socks import ProxyError, ProxyTimeoutError, ProxyType
    from python_socks.sync import Proxy

    class Connected:
        """In the place of another proxy before this one: the connection that is there already."""

        def connect(self, **_: Any) -> socket.socket:
            return sock

    login = {"username": unquote(proxy.username), "password": unquote(proxy.password or "")} if proxy.username else {}
    address, proxy_port = proxy_address(proxy)
    chained = Proxy(ProxyType.SOCKS5, address, proxy_port, rdns=True, forward=Connected(), **login)  # type: ignore[arg-type]
    try:
        chained.connect(host, port)
    except (ProxyError, ProxyTimeoutError, OSError) as error:
        reason = (
            "no answer" if isinstance(error, ProxyTimeoutError) else " ".join(str(error).split()) or "no reason given"
        )
        raise ConnectionFailed(
            f"the proxy {address} does not let us through to {host}:{port} ({reason})",
            "check all_proxy, or make an exception in no_proxy",
            recoverable=True,
        ) from None


def http_pool(url: str) -> urllib3.PoolManager:
    """Connections to the server of ``url``, to be closed after use. Does not block yet.

    Raises ConfigError for a proxy that cannot be used.
    """
    import urllib3  # for those who make a request

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    context = ssl.create_default_context()
    proxy = system_proxy(parts.hostname or "", parts.port or (443 if secure else 80), secure)
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context)
    if proxy.scheme in SOCKS:
        return _socks_pool(proxy, context)
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}" if proxy.username else None
    address, port = proxy_address(proxy)
    return urllib3.ProxyManager(
        f"http://{address}:{port}",
        proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
        ssl_context=context,
    )


def _socks_pool(proxy: SplitResult, context: ssl.SSLContext) -> urllib3.PoolManager:
    """urllib3's own support of SOCKS needs another library than the websocket's."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    def connect(connection: HTTPConnection) -> socket.socket:
        timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
        try:
            sock = socket.create_connection(proxy_address(proxy), timeout)
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(connection, f"the proxy cannot be reached: {error}") from error
        try:
            through_socks(sock, proxy, connection.host, connection.port)
        except BaseException:
            sock.close()
            raise
        return sock

    class Plain(HTTPConnection):
        _new_conn = connect

    class Secure(HTTPSConnection):
        _new_conn = connect

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    pool = urllib3.PoolManager(ssl_context=context)
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool


def _variable(kind: str) -> str:
    """The variable that a proxy comes from, as it is spelled in this environment."""
    wanted = f"{kind}_proxy"
    spelled = (name for name in os.environ if name.lower() == wanted)
    return next(spelled, "the system's settings")
