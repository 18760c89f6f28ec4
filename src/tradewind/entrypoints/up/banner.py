"""What the user sees when everything is ready."""

from typing import TextIO

from rich.console import Console
from rich.markup import escape

from tradewind.entrypoints.up.public_ports import reachable_host
from tradewind.entrypoints.up.seed import SeededCredentials
from tradewind.entrypoints.up.seeded import SeededPlatform
from tradewind.settings import Settings


def print_banner(
    stream: TextIO,
    settings: Settings,
    seeded: SeededPlatform | None,
    fresh: SeededCredentials | None,
    strategy_problem: str | None = None,
) -> None:
    """URLs, the seeded user and key, and one line to try; secrets only when they were made by this start.

    A strategy that does not run comes first: nobody must think that it trades.
    """
    console = Console(file=stream, highlight=False, soft_wrap=True)
    host = reachable_host(settings.bind_host)
    shown_host = f"[{host}]" if ":" in host else host
    rest = f"http://{shown_host}:{settings.gateway_port}"
    rows = [
        ("REST API", rest),
        ("API docs", f"{rest}/docs"),
        ("WebSocket", f"ws://{shown_host}:{settings.websocket_port}/stream"),
        ("Analytics", f"http://{shown_host}:{settings.analytics_port}"),
        *_credentials(seeded, fresh),
        ("Data", str(settings.data_dir.absolute())),
    ]
    console.print()
    if strategy_problem is None:
        console.print("[bold green]Tradewind is ready.[/bold green] Ctrl-C stops it; everything is kept.")
    else:
        console.print(
            "[bold yellow]Tradewind is ready, but its strategy does not run.[/bold yellow]"
            " Ctrl-C stops it; everything is kept."
        )
        rows.insert(0, ("Strategy", f"{settings.strategy} {strategy_problem}"))
    console.print()
    for name, value in rows:
        console.print(f"  [bold]{name:<12}[/bold] {escape(value)}")
    console.print()
    console.print("  Try, in another terminal:")
    console.print(f"  {_line_to_try(rest, seeded, fresh)}", markup=False)
    console.print()


def _credentials(seeded: SeededPlatform | None, fresh: SeededCredentials | None) -> list[tuple[str, str]]:
    if fresh is not None:
        return [
            ("User", f"{fresh.user_email}, password {fresh.user_password}"),
            ("API key", f"{fresh.api_key_id}"),
            ("API secret", f"{fresh.api_key_secret}"),
            ("", "Password and secret are shown this once: keep them."),
        ]
    if seeded is not None:
        return [
            ("User", seeded.user_email),
            ("API key", f"{seeded.api_key_id} (its secret was shown at the first start)"),
        ]
    return []


def _line_to_try(rest: str, seeded: SeededPlatform | None, fresh: SeededCredentials | None) -> str:
    if seeded is None:
        return f"curl {rest}/health"
    secret = fresh.api_key_secret if fresh is not None else "$APCA_API_SECRET_KEY"
    return (
        f'curl -H "APCA-API-KEY-ID: {seeded.api_key_id}" -H "APCA-API-SECRET-KEY: {secret}" {rest}/v2/account'
    )
