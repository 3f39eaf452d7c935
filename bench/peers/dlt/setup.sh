#!/bin/sh
# Installs dlt, the peer of the bench of syncs, into an environment of its own outside the repository.
# Needs a Python 3.11 and a package index; about half a minute and 500 MB.
#
#   bench/peers/dlt/setup.sh [folder]     default: $ISTHMUS_BENCH_DLT or ~/.cache/isthmus-bench/dlt
#
# PYTHON names the interpreter where it is not `python3.11`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-${ISTHMUS_BENCH_DLT:-$HOME/.cache/isthmus-bench/dlt}}

"${PYTHON:-python3.11}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "dlt's pins are for Python 3.11. Say PYTHON=/path/to/python3.11." >&2
    exit 1
}
"${PYTHON:-python3.11}" -m venv "$target"
"$target/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    -c "$here/constraints.txt" 'dlt[parquet,sql-database]==1.31.0' psycopg2-binary connectorx
"$target/bin/python" -c 'import dlt, connectorx, psycopg2; print("dlt", dlt.__version__, "is installed")'
