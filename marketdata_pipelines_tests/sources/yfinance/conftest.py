"""yfinance keeps a session and cookies for the whole process, and on disk; every test here begins without them."""

from importlib import import_module
from importlib.util import find_spec

import pytest

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def fresh_yfinance(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cookies of this machine's user, none of the test before, and no way past this machine."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
    if find_spec("yfinance") is None:
        return
    cache, data = import_module("yfinance.cache"), import_module("yfinance.data")
    monkeypatch.setattr(cache, "get_cookie_cache", cache._CookieCacheDummy)
    monkeypatch.setattr(data.SingletonMeta, "_instances", {})
