"""Users, accounts, orders, the journal and its books, instruments and bars.

Times are nanoseconds since the epoch (bigint), amounts exact NUMERIC. The order service alone writes the tables of
the first part, each shard through one session.
"""

from alembic import op

revision = "0001"
down_revision = None
compatible_from = "0001"

TRADING = """
CREATE TABLE shards (
    shard         smallint PRIMARY KEY,
    last_seq      bigint NOT NULL DEFAULT 0,
    published_seq bigint NOT NULL DEFAULT 0,
    stream_offset text   NOT NULL DEFAULT '0-0'
);
COMMENT ON TABLE shards IS 'One row a shard: the last event, the last one surely published, the last command entry applied.';
INSERT INTO shards (shard) SELECT generate_series(0, 15);

CREATE TABLE journal (
    shard          smallint NOT NULL REFERENCES shards,
    seq            bigint   NOT NULL,
    ts_ns          bigint   NOT NULL,
    event_type     text     NOT NULL,
    account_id     uuid     NOT NULL,
    correlation_id text     NOT NULL,
    payload        json     NOT NULL,
    PRIMARY KEY (shard, seq)
);
COMMENT ON TABLE journal IS 'Every event, in the order in which its shard decided it. Never updated, never deleted.';

CREATE TABLE accounts (
    account_id        uuid     PRIMARY KEY,
    shard             smallint NOT NULL REFERENCES shards,
    account_number    text     NOT NULL UNIQUE,
    currency          text     NOT NULL,
    multiplier        numeric  NOT NULL,
    cash_available    numeric  NOT NULL,
    cash_held         numeric  NOT NULL,
    halt_reason       text,
    last_submitted_ns bigint   NOT NULL,
    created_at_ns     bigint   NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX accounts_shard ON accounts (shard);

CREATE TABLE positions (
    account_id   uuid    NOT NULL REFERENCES accounts,
    symbol       text    NOT NULL,
    qty          numeric NOT NULL,
    cost_basis   numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    held_qty     numeric NOT NULL,
    PRIMARY KEY (account_id, symbol)
) WITH (fillfactor = 80);

CREATE TABLE orders (
    order_id        uuid     PRIMARY KEY,
    account_id      uuid     NOT NULL REFERENCES accounts,
    client_order_id text     NOT NULL,
    symbol          text     NOT NULL,
    side            text     NOT NULL,
    order_type      text     NOT NULL,
    time_in_force   text     NOT NULL,
    qty             numeric,
    notional        numeric,
    limit_price     numeric,
    stop_price      numeric,
    extended_hours  boolean  NOT NULL,
    status          text     NOT NULL,
    is_open         boolean  NOT NULL,
    filled_qty      numeric  NOT NULL,
    filled_value    numeric  NOT NULL,
    held_cash       numeric  NOT NULL,
    held_qty        numeric  NOT NULL,
    hold_rate       numeric  NOT NULL,
    submitted_at_ns bigint   NOT NULL,
    updated_at_ns   bigint   NOT NULL,
    expires_at_ns   bigint,
    filled_at_ns    bigint,
    canceled_at_ns  bigint,
    expired_at_ns   bigint,
    failed_at_ns    bigint,
    replaced_at_ns  bigint,
    replaces        uuid,
    replaced_by     uuid,
    reject_reason   text,
    execution_ids   text[]   NOT NULL,
    UNIQUE (account_id, client_order_id),
    CHECK ((qty IS NULL) <> (notional IS NULL))
) WITH (fillfactor = 50);
CREATE INDEX orders_submitted ON orders (account_id, submitted_at_ns);
CREATE INDEX orders_open ON orders (account_id, submitted_at_ns) WHERE is_open;
COMMENT ON COLUMN orders.is_open IS 'Follows from status. It changes once in a life, so most updates stay within the page (HOT).';

CREATE TABLE executions (
    account_id     uuid     NOT NULL REFERENCES accounts,
    execution_id   text     NOT NULL,
    order_id       uuid     NOT NULL,
    symbol         text     NOT NULL,
    side           text     NOT NULL,
    qty            numeric  NOT NULL CHECK (qty > 0),
    price          numeric  NOT NULL,
    fee            numeric  NOT NULL,
    realised_pnl   numeric  NOT NULL,
    position_qty   numeric  NOT NULL,
    executed_at_ns bigint   NOT NULL,
    shard          smallint NOT NULL,
    seq            bigint   NOT NULL,
    PRIMARY KEY (account_id, execution_id)
);
CREATE INDEX executions_time ON executions (account_id, executed_at_ns);
CREATE INDEX executions_order ON executions (order_id);

CREATE TABLE ledger_postings (
    shard          smallint NOT NULL,
    seq            bigint   NOT NULL,
    line           smallint NOT NULL,
    account_id     uuid     NOT NULL,
    ledger_account text     NOT NULL,
    unit           text     NOT NULL,
    amount         numeric  NOT NULL,
    PRIMARY KEY (shard, seq, line)
);
CREATE INDEX ledger_postings_account ON ledger_postings (account_id, ledger_account);
COMMENT ON TABLE ledger_postings IS 'Double entry: the lines of one event (shard, seq) sum to zero in each unit.';
"""

