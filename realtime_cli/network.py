"""The way out of this machine: the system's proxy, and connections for HTTP requests that take it.

Certificates are always verified, against the system's authorities or those in ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import os
import ssl
import sys
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from realtime_cli.errors import ConfigError

if TYPE_CHECKING:
    import urllib3


def system_proxy(host: str, port: int, secure: bool) -> SplitResult | None:
    """The system's proxy for this host: http_proxy, https_proxy, all_proxy and no_proxy, or the desktop's settings.

    Never one for this machine itself, where no proxy could reach it.
    """
    if host in {"localhost", "127.0.0.1", "::1"}:
        return None
    if sys.platform not in {"darwin", "win32"} and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Slow to import, and needed by few.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get("https" if secure else "http") or proxies.get("all")
    if not named or proxy_bypass(f"{host}:{port}"):
        return None
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        usable = proxy.scheme == "http" and proxy.hostname and proxy.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            "the system's proxy setting cannot be used", "only http://host:port will do; no_proxy makes exceptions"
        )
    return proxy


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
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}" if proxy.username else None
    return urllib3.ProxyManager(
        f"http://{proxy.hostname}:{proxy.port or 80}",
        proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
        ssl_context=context,
    )
