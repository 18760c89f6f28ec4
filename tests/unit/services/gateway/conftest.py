"""An open desk and a client for each test."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.services.gateway.desk import Desk


@pytest.fixture
async def desk() -> Desk:
    """A gateway with one funded account and a moving market."""
    opened = Desk()
    await opened.open()
    return opened


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the trader's key pair."""
    async with desk.client() as http:
        yield http
