#!/bin/sh
# Runs before the image's own entrypoint, as root: makes RDS's folders for the
# server's user, and ties the server's stderr to the log there.
set -eu
umask 077
log=/rdsdbdata/log/error/postgresql.log
for folder in /rdsdbdata /rdsdbdata/rds-metadata /rdsdbdata/log /rdsdbdata/log/error; do
    mkdir -p "$folder"
    chown postgres:postgres "$folder"
done
chown -R postgres:postgres /rds-tls
# Started again, it goes on with the log that it has.
touch "$log"
chown postgres:postgres "$log"
exec docker-entrypoint.sh postgres -c fsync=off >>"$log" 2>&1
