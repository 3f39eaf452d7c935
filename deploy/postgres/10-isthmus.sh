#!/bin/sh
# Run once by PostgreSQL's image, as superuser, on a new volume: the server's role is none.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
     --set=password="$ISTHMUS_DB_PASSWORD" <<'SQL'
CREATE ROLE isthmus LOGIN PASSWORD :'password';
CREATE DATABASE isthmus OWNER isthmus;
REVOKE CONNECT ON DATABASE isthmus FROM PUBLIC;
SQL
