"""The five services: every replica ready, and of one version; and InfluxDB, when it is used."""

import asyncio
import socket
from collections.abc import Sequence

import httpx

from tradewind.cli.doctor_checks.finding import Finding, fail, ok, warn
from tradewind.version import __version__

TIMEOUT_S = 5.0
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError)


async def check_service(name: str, host: str, port: int) -> list[Finding]:
    """Ask every replica that the host's name stands for."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        mend = f"start {name}; `--hosts` says how the services are named here"
        return [fail(name, f"nothing is called {host} here", mend)]
    addresses = sorted({str(address[4][0]) for address in found})
    if host == "localhost" or len(addresses) == 1:
        addresses = addresses[:1]
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
        return [await _check_replica(client, name, _url(address, port)) for address in addresses]


async def _check_replica(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    try:
        answer = await client.get(f"{url}/ready")
        checks: dict[str, str] = answer.json()["checks"]
        version: str = (await client.get(f"{url}/version")).json()["version"]
    except _FAILURES as error:
        text = f"does not answer at {url}: {error or type(error).__name__}"
        return fail(name, text, "start it, and see its log when it does not stay up")
    problems = "; ".join(f"{check}: {text}" for check, text in checks.items() if text != "ok")
    if answer.status_code != 200:
        return fail(name, f"not ready at {url}: {problems}", "mend what it names; it then recovers by itself")
    if version != __version__:
        text = f"ready at {url}, but of version {version}, and this command is of {__version__}"
        return warn(name, text, "finish the upgrade: all services of one version")
    return ok(name, f"ready at {url}, version {version}")


async def check_influxdb(url: str) -> Finding:
    """Whether the server of market data answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
        try:
            answer = await client.get(f"{url.rstrip('/')}/ping")
        except _FAILURES as error:
            text = f"cannot be reached: {error or type(error).__name__}"
            return fail("InfluxDB", text, "is it running, and is INFLUXDB_URL right? bars wait meanwhile")
    if answer.status_code >= 400:
        return fail("InfluxDB", f"answers {answer.status_code}", "check INFLUXDB_URL and INFLUXDB_TOKEN")
    return ok("InfluxDB", f"version {answer.headers.get('X-Influxdb-Version', 'unknown')}")


def overall(findings: Sequence[Finding]) -> str:
    """The worst state."""
    states = {finding.state for finding in findings}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
