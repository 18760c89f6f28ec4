"""Liveness and readiness: what a process says when asked whether it can work."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tradewind.operations.logging import get_logger, mask_url_passwords
from tradewind.operations.metrics import CHECK_SECONDS, CHECK_UP, describe_process

CHECK_TIMEOUT_S = 2.0
"""A check that takes longer counts as failed."""

Check = Callable[[], Awaitable[str | None]]
"""Returns None when all is well, else what is wrong, in a few words."""

_log = get_logger(__name__)


class Probes:
    """The named readiness checks of one process. A new `Probes` without checks is ready."""

    def __init__(self, service: str, version: str) -> None:
        self.service = service
        self.version = version
        self._checks: dict[str, Check] = {}
        describe_process(service, version)

    def add_check(self, name: str, check: Check) -> None:
        """Make readiness depend on `check`; raises `ValueError` when the name is taken."""
        if name in self._checks:
            raise ValueError(f"there is already a check named {name}")
        self._checks[name] = check

    async def readiness(self) -> dict[str, str | None]:
        """Run all checks at once; each name with its problem, or None. Takes at most `CHECK_TIMEOUT_S`."""
        names = list(self._checks)
        # A check that raises is a failed check: a probe that crashes would hide what the others found.
        results = await asyncio.gather(
            *(_limited(name, self._checks[name]) for name in names), return_exceptions=True
        )
        problems = {name: self._problem(name, result) for name, result in zip(names, results, strict=True)}
        for name, problem in problems.items():
            CHECK_UP.labels(check=name).set(not problem)
        return problems

    def _problem(self, name: str, result: str | BaseException | None) -> str | None:
        if not isinstance(result, BaseException):
            return result
        if isinstance(result, TimeoutError):
            return f"no answer within {CHECK_TIMEOUT_S:g} s"
        _log.warning("readiness check raised", check=name, exc_info=result)
        return mask_url_passwords(f"{type(result).__name__}: {result}")


async def _limited(name: str, check: Check) -> str | None:
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    finally:
        CHECK_SECONDS.labels(check=name).set(time.perf_counter() - began_s)
