#!/bin/sh
# Runs a command beside a new PostgreSQL and a new Redis, made from what this machine has installed (on Debian 12:
# postgresql-15 and redis-server), on free ports, with DATABASE_URL, REDIS_HOST, REDIS_PORT and REDIS_PASSWORD set.
# The user has the rights that a platform needs and no others. Both servers and their data are gone afterwards.
#
#   POSTGRES_BIN   folder of initdb and pg_ctl (default: the newest of /usr/lib/postgresql, else where PATH has initdb)
#   REDIS_SERVER   the server (default: redis-server)
set -eu

fail() {
    echo "error: $*" >&2
    exit 1
}

[ $# -gt 0 ] || fail "usage: $0 COMMAND [ARGUMENT...]"
python=$(command -v python3) || fail "no python3 found"
redis_server=$(command -v "${REDIS_SERVER:-redis-server}") ||
    fail "no Redis found: install it (Debian: apt install redis-server) or set REDIS_SERVER"
postgres_bin=${POSTGRES_BIN:-$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname)}
[ -n "$postgres_bin" ] || postgres_bin=$(dirname "$(command -v initdb || echo /nowhere/initdb)")
[ -x "$postgres_bin/initdb" ] ||
    fail "no PostgreSQL found: install it (Debian: apt install postgresql) or set POSTGRES_BIN"

# PostgreSQL refuses to run as root; its packages make a user for it.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

folder=$(mktemp -d)
redis_pid=
clean_up() {
    status=$?
    trap - EXIT
    if [ -n "$redis_pid" ]; then
        kill "$redis_pid" 2>/dev/null || true
        wait "$redis_pid" || true # it writes to its folder until it ends
    fi
    as_owner "$postgres_bin/pg_ctl" -D "$folder/postgres" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

password=$("$python" -c 'import secrets; print(secrets.token_hex(16))')
postgres_port=$(free_port)
redis_port=$(free_port)

(umask 077 && echo "$password" >"$folder/password")
[ "$(id -u)" != 0 ] || chown -R postgres "$folder"
cd "$folder"
as_owner "$postgres_bin/initdb" -D "$folder/postgres" --username=owner --pwfile="$folder/password" --encoding=UTF8 \
    --auth=scram-sha-256 >"$folder/initdb.log" || fail "initdb: see above"
as_owner "$postgres_bin/pg_ctl" -D "$folder/postgres" -l "$folder/postgres.log" -w start >/dev/null \
    -o "-p $postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" ||
    fail "PostgreSQL did not start: $(tail -n 5 "$folder/postgres.log" 2>/dev/null)"
PGPASSWORD=$password "$postgres_bin/psql" -q -h 127.0.0.1 -p "$postgres_port" -U owner postgres <<SQL
CREATE ROLE tester LOGIN CREATEDB PASSWORD '$password';
CREATE DATABASE tester OWNER tester;
SQL

mkdir "$folder/redis"
"$redis_server" - >"$folder/redis.log" 2>&1 <<CONF &
bind 127.0.0.1
port $redis_port
dir $folder/redis
requirepass $password
appendonly yes
CONF
redis_pid=$!

export DATABASE_URL="postgresql://tester:$password@127.0.0.1:$postgres_port/tester"
export REDIS_HOST=127.0.0.1 REDIS_PORT="$redis_port" REDIS_PASSWORD="$password"
echo "$("$postgres_bin/postgres" --version); $("$redis_server" --version)"
cd "$OLDPWD"
"$@"