REFERENCE_AND_USERS = """
CREATE TABLE instruments (
    symbol         text    PRIMARY KEY,
    asset_id       uuid    NOT NULL UNIQUE,
    asset_class    text    NOT NULL,
    name           text    NOT NULL,
    exchange       text    NOT NULL,
    currency       text    NOT NULL,
    tick_size      numeric NOT NULL CHECK (tick_size > 0),
    lot_size       numeric NOT NULL CHECK (lot_size > 0),
    min_order_size numeric NOT NULL,
    min_notional   numeric NOT NULL,
    max_fee_rate   numeric NOT NULL,
    fractionable   boolean NOT NULL,
    shortable      boolean NOT NULL,
    marginable     boolean NOT NULL,
    tradable       boolean NOT NULL
);

CREATE TABLE users (
    user_id       uuid   PRIMARY KEY,
    email         text   NOT NULL UNIQUE,
    password_hash text   NOT NULL,
    created_at_ns bigint NOT NULL
);
COMMENT ON COLUMN users.password_hash IS 'argon2id';

CREATE TABLE user_accounts (
    user_id    uuid NOT NULL REFERENCES users,
    account_id uuid NOT NULL,
    PRIMARY KEY (user_id, account_id)
);

CREATE TABLE api_keys (
    key_id        text   PRIMARY KEY,
    secret_sha256 bytea  NOT NULL,
    user_id       uuid   NOT NULL REFERENCES users,
    account_id    uuid   NOT NULL,
    created_at_ns bigint NOT NULL,
    revoked_at_ns bigint
);
COMMENT ON COLUMN api_keys.secret_sha256 IS 'The secret has 256 random bits, so a plain hash cannot be searched.';

CREATE TABLE refresh_tokens (
    token_sha256  bytea  PRIMARY KEY,
    family_id     uuid   NOT NULL,
    user_id       uuid   NOT NULL REFERENCES users,
    account_id    uuid   NOT NULL,
    expires_at_ns bigint NOT NULL,
    used_at_ns    bigint,
    revoked_at_ns bigint
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
COMMENT ON TABLE refresh_tokens IS 'Each is used once. One that comes back after use revokes its whole family.';

CREATE TABLE bars (
    source      text    NOT NULL,
    symbol      text    NOT NULL,
    timeframe   text    NOT NULL,
    start_ns    bigint  NOT NULL,
    open        numeric NOT NULL,
    high        numeric NOT NULL,
    low         numeric NOT NULL,
    close       numeric NOT NULL,
    volume      numeric NOT NULL,
    trade_count bigint  NOT NULL,
    vwap        numeric NOT NULL,
    PRIMARY KEY (source, symbol, timeframe, start_ns)
);
"""


DEADLINES = """
CREATE FUNCTION require_deadline(deadline_ns bigint, shards_locked bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF extract(epoch FROM clock_timestamp()) * 1000000000 > deadline_ns THEN
        RAISE EXCEPTION 'the deadline of a command is over' USING ERRCODE = 'TW001';
    END IF;
    RETURN shards_locked;
END $$
"""


def upgrade() -> None:
    """Create every table of the foundation."""
    for script in (TRADING, REFERENCE_AND_USERS):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
    op.execute(DEADLINES)
