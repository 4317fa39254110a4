# A PostgreSQL of one's own: start_postgres makes an empty cluster in the folder $cluster and sets $postgres_url,
# stop_postgres ends it. Its logs and its socket are in the folder $scratch. For tests and benchmarks only: nothing in it
# survives a power cut, anybody on this machine may enter.
# shellcheck shell=bash

postgres_url=''

# initdb refuses to work for root: there the cluster belongs to somebody with fewer rights.
as_postgres() {
  local user=nobody
  if [ "$(id -u)" != 0 ]; then "$@"; return; fi
  ! id postgres >/dev/null 2>&1 || user=postgres
  if have runuser; then
    runuser -u "$user" -- "$@"
  else
    su -s /bin/sh "$user" -c "$(printf '%q ' "$@")"
  fi
}

start_postgres() {
  local bin port
  [ -z "$postgres_url" ] || return 0
  bin=$(postgres_bin) || return 1
  # The log and the cluster are written by the other user, who also may not be allowed to see the current folder.
  chmod 1777 "${scratch:?}" "${cluster:?}"
  (
    cd "$scratch"
    as_postgres "$bin/initdb" --pgdata="$cluster/postgres" --username=postgres --auth=trust \
      --encoding=UTF8 --no-locale --no-sync >"$scratch/initdb.log" 2>&1
  ) || { cat "$scratch/initdb.log" >&2; return 1; }

  for _ in 1 2 3 4 5; do
    # Below the range that outgoing connections take their ports from.
    port=$((20000 + RANDOM % 12000))
    if (
      cd "$scratch"
      as_postgres "$bin/pg_ctl" start --wait --silent --pgdata="$cluster/postgres" --log="$scratch/postgres.log" \
        --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$scratch -c max_connections=1000 -c max_wal_size=128MB -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    ) >"$scratch/pg_ctl.log" 2>&1 </dev/null; then
      postgres_url=postgres://postgres@127.0.0.1:$port/postgres
      return 0
    fi
  done
  cat "$scratch/pg_ctl.log" "$scratch/postgres.log" >&2
  return 1
}

stop_postgres() {
  [ -n "$postgres_url" ] || return 0
  postgres_url=''
  (cd "$scratch" && as_postgres "$(postgres_bin)/pg_ctl" stop --silent --mode=immediate --pgdata="$cluster/postgres") || true
}
