"""Who may use the API: key pairs, tokens, log-in sessions."""

import asyncio
import base64
import time
from typing import Any

import httpx
import jwt
import pytest

from tests.unit.services.gateway.desk import ACCESS_TTL_S, JWT_KEY, REFRESH_TTL_S, Desk
from tests.unit.services.gateway.plain_passwords import PlainPasswordHasher
from tradewind.adapters.auth import authenticator as authenticator_module
from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.passwords import Argon2PasswordHasher
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.memory.credentials import MemoryCredentialStore
from tradewind.ports.credentials import EmailTaken
from tradewind.services.gateway.auth.registration import NotAcceptable, create_api_key, register_user

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
NOBODY = {"APCA-API-KEY-ID": "", "APCA-API-SECRET-KEY": ""}


@pytest.fixture
async def user_id(desk: Desk) -> str:
    """A registered user who owns the desk's account."""
    made = await register_user(
        desk.credentials, PlainPasswordHasher(), desk.ids, desk.clock, EMAIL.upper(), PASSWORD
    )
    await desk.credentials.add_account(made, desk.account_id)
    return made


async def log_in(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


async def status_with(client: httpx.AsyncClient, **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx.Request("GET", "http://desk/v2/clock", headers=names)
    answer = await client.send(request)
    if answer.status_code == 401:
        assert answer.json() == {"code": 40110000, "message": "request is not authorized"}
    return answer.status_code


async def test_the_three_ways_to_show_who_you_are(
    desk: Desk, client: httpx.AsyncClient, user_id: str
) -> None:
    pair = desk.key
    assert await status_with(client, APCA_API_KEY_ID=pair.key_id, APCA_API_SECRET_KEY=pair.secret) == 200
    basic = base64.b64encode(f"{pair.key_id}:{pair.secret}".encode()).decode()
    assert await status_with(client, Authorization=f"Basic {basic}") == 200
    tokens = await log_in(client)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == ACCESS_TTL_S
    assert await status_with(client, Authorization=f"bearer {tokens['access_token']}") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"APCA_API_KEY_ID": "TWUNKNOWN", "APCA_API_SECRET_KEY": "x"},
        {"APCA_API_KEY_ID": "x" * 5_000, "APCA_API_SECRET_KEY": "x"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"no-colon").decode()},
        {"Authorization": "Digest x"},
    ],
)
async def test_strangers_are_told_nothing(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert await status_with(client, **headers) == 401


async def test_a_wrong_secret_is_refused_before_and_after_the_right_one(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    key_id, secret = desk.key.key_id, desk.key.secret
    for tried, expected in (
        (secret + "x", 401),
        (secret, 200),
        (secret[:-1], 401),
        ("é", 401),
        (secret, 200),
    ):
        headers = {b"APCA-API-KEY-ID": key_id.encode(), b"APCA-API-SECRET-KEY": tried.encode()}
        answer = await client.get("/v2/clock", headers=list(headers.items()))
        assert answer.status_code == expected


async def test_orders_need_credentials_too(desk: Desk, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/orders", json={}, headers=NOBODY)
    assert (answer.status_code, answer.json()["code"]) == (401, 40110000)
    assert not desk.commands


async def test_a_revoked_key_stops_working_within_its_cache_time(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/v2/clock")).status_code == 200
    assert await desk.credentials.revoke_api_key(desk.key.key_id, desk.clock.ns)
    desk.clock.advance_s(authenticator_module.API_KEY_CACHE_S + 1)
    assert (await client.get("/v2/clock")).status_code == 401


async def test_a_key_works_as_soon_as_it_is_created(desk: Desk, client: httpx.AsyncClient) -> None:
    pair = RandomSecretSource().new_key_pair()
    headers = {"APCA_API_KEY_ID": pair.key_id, "APCA_API_SECRET_KEY": pair.secret}
    assert await status_with(client, **headers) == 401
    await desk.add_key(pair, desk.account_id)
    assert await status_with(client, **headers) == 200


async def test_tokens_expire_although_they_were_verified_before(
    desk: Desk, client: httpx.AsyncClient, user_id: str
) -> None:
    bearer = f"Bearer {(await log_in(client))['access_token']}"
    assert await status_with(client, Authorization=bearer) == 200
    desk.clock.advance_s(ACCESS_TTL_S - 3)
    assert await status_with(client, Authorization=bearer) == 200
    desk.clock.advance_s(4)
    assert await status_with(client, Authorization=bearer) == 401
    assert await status_with(client, Authorization=bearer) == 401


async def test_forged_tokens_are_refused(desk: Desk, client: httpx.AsyncClient, user_id: str) -> None:
    claims = {
        "iss": "tradewind",
        "sub": user_id,
        "account": desk.account_id,
        "iat": 0,
        "exp": desk.clock.ns // 10**9 + 900,
        "jti": "1",
    }
    good = jwt.encode(claims, JWT_KEY, algorithm="HS256")
    assert await status_with(client, Authorization=f"Bearer {good}") == 200
    head, _, signature = good.split(".")
    other_payload = jwt.encode(claims | {"account": "other"}, JWT_KEY, algorithm="HS256").split(".")[1]
    forged = [
        jwt.encode(claims, "another-key" * 4, algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, JWT_KEY * 2, algorithm="HS512"),
        jwt.encode(claims | {"iss": "someone"}, JWT_KEY, algorithm="HS256"),
        jwt.encode(claims | {"exp": "soon"}, JWT_KEY, algorithm="HS256"),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, JWT_KEY, algorithm="HS256"),
        jwt.encode(claims | {"account": desk.ids.new_id()}, JWT_KEY, algorithm="HS256"),
        f"{head}.{other_payload}.{signature}",
        good[:-2],
    ]
    for token in forged:
        assert await status_with(client, Authorization=f"Bearer {token}") == 401, token


async def test_unknown_user_and_wrong_password_get_the_same_answer(
    client: httpx.AsyncClient, user_id: str
) -> None:
    wrong = await client.post("/v1/auth/login", json={"email": EMAIL, "password": "wrong-password"})
    unknown = await client.post("/v1/auth/login", json={"email": "eve@example.com", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content


async def test_refreshing_rotates_and_reuse_ends_the_session(client: httpx.AsyncClient, user_id: str) -> None:
    async def refresh(token: str) -> httpx.Response:
        return await client.post("/v1/auth/refresh", json={"refresh_token": token})

    first = await log_in(client)
    other_session = await log_in(client)
    second = (await refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert await status_with(client, Authorization=f"Bearer {second['access_token']}") == 200
    assert (await refresh(first["refresh_token"])).status_code == 401
    assert (await refresh(second["refresh_token"])).status_code == 401, "the family is revoked"
    assert (await refresh(other_session["refresh_token"])).status_code == 200, "other sessions are not"


async def test_logging_out_ends_the_session(client: httpx.AsyncClient, user_id: str) -> None:
    tokens = await log_in(client)
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await client.post("/v1/auth/logout", json=body)).status_code == 204
    assert (await client.post("/v1/auth/refresh", json=body)).status_code == 401
    assert (await client.post("/v1/auth/logout", json={"refresh_token": "unknown"})).status_code == 204


async def test_refresh_tokens_expire(desk: Desk, client: httpx.AsyncClient, user_id: str) -> None:
    tokens = await log_in(client)
    desk.clock.advance_s(REFRESH_TTL_S + 1)
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": EMAIL}, "password"),
        ({"email": EMAIL, "password": 5}, "password"),
        ({"email": EMAIL, "password": "x" * 300}, "password"),
        ({"email": EMAIL, "password": "x", "admin": True}, "admin"),
    ],
)
async def test_malformed_log_ins_name_the_field_but_never_the_secret(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await client.post("/v1/auth/login", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "value" not in answer.json()


async def test_registration_refuses_bad_emails_short_passwords_and_doubles(desk: Desk, user_id: str) -> None:
    async def register(email: str, password: str) -> str:
        return await register_user(
            desk.credentials, PlainPasswordHasher(), desk.ids, desk.clock, email, password
        )

    for email, password in (("nobody", PASSWORD), ("a b@c", PASSWORD), ("eve@example.com", "short")):
        with pytest.raises(NotAcceptable):
            await register(email, password)
    with pytest.raises(EmailTaken):
        await register(EMAIL, PASSWORD)


async def test_created_keys_look_right_and_are_stored_as_hashes(desk: Desk) -> None:
    pair = await create_api_key(desk.credentials, RandomSecretSource(), desk.clock, "u", desk.account_id)
    assert pair.key_id.startswith("TW")
    assert len(pair.key_id) == 20
    assert len(pair.secret) == 43
    stored = await desk.credentials.api_key(pair.key_id)
    assert stored is not None
    assert pair.secret.encode() not in stored.secret_sha256


async def test_argon2id_hashes_verify_and_nobodys_take_as_long() -> None:
    hasher = Argon2PasswordHasher()
    stored = await hasher.hash(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert await hasher.matches(PASSWORD, stored)
    assert not await hasher.matches("wrong", stored)
    assert not await hasher.matches(PASSWORD, None)
    assert not await hasher.matches(PASSWORD, "damaged")


async def test_hashing_leaves_the_event_loop_free() -> None:
    hasher = Argon2PasswordHasher()
    work = asyncio.create_task(hasher.hash(PASSWORD))
    turns = 0
    while not work.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


def test_a_short_signing_key_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="JWT_SECRET_KEY"):
        AccessTokens("short", 900, desk.ids)


async def test_a_known_credential_costs_microseconds(desk: Desk) -> None:
    headers = {name.lower(): value for name, value in desk.headers.items()}
    await desk.authenticator.authenticate(headers)
    started_s = time.perf_counter()
    for _ in range(2_000):
        await desk.authenticator.authenticate(headers)
    assert (time.perf_counter() - started_s) / 2_000 < 50e-6, "verified anew each time"


async def test_the_caches_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator_module, "MAX_CACHED_KEYS", 3)
    assert isinstance(desk.credentials, MemoryCredentialStore)
    for _ in range(10):
        pair = RandomSecretSource().new_key_pair()
        await desk.add_key(pair, desk.account_id)
        await desk.authenticator.authenticate(
            {"apca-api-key-id": pair.key_id, "apca-api-secret-key": pair.secret}
        )
    assert len(desk.authenticator._known_keys) == 3
