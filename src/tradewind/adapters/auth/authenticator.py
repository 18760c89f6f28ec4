"""Reads who asks from a request's headers, and remembers for a while what it verified.

A repeated credential costs a dictionary look-up and one hash. A revoked key works for `API_KEY_CACHE_S` at most.
"""

import asyncio
import base64
import binascii
import hmac
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from tradewind.adapters.auth.api_keys import MAX_KEY_ID_LENGTH, MAX_SECRET_LENGTH, opens
from tradewind.adapters.auth.tokens import NS_PER_S, AccessTokens
from tradewind.ports.authentication import NotAuthenticated, Principal
from tradewind.ports.clock import Clock
from tradewind.ports.credentials import CredentialStore, fingerprint
from tradewind.ports.errors import Overloaded

MAX_CACHED_TOKENS = 10_000
MAX_CACHED_KEYS = 10_000
API_KEY_CACHE_S = 30
MAX_CONCURRENT_LOOKUPS = 4
"""Look-ups in the store at once: guesses of keys must not take all its connections."""
MAX_WAITING_LOOKUPS = 256
"""More requests than this with credentials not seen lately are turned away."""

Value = TypeVar("Value")


class _VerifiedToken(msgspec.Struct, frozen=True):
    principal: Principal
    expires_ns: int


class _KnownKey(msgspec.Struct, frozen=True):
    secret_sha256: bytes
    principal: Principal
    expires_ns: int


class CredentialAuthenticator:
    """Implements `tradewind.ports.authentication.Authenticator` for key pairs, Bearer and Basic."""

    def __init__(self, store: CredentialStore, tokens: AccessTokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._known_tokens: OrderedDict[str, _VerifiedToken] = OrderedDict()
        self._known_keys: OrderedDict[str, _KnownKey] = OrderedDict()
        self._lookups = asyncio.Semaphore(MAX_CONCURRENT_LOOKUPS)
        self._waiting = 0

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """The principal that the headers prove. Raises `NotAuthenticated`, `StoreUnavailable`, `Overloaded`."""
        key_id = headers.get("apca-api-key-id")
        if key_id is not None:
            return await self._by_key(key_id, headers.get("apca-api-secret-key", ""))
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                return await self._by_token(credentials.strip())
            case "basic":
                return await self._by_key(*_key_pair(credentials.strip()))
            case _:
                raise NotAuthenticated

    async def _by_key(self, key_id: str, secret: str) -> Principal:
        known = self._known_keys.get(key_id)
        now_ns = self._clock.now_ns()
        if known is not None and now_ns < known.expires_ns:
            if hmac.compare_digest(fingerprint(secret), known.secret_sha256):
                return known.principal
            raise NotAuthenticated
        if not key_id or len(key_id) > MAX_KEY_ID_LENGTH or len(secret) > MAX_SECRET_LENGTH or "\0" in key_id:
            raise NotAuthenticated
        async with self._turn():
            key = await self._store.api_key(key_id)
        # A key that does not exist is not remembered as such: it may be created a moment from now.
        if key is None or not opens(key, secret):
            self._known_keys.pop(key_id, None)
            raise NotAuthenticated
        principal = Principal(user_id=key.user_id, account_ids=(key.account_id,), account_id=key.account_id)
        expires_ns = now_ns + API_KEY_CACHE_S * NS_PER_S
        _remember(
            self._known_keys, key_id, _KnownKey(key.secret_sha256, principal, expires_ns), MAX_CACHED_KEYS
        )
        return principal

    async def _by_token(self, token: str) -> Principal:
        known = self._known_tokens.get(token)
        now_ns = self._clock.now_ns()
        if known is not None:
            if now_ns < known.expires_ns:
                return known.principal
            self._known_tokens.pop(token, None)
            raise NotAuthenticated
        claims = self._tokens.read(token, now_ns)
        async with self._turn():
            account_ids = await self._store.accounts_of(claims.user_id)
        if claims.account_id not in account_ids:
            raise NotAuthenticated
        principal = Principal(user_id=claims.user_id, account_ids=account_ids, account_id=claims.account_id)
        _remember(self._known_tokens, token, _VerifiedToken(principal, claims.expires_ns), MAX_CACHED_TOKENS)
        return principal

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the `MAX_CONCURRENT_LOOKUPS`, waited for in a bounded queue."""
        if self._waiting >= MAX_WAITING_LOOKUPS:
            raise Overloaded("too many credentials to check at once")
        self._waiting += 1
        try:
            async with self._lookups:
                yield
        finally:
            self._waiting -= 1


def _key_pair(credentials: str) -> tuple[str, str]:
    try:
        key_id, colon, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticated from error
    if not colon:
        raise NotAuthenticated
    return key_id, secret


def _remember(cache: OrderedDict[str, Value], name: str, value: Value, bound: int) -> None:
    """Keep the value; at the bound the oldest entry goes (each is verified anew when it comes again)."""
    cache[name] = value
    cache.move_to_end(name)
    if len(cache) > bound:
        cache.popitem(last=False)
