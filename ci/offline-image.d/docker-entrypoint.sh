#!/usr/bin/env bash
# The entrypoint of the images that ci/offline-image builds. It keeps the contract
# of the official `postgres` image, as its description on Docker Hub states it, so
# that whatever starts that image starts this one too. suites/tests/entrypoint.rs
# holds both against the contract.
set -Eeuo pipefail
shopt -s nullglob

readonly scripts=/docker-entrypoint-initdb.d

say() { printf 'docker-entrypoint.sh: %s\n' "$*"; }

refuse() {
  say "$*" >&2
  exit 1
}

# A variable's value comes from itself, from the file that NAME_FILE names, or is the default.
setting() {
  local name=$1 file=${1}_FILE default=${2:-}
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
    refuse "$name and $file are both set; set one of them"
  fi
  if [ -n "${!file:-}" ]; then
    [ -r "${!file}" ] || refuse "$file names ${!file}, which can't be read"
    export "$name=$(<"${!file}")"
    unset "$file"
  else
    export "$name=${!name:-$default}"
  fi
}

# Whether an option makes postgres print something and end, which needs no data.
only_prints() {
  local argument
  for argument; do
    case $argument in
      --help | -'?' | --version | -V | --describe-config) return 0 ;;
    esac
  done
  return 1
}

# Makes the folders that the server writes to; as root, the server's user owns them.
make_folders() {
  local folder
  for folder in "$PGDATA" ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}; do
    mkdir -p "$folder"
    # A mounted folder may refuse; the server then says what it thinks of the mode.
    chmod 700 "$folder" || true
  done
  if [ "$(id -u)" = 0 ]; then
    for folder in "$PGDATA" ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} /var/run/postgresql; do
      find "$folder" ! -user postgres -exec chown postgres: {} +
    done
  fi
}

# Nobody gets a server that is open to anyone by having forgotten something.
check_password() {
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    say 'warning: POSTGRES_HOST_AUTH_METHOD is trust: whoever reaches the port gets in without a password' >&2
  elif [ -z "$POSTGRES_PASSWORD" ]; then
    refuse "there is no database in $PGDATA yet, and no password for its superuser:" \
      'set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE' \
      '(or POSTGRES_HOST_AUTH_METHOD=trust, to let anyone in)'
  fi
}

# Makes the cluster. `$@` are the server's options, which may change its authentication.
make_cluster() {
  local arguments
  # The variable is documented to be words as a shell reads them.
  eval "arguments=($POSTGRES_INITDB_ARGS)"
  # The password goes through a pipe, and so stands in no argument and no file.
  # initdb takes no empty file; an empty line is no password to it.
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"} ${arguments[@]+"${arguments[@]}"}

  # Up to PostgreSQL 13, passwords are stored for md5.
  local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# Runs the scripts of /docker-entrypoint-initdb.d in the order of their names.
# The first that fails ends everything.
run_scripts() {
  # Scripts that are sourced may use it too.
  # shellcheck disable=SC2034
  local psql=(run_sql) script
  for script in "$scripts"/*; do
    case $script in
      *.sh)
        if [ -x "$script" ]; then
          say "running $script"
          "$script"
        else
          say "sourcing $script"
          # shellcheck source=/dev/null
          . "$script"
        fi
        ;;
      *.sql) run_sql_from cat "$script" ;;
      *.sql.gz) run_sql_from 'gunzip -c' "$script" ;;
      *.sql.xz) run_sql_from 'xz -dc' "$script" ;;
      *.sql.zst) run_sql_from 'zstd -dc' "$script" ;;
      *) say "ignoring $script" ;;
    esac
  done
}

run_sql_from() {
  say "running $2"
  # shellcheck disable=SC2086
  $1 "$2" | run_sql
}

# psql as the superuser, through the socket whatever the environment says.
run_sql() {
  env -u PGHOST -u PGHOSTADDR psql --no-psqlrc --no-password --set=ON_ERROR_STOP=1 \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}

# Makes the cluster, the database and what the scripts want, with a server that
# nobody outside of the container reaches. `$@` are the server's options.
initialise() {
  check_password
  if ! [ -r "$scripts" ] || ! [ -x "$scripts" ]; then
    refuse "$scripts can't be read by user $(id -un)"
  fi
  make_cluster "$@"

  # The trust that initdb gives the socket can be taken away by POSTGRES_INITDB_ARGS.
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  # Without a log file, pg_ctl sends the server's log to standard output. Clients wait
  # for "ready to accept connections" there, and then on standard error from the real server.
  PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl --wait start \
    --options="$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
  run_sql --dbname=postgres --quiet --set=name="$POSTGRES_DB" <<<"
    SELECT format('CREATE DATABASE %I', :'name')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec"
  run_scripts
  pg_ctl --wait --mode=fast stop
  unset PGPASSWORD
  say 'PostgreSQL init process complete; ready for start up.'
}

# Options alone are the server's.
case ${1:-} in
  -*) set -- postgres "$@" ;;
esac

# Any other command is run as it is.
if [ "${1:-}" = postgres ] && ! only_prints "$@"; then
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
  export POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-}
  make_folders
  # Files of secrets may be root's alone, so they are read by now.
  if [ "$(id -u)" = 0 ]; then
    export HOME=/var/lib/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
  fi
  if [ -s "$PGDATA/PG_VERSION" ]; then
    say "there is a database in $PGDATA; nothing to initialise"
  else
    initialise "${@:2}"
  fi
fi

# Process 1 is the server itself, to which the container's stop signal goes.
exec "$@"
