"""The tables that are read and written through SQLAlchemy Core; the migrations define them in full."""

from decimal import Context, Decimal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

_EXACT = Context(prec=1_000)
_METADATA = MetaData()
_Id = Uuid(as_uuid=False)


def normalised(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros and without an exponent above zero; never rounds."""
    reduced = amount.normalize(_EXACT)
    return reduced if int(reduced.as_tuple().exponent) <= 0 else reduced.quantize(Decimal(1), context=_EXACT)


shards = Table("shards", _METADATA, Column("shard", SmallInteger), Column("last_seq", BigInteger))

accounts = Table(
    "accounts",
    _METADATA,
    Column("account_id", _Id),
    Column("shard", SmallInteger),
    Column("account_number", Text),
    Column("currency", Text),
    Column("multiplier", Numeric),
    Column("cash_available", Numeric),
    Column("cash_held", Numeric),
    Column("halt_reason", Text),
    Column("last_submitted_ns", BigInteger),
    Column("created_at_ns", BigInteger),
)

positions = Table(
    "positions",
    _METADATA,
    Column("account_id", _Id),
    Column("symbol", Text),
    Column("qty", Numeric),
    Column("cost_basis", Numeric),
    Column("realised_pnl", Numeric),
    Column("held_qty", Numeric),
)

orders = Table(
    "orders",
    _METADATA,
    Column("order_id", _Id),
    Column("account_id", _Id),
    Column("client_order_id", Text),
    Column("symbol", Text),
    Column("side", Text),
    Column("order_type", Text),
    Column("time_in_force", Text),
    Column("qty", Numeric),
    Column("notional", Numeric),
    Column("limit_price", Numeric),
    Column("stop_price", Numeric),
    Column("extended_hours", Boolean),
    Column("status", Text),
    Column("is_open", Boolean),
    Column("filled_qty", Numeric),
    Column("filled_value", Numeric),
    Column("held_cash", Numeric),
    Column("held_qty", Numeric),
    Column("hold_rate", Numeric),
    Column("submitted_at_ns", BigInteger),
    Column("updated_at_ns", BigInteger),
    Column("expires_at_ns", BigInteger),
    Column("filled_at_ns", BigInteger),
    Column("canceled_at_ns", BigInteger),
    Column("expired_at_ns", BigInteger),
    Column("failed_at_ns", BigInteger),
    Column("replaced_at_ns", BigInteger),
    Column("replaces", _Id),
    Column("replaced_by", _Id),
    Column("reject_reason", Text),
    Column("execution_ids", ARRAY(Text)),
)

executions = Table(
    "executions",
    _METADATA,
    Column("account_id", _Id),
    Column("execution_id", Text),
    Column("order_id", _Id),
    Column("symbol", Text),
    Column("side", Text),
    Column("qty", Numeric),
    Column("price", Numeric),
    Column("fee", Numeric),
    Column("realised_pnl", Numeric),
    Column("position_qty", Numeric),
    Column("executed_at_ns", BigInteger),
    Column("shard", SmallInteger),
    Column("seq", BigInteger),
)

journal = Table(
    "journal",
    _METADATA,
    Column("shard", SmallInteger),
    Column("seq", BigInteger),
    Column("ts_ns", BigInteger),
    Column("event_type", Text),
    Column("account_id", _Id),
)

ledger_postings = Table(
    "ledger_postings",
    _METADATA,
    Column("shard", SmallInteger),
    Column("seq", BigInteger),
    Column("line", SmallInteger),
    Column("account_id", _Id),
    Column("ledger_account", Text),
    Column("unit", Text),
    Column("amount", Numeric),
)

instruments = Table(
    "instruments",
    _METADATA,
    Column("symbol", Text, primary_key=True),
    Column("asset_id", _Id),
    Column("asset_class", Text),
    Column("name", Text),
    Column("exchange", Text),
    Column("currency", Text),
    Column("tick_size", Numeric),
    Column("lot_size", Numeric),
    Column("min_order_size", Numeric),
    Column("min_notional", Numeric),
    Column("max_fee_rate", Numeric),
    Column("fractionable", Boolean),
    Column("shortable", Boolean),
    Column("marginable", Boolean),
    Column("tradable", Boolean),
)

users = Table(
    "users",
    _METADATA,
    Column("user_id", _Id),
    Column("email", Text),
    Column("password_hash", Text),
    Column("created_at_ns", BigInteger),
)

user_accounts = Table("user_accounts", _METADATA, Column("user_id", _Id), Column("account_id", _Id))

api_keys = Table(
    "api_keys",
    _METADATA,
    Column("key_id", Text),
    Column("secret_sha256", LargeBinary),
    Column("user_id", _Id),
    Column("account_id", _Id),
    Column("created_at_ns", BigInteger),
    Column("revoked_at_ns", BigInteger),
)

refresh_tokens = Table(
    "refresh_tokens",
    _METADATA,
    Column("token_sha256", LargeBinary),
    Column("family_id", _Id),
    Column("user_id", _Id),
    Column("account_id", _Id),
    Column("expires_at_ns", BigInteger),
    Column("used_at_ns", BigInteger),
    Column("revoked_at_ns", BigInteger),
)
