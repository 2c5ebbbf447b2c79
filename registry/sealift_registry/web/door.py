"""Who is at the door: signing in takes time and memory, and nobody is known before it is done."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection

from sealift_registry.access.told_failures import BY_CODE, ToldFailures
from sealift_registry.web import refusals
from sealift_signing.errors import SealiftError

T = TypeVar("T")
Connection = ASGIConnection[Any, Any, Any, Any]

AT_ONCE = 4
"""So many threads work for who is at the door; the others are for who is signed in."""
MOST_WAITING = 64
"""So many wait for that; more are sent away, to come again."""
NETWORK = 64
"""Bits of an IPv6 address that say whose it is: the rest its owner chooses anew at any time."""


class Door:
    """Who is at the door of one server just now; those who fail are counted."""

    def __init__(self, failures: ToldFailures) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._there = 0
        self._failures = failures

    async def work(self, act: Callable[[], T]) -> T:
        """What `act` answers, in a thread, when it is its turn.

        Raises:
            TooManyError: too many wait.
        """
        if self._there >= AT_ONCE + MOST_WAITING:
            raise refusals.too_many(1)
        self._there += 1
        try:
            async with self._room:
                return await sync_to_thread(self._noted, act)
        finally:
            self._there -= 1

    def _noted(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except SealiftError as bad:
            if bad.code in BY_CODE:
                self._failures.note(BY_CODE[bad.code])
            raise


def address(connection: Connection) -> str:
    """From where somebody asks, as attempts are counted together."""
    host = connection.client.host if connection.client else ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), NETWORK), strict=False))
    return str(found)
