"""Asks this container's service whether it is ready: `healthcheck.py PORT-VARIABLE DEFAULT-PORT`; status 0 when it is.

Needs the standard library's sockets alone and no site-packages: it runs every few seconds in every container.
"""

import os
import socket
import sys

TIMEOUT_S = 3.0
STATUS_LINE_LENGTH_MAX = 64


def main() -> int:
    """The status for Docker: 0 is healthy, 1 is not."""
    variable, default = sys.argv[1:]
    port = int(os.environ.get(variable) or default)
    request = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(request)
            answer = connection.recv(STATUS_LINE_LENGTH_MAX)
    except OSError as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    status_line = answer.partition(b"\r\n")[0].decode("ascii", "replace")
    sys.stdout.write(f"{status_line}\n")
    return 0 if " 200 " in f"{status_line} " else 1


if __name__ == "__main__":
    sys.exit(main())
