"""Users, API keys and refresh tokens in PostgreSQL."""

import uuid

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tradewind.adapters.postgres import tables
from tradewind.adapters.postgres.sessions import reading, writing
from tradewind.domain.identifiers import AccountId
from tradewind.ports.credentials import ApiKey, EmailTaken, RefreshToken, User

_SIGNED_64_BITS = 1 << 63


class PostgresCredentialStore:
    """Implements `tradewind.ports.credentials.CredentialStore`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add_user(self, user: User) -> None:
        """Store a new user. Raises `EmailTaken`."""
        try:
            async with writing(self._engine) as connection:
                await connection.execute(
                    insert(tables.users).values(
                        user_id=user.user_id,
                        email=user.email,
                        password_hash=user.password_hash,
                        created_at_ns=user.created_at_ns,
                    )
                )
        except IntegrityError as error:
            raise EmailTaken(f"there is a user with the e-mail address {user.email}") from error

    async def user_by_email(self, email: str) -> User | None:
        """The user with this (lower-case) e-mail address."""
        query = select(tables.users).where(tables.users.c.email == email)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else User(**row)

    async def add_account(self, user_id: str, account_id: AccountId) -> None:
        """Give a user an account; again is harmless."""
        async with writing(self._engine) as connection:
            await connection.execute(
                upsert(tables.user_accounts)
                .values(user_id=user_id, account_id=account_id)
                .on_conflict_do_nothing()
            )

    async def accounts_of(self, user_id: str) -> tuple[AccountId, ...]:
        """The accounts of a user, oldest id first."""
        columns = tables.user_accounts.c
        query = select(columns.account_id).where(columns.user_id == user_id).order_by(columns.account_id)
        async with reading(self._engine) as connection:
            return tuple((await connection.execute(query)).scalars())

    async def add_api_key(self, key: ApiKey) -> None:
        """Store a new key."""
        async with writing(self._engine) as connection:
            await connection.execute(
                insert(tables.api_keys).values(
                    key_id=key.key_id,
                    secret_sha256=key.secret_sha256,
                    user_id=key.user_id,
                    account_id=key.account_id,
                    created_at_ns=key.created_at_ns,
                    revoked_at_ns=key.revoked_at_ns,
                )
            )

    async def api_key(self, key_id: str) -> ApiKey | None:
        """The key, revoked or not."""
        query = select(tables.api_keys).where(tables.api_keys.c.key_id == key_id)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else ApiKey(**row)

    async def revoke_api_key(self, key_id: str, now_ns: int) -> bool:
        """Make a key useless; False when there is no such key or it was revoked before."""
        columns = tables.api_keys.c
        async with writing(self._engine) as connection:
            revoked = await connection.execute(
                update(tables.api_keys)
                .where(columns.key_id == key_id, columns.revoked_at_ns.is_(None))
                .values(revoked_at_ns=now_ns)
                .returning(columns.key_id)
            )
            return revoked.one_or_none() is not None

    async def add_refresh_token(self, token: RefreshToken, now_ns: int) -> None:
        """Store the first token of a family, and drop the user's expired ones."""
        columns = tables.refresh_tokens.c
        async with writing(self._engine) as connection:
            await connection.execute(
                delete(tables.refresh_tokens).where(
                    columns.user_id == token.user_id, columns.expires_at_ns <= now_ns
                )
            )
            await _insert_token(connection, token)

    async def rotate_refresh_token(
        self, token_sha256: bytes, successor_sha256: bytes, now_ns: int, expires_at_ns: int
    ) -> RefreshToken | None:
        """Use up a token and store its successor, atomically; reuse revokes the family."""
        columns = tables.refresh_tokens.c
        async with writing(self._engine) as connection:
            family_id = await _lock_family(connection, token_sha256)
            if family_id is None:
                return None
            query = select(tables.refresh_tokens).where(columns.token_sha256 == token_sha256)
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None or row["revoked_at_ns"] is not None or row["expires_at_ns"] <= now_ns:
                return None
            if row["used_at_ns"] is not None:
                await _revoke_family(connection, family_id, now_ns)
                return None
            await connection.execute(
                update(tables.refresh_tokens)
                .where(columns.token_sha256 == token_sha256)
                .values(used_at_ns=now_ns)
            )
            successor = RefreshToken(
                token_sha256=successor_sha256,
                family_id=family_id,
                user_id=row["user_id"],
                account_id=row["account_id"],
                expires_at_ns=expires_at_ns,
            )
            await _insert_token(connection, successor)
            return successor

    async def revoke_refresh_family(self, token_sha256: bytes, now_ns: int) -> None:
        """Revoke the token and all its relatives; an unknown one is ignored."""
        async with writing(self._engine) as connection:
            family_id = await _lock_family(connection, token_sha256)
            if family_id is not None:
                await _revoke_family(connection, family_id, now_ns)


async def _lock_family(connection: AsyncConnection, token_sha256: bytes) -> str | None:
    """Serialise everything that is done to the token's family until the transaction ends."""
    columns = tables.refresh_tokens.c
    query = select(columns.family_id).where(columns.token_sha256 == token_sha256)
    family_id: str | None = (await connection.execute(query)).scalar_one_or_none()
    if family_id is not None:
        # Row locks would not do: a successor that another transaction inserts meanwhile has no row to lock yet.
        lock = uuid.UUID(family_id).int % _SIGNED_64_BITS
        await connection.execute(select(func.pg_advisory_xact_lock(lock)))
    return family_id


async def _revoke_family(connection: AsyncConnection, family_id: str, now_ns: int) -> None:
    columns = tables.refresh_tokens.c
    await connection.execute(
        update(tables.refresh_tokens)
        .where(columns.family_id == family_id, columns.revoked_at_ns.is_(None))
        .values(revoked_at_ns=now_ns)
    )


async def _insert_token(connection: AsyncConnection, token: RefreshToken) -> None:
    await connection.execute(
        insert(tables.refresh_tokens).values(
            token_sha256=token.token_sha256,
            family_id=token.family_id,
            user_id=token.user_id,
            account_id=token.account_id,
            expires_at_ns=token.expires_at_ns,
        )
    )
