"""Passwords as argon2id hashes, computed in threads so that the event loop never waits for one."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from tradewind.ports.errors import Overloaded

MAX_CONCURRENT_HASHES = 2
"""Each takes 64 MiB and a core for tens of milliseconds."""
MAX_WAITING_HASHES = 64
"""More log-ins than this at once are turned away."""


class Argon2PasswordHasher:
    """Implements `tradewind.ports.credentials.PasswordHasher`."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._waiting = 0
        self._nobodys_hash: str | None = None

    async def hash(self, password: str) -> str:
        """A new salted hash."""
        return await self._in_turn(password, None)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is right. With None it takes the same time and is False."""
        if password_hash is None:
            if self._nobodys_hash is None:
                self._nobodys_hash = await self.hash("nobody has this password")
            await self._in_turn(password, self._nobodys_hash)
            return False
        return bool(await self._in_turn(password, password_hash))

    async def _in_turn(self, password: str, password_hash: str | None) -> str:
        if self._waiting >= MAX_WAITING_HASHES:
            raise Overloaded("too many log-ins at once")
        self._waiting += 1
        try:
            async with self._turns:
                if password_hash is None:
                    return await asyncio.to_thread(self._argon2.hash, password)
                return await asyncio.to_thread(self._verify, password, password_hash)
        finally:
            self._waiting -= 1

    def _verify(self, password: str, password_hash: str) -> str:
        try:
            self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return ""
        return password_hash
