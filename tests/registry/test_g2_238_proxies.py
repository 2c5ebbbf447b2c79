"""From where somebody asks a server: as the connection says, or a proxy that is named."""

from __future__ import annotations

import json
import urllib.request
from urllib.error import HTTPError

import pytest

from sealift_registry.access import throttling
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import serving

pytestmark = pytest.mark.socket


def _tries(url: str, number: int, forwarded: str) -> int:
    """Somebody guesses, each time another name; the status of the answer."""
    body = json.dumps(
        {"account": f"nobody-{number}", "password": "x", "code": "1", "for": "desk"}
    ).encode()
    headers = {"content-type": "application/json", "x-forwarded-for": forwarded}
    asked = urllib.request.Request(f"{url}/api/v1/session", body, headers)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except HTTPError as bad:
        return bad.code


@pytest.mark.parametrize(
    "proxies, forwarded, waits",
    [
        ("", "192.0.2.{}", True),
        ("10.0.0.1", "192.0.2.{}", True),
        ("127.0.0.1", "192.0.2.{}", False),
        ("127.0.0.1", "192.0.2.{}, 198.51.100.7", True),
    ],
)
def test_g2_238_only_proxies_that_are_named_say_from_where_somebody_asks(
    acme: Acme, proxies: str, forwarded: str, *, waits: bool
) -> None:
    """Whoever guesses could else be somebody else each time; or what a proxy adds be made up."""
    settings = acme.root / "settings.toml"
    empty, named = 'trusted_proxies = ""', f'trusted_proxies = "{proxies}"'
    assert empty in settings.read_text()
    settings.write_text(settings.read_text().replace(empty, named))
    acme.close()
    with serving(acme.root) as process:
        found = [
            _tries(process.url, number, forwarded.format(number))
            for number in range(throttling.FREE + 3)
        ]
    assert found[: throttling.FREE] == [401] * throttling.FREE
    assert (found[-1] == 429) == waits, found
