#!/bin/sh
# As of the official image: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB make the cluster in PGDATA at the first
# start, and options alone are the server's, which does not run as root.
set -e
case "$1" in
    -*) set -- postgres "$@" ;;
esac
if [ "$1" != postgres ]; then
    exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    secret=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" > "$secret"
    # shellcheck disable=SC2086  # arguments, as many as there are
    initdb --no-sync --username="$user" --pwfile="$secret" -D "$PGDATA" $POSTGRES_INITDB_ARGS
    rm "$secret"
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    database=${POSTGRES_DB:-$user}
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE \"$database\"" | postgres --single -D "$PGDATA" postgres > /dev/null
    fi
fi
exec "$@"
