"""`platform.json` in the data directory: what the first start seeded, without its secrets, for later banners."""

from pathlib import Path

import msgspec

from tradewind.adapters.embedded.data_directory import write_private_file
from tradewind.entrypoints.up.seed import SeededCredentials


class SeededPlatform(msgspec.Struct, frozen=True):
    """The part of `SeededCredentials` that may be kept."""

    user_email: str
    api_key_id: str
    account_id: str
    strategy_account_id: str


def remember(path: Path, credentials: SeededCredentials) -> SeededPlatform:
    """Keep what is no secret."""
    kept = SeededPlatform(
        user_email=credentials.user_email,
        api_key_id=credentials.api_key_id,
        account_id=credentials.account_id,
        strategy_account_id=credentials.strategy_account_id,
    )
    write_private_file(path, msgspec.json.format(msgspec.json.encode(kept)))
    return kept


def recall(path: Path) -> SeededPlatform | None:
    """What an earlier start kept; None when there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SeededPlatform)
    except (OSError, msgspec.DecodeError):
        return None
