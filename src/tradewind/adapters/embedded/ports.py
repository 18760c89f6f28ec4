"""Free TCP ports on the loopback address for the private servers."""

import random
import socket

from tradewind.adapters.embedded.errors import ServerNotPreparedError

LOOPBACK = "127.0.0.1"

# Below the ranges from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections. From
# inside such a range, a client that reconnects to a server that is down can be given that server's port as its own
# source port: it then talks to itself, and the server cannot come back.
FIRST_PRIVATE_PORT = 20_000
LAST_PRIVATE_PORT = 32_000
ATTEMPTS_MAX = 200


def free_loopback_port(excluded: frozenset[int] = frozenset()) -> int:
    """A port that nothing listens on; random, so that two checkouts that start at once do not choose the same."""
    randomness = random.SystemRandom()
    for _ in range(ATTEMPTS_MAX):
        port = randomness.randint(FIRST_PRIVATE_PORT, LAST_PRIVATE_PORT)
        if port not in excluded and is_free(LOOPBACK, port):
            return port
    raise ServerNotPreparedError(
        f"no free port between {FIRST_PRIVATE_PORT} and {LAST_PRIVATE_PORT} on {LOOPBACK}; stop something that listens"
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True
