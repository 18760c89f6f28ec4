"""Whose accounts `tradewind top` shows: the given key's, else those that `tradewind up` seeded here."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.cli.top_readings import AccountAccess
from tradewind.entrypoints.up.run_file import RunningPlatform
from tradewind.entrypoints.up.seeded import SeededPlatform, recall
from tradewind.ports.errors import StoreUnavailable

TOKEN_TTL_S = 300
TOKEN_RENEWAL_S = 240.0

KEY_HINT = (
    "To see your positions set APCA_API_KEY_ID and APCA_API_SECRET_KEY, or give --key-id and --secret-key."
)


class KeyAccess:
    """The one account of an API key."""

    def __init__(self, key_id: str, secret_key: str) -> None:
        headers = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key}
        self._accounts = [AccountAccess(f"account of key {key_id}", headers)]

    async def accounts(self) -> Sequence[AccountAccess]:
        """The key's account."""
        return self._accounts


class NoAccess:
    """No account."""

    async def accounts(self) -> Sequence[AccountAccess]:
        """None."""
        return ()


class OwnerAccess:
    """The seeded accounts of the platform on this machine, for the one who may read its `run.json`.

    That file holds the key that signs access tokens and only the platform's owner can read it, so this opens
    nothing that was closed; it saves the owner from keeping the API key's secret at hand just to watch.
    """

    def __init__(
        self, running: RunningPlatform, seeded: SeededPlatform, now_s: Callable[[], float] = time.time
    ) -> None:
        self._running = running
        self._seeded = seeded
        self._now_s = now_s
        self._user_id: str | None = None
        self._issued: Sequence[AccountAccess] = ()
        self._renew_at_s = 0.0

    async def accounts(self) -> Sequence[AccountAccess]:
        """The accounts with fresh tokens; none while the database cannot be reached."""
        now_s = self._now_s()
        if now_s >= self._renew_at_s:
            self._user_id = self._user_id or await self._find_user()
            if self._user_id is None:
                return ()
            self._issued = self._issue(self._user_id, now_s)
            self._renew_at_s = now_s + TOKEN_RENEWAL_S
        return self._issued

    async def _find_user(self) -> str | None:
        engine = create_engine(self._running.database_url)
        try:
            user = await PostgresCredentialStore(engine).user_by_email(self._seeded.user_email)
        except StoreUnavailable:
            return None
        finally:
            await engine.dispose()
        return user.user_id if user else None

    def _issue(self, user_id: str, now_s: float) -> Sequence[AccountAccess]:
        tokens = AccessTokens(self._running.jwt_secret_key, TOKEN_TTL_S, Uuid7Source())
        labels = {
            self._seeded.account_id: "your account",
            self._seeded.strategy_account_id: "the strategy's account",
        }
        return [
            AccountAccess(
                label, {"Authorization": f"Bearer {tokens.issue(user_id, account_id, int(now_s * 1e9))}"}
            )
            for account_id, label in labels.items()
            if account_id
        ]


Access = KeyAccess | NoAccess | OwnerAccess


def access_for(
    key_id: str | None, secret_key: str | None, data_dir: Path, running: RunningPlatform | None
) -> Access:
    """The best access there is. A key goes before what this machine offers."""
    if key_id and secret_key:
        return KeyAccess(key_id, secret_key)
    seeded = recall(DataDirectory(data_dir).platform_file)
    if running is None or seeded is None or not (running.jwt_secret_key and running.database_url):
        return NoAccess()
    return OwnerAccess(running, seeded)
