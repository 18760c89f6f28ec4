# shellcheck shell=sh
# What the backup scripts share. Sourced, not run.

BACKUP_DIR=${BACKUP_DIR:-/backup}
BACKUP_KEEP=${BACKUP_KEEP:-7}
BACKUP_INTERVAL_HOURS=${BACKUP_INTERVAL_HOURS:-24}
BACKUP_LATE_HOURS=${BACKUP_LATE_HOURS:-3}
SCHEDULE_CHECK_S=60
SCHEDULE_RETRY_S=300
PARTIAL=.partial-
export BACKUP_DIR

say() {
    printf '%s %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${0##*/}" "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# read_secret NAME: $NAME from the file that $NAME_FILE names, when that is set.
read_secret() {
    eval "file=\${${1}_FILE:-}"
    # shellcheck disable=SC2154 # set by eval
    if [ -n "$file" ]; then
        [ -r "$file" ] || die "$file, which ${1}_FILE names, cannot be read"
        eval "$1=\$(cat \"\$file\")"
        export "${1?}"
    fi
}

# is_before A B: in the order of text, as times and segments of one length are.
is_before() {
    expr "x$1" '<' "x$2" >/dev/null
}

# The names of the whole backups of a kind, oldest first.
backups() {
    [ -d "$BACKUP_DIR/$1" ] || return 0
    for place in "$BACKUP_DIR/$1"/[0-9]*Z; do
        if [ -f "$place/SHA256SUMS" ]; then printf '%s\n' "${place##*/}"; fi
    done
}

# chosen_backup KIND NAME: the folder of a whole backup; NAME may be `latest`.
chosen_backup() {
    name=$2
    [ "$name" != latest ] || name=$(backups "$1" | tail -n 1)
    [ -n "$name" ] || die "there is no whole backup in $BACKUP_DIR/$1"
    [ -f "$BACKUP_DIR/$1/$name/SHA256SUMS" ] || die "$BACKUP_DIR/$1 has no whole backup $name; it has: $(backups "$1" | tr '\n' ' ')"
    printf '%s\n' "$BACKUP_DIR/$1/$name"
}

# One at a time: what another run that was killed left half-written is removed, never taken for a backup.
begin_backup() {
    mkdir -p "$BACKUP_DIR/$1"
    exec 9>"$BACKUP_DIR/$1/.lock"
    flock -n 9 || die "another backup is being made"
    rm -rf "${BACKUP_DIR:?}/$1/$PARTIAL"*
    name=$(date -u +%Y%m%dT%H%M%SZ)
    partial=$BACKUP_DIR/$1/$PARTIAL$name
    [ ! -e "$BACKUP_DIR/$1/$name" ] || die "there is a backup $name already"
}

# finish_backup KIND: checksums, everything on disk, and only then the name that makes it a backup.
finish_backup() {
    (cd "$partial" && find . -type f -exec sha256sum {} + >"../$PARTIAL$name.sums")
    mv "$BACKUP_DIR/$1/$PARTIAL$name.sums" "$partial/SHA256SUMS"
    find "$partial" -type f -exec sync {} +
    sync "$partial"
    mv "$partial" "$BACKUP_DIR/$1/$name"
    sync "$BACKUP_DIR/$1"
}

check_sums() {
    (cd "$1" && sha256sum --check --strict --quiet SHA256SUMS >&2) || die "$1 is damaged: it must not be restored"
}

# check_manifest PLACE: every file of an unpacked database is the one that PostgreSQL sent.
check_manifest() {
    if pg_verifybackup --version >/dev/null 2>&1; then
        pg_verifybackup --quiet "$1" || die "the backup does not hold what its manifest says"
    else
        say "pg_verifybackup does not run here: only the checksums of the backup's own files were checked"
    fi
}

# remove_old KIND: all but the newest $BACKUP_KEEP.
remove_old() {
    [ "$BACKUP_KEEP" -ge 1 ] || die "BACKUP_KEEP must be at least 1"
    backups "$1" | head -n "-$BACKUP_KEEP" | while read -r old; do
        # Renamed first, so that one that is half removed is no backup any more.
        mv "$BACKUP_DIR/$1/$old" "$BACKUP_DIR/$1/$PARTIAL$old"
        rm -rf "${BACKUP_DIR:?}/$1/$PARTIAL$old"
        say "removed $old"
    done
}

# age_s KIND: seconds since the newest backup was begun; nothing when there is none.
age_s() {
    newest=$(backups "$1" | tail -n 1)
    [ -n "$newest" ] || return 0
    began=$(printf '%s\n' "$newest" | sed 's/^\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z$/\1-\2-\3 \4:\5:\6 UTC/')
    echo $(($(date +%s) - $(date -d "$began" +%s)))
}

is_late() {
    age=$(age_s "$1")
    [ -z "$age" ] || [ "$age" -gt $(((BACKUP_INTERVAL_HOURS + BACKUP_LATE_HOURS) * 3600)) ]
}

# schedule KIND COMMAND...: run it whenever the newest backup is older than the interval, until SIGTERM.
schedule() {
    kind=$1
    shift
    trap 'say stopped; exit 0' TERM INT
    say "a backup every $BACKUP_INTERVAL_HOURS hours into $BACKUP_DIR, $BACKUP_KEEP are kept"
    while :; do
        age=$(age_s "$kind")
        pause_s=$SCHEDULE_CHECK_S
        if [ -z "$age" ] || [ "$age" -ge $((BACKUP_INTERVAL_HOURS * 3600)) ]; then
            "$@" || {
                say "the backup failed; trying again in $SCHEDULE_RETRY_S s"
                pause_s=$SCHEDULE_RETRY_S
            }
        fi
        sleep "$pause_s" &
        wait $!
    done
}
