"""The ports that the services listen on: the settings' own, or the next free ones when another platform runs."""

import socket
from typing import Self

import msgspec

from tradewind.adapters.embedded.ports import LOOPBACK, is_free
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.settings import Settings, described_settings

PORT_SETTING_OF_SERVICE = {
    "api-gateway": "gateway_port",
    "websocket-service": "websocket_port",
    "analytics-service": "analytics_port",
    "strategy-service": "strategy_port",
    "order-service": "order_port",
}
TRIED_PORTS_MAX = 500
HIGHEST_PORT = 65_535


class PortClaims:
    """Ports that this `tradewind up` has taken, from when it chooses them until it ends.

    A service listens only seconds after its port was found free; two starts at once would choose the same. So each
    also holds the UDP port of that number on the loopback address, which only one process can, whatever user it runs
    as, and which the system takes back when the process ends, however it ends.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for holder in self._held.values():
            holder.close()

    def claim(self, host: str, port: int) -> bool:
        """Take the port if nobody else has it or listens on `host:port`."""
        if port in self._held or not is_free(host, port):
            return False
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind((LOOPBACK, port))
        except OSError:
            holder.close()
            return False
        self._held[port] = holder
        return True


def with_free_ports(settings: Settings, explicit_settings: frozenset[str], claims: PortClaims) -> Settings:
    """Settings in which every service's port is claimed; raises `PlatformError` when one that the user set is taken."""
    chosen: dict[str, int] = {}
    # The user's own ports first, so that none of them is handed out in place of a default that is busy.
    for field in sorted(PORT_SETTING_OF_SERVICE.values(), key=lambda name: name not in explicit_settings):
        port: int = getattr(settings, field)
        if field not in explicit_settings:
            chosen[field] = _claim_next(settings.bind_host, port, claims)
        elif claims.claim(settings.bind_host, port):
            chosen[field] = port
        else:
            raise PlatformError(_refusal(field, settings.bind_host, port, chosen))
    return msgspec.structs.replace(settings, **chosen)


def reachable_host(bind_host: str) -> str:
    """The address to reach a service at that listens on `bind_host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(bind_host, bind_host)  # noqa: S104 -- compared


def _claim_next(host: str, first: int, claims: PortClaims) -> int:
    for port in range(first, min(first + TRIED_PORTS_MAX, HIGHEST_PORT + 1)):
        if claims.claim(host, port):
            return port
    raise PlatformError(
        f"no free port from {first} on {host}; check TRADEWIND_BIND_HOST, or stop something that listens"
    )


def _refusal(field: str, host: str, port: int, chosen: dict[str, int]) -> str:
    variable = described_settings()[field][1].name
    if port in chosen.values():
        return f"{variable}: port {port} is given to two services; choose another"
    return f"{variable}: cannot listen on {host}:{port}, another program may have it; stop that, or choose another port"
