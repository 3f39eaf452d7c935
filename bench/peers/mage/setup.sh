#!/bin/sh
# Installs the real Mage, the peer of the benchmark, into an environment of its own outside the
# repository. Needs a Python 3.11 and a package index; about a minute and 1.4 GB.
#
#   bench/peers/mage/setup.sh [folder]     default: $ISTHMUS_BENCH_MAGE or ~/.cache/isthmus-bench/mage
#
# PYTHON names the interpreter where it is not `python3.11`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-${ISTHMUS_BENCH_MAGE:-$HOME/.cache/isthmus-bench/mage}}

"${PYTHON:-python3.11}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "Mage's pins are for Python 3.11. Say PYTHON=/path/to/python3.11." >&2
    exit 1
}
"${PYTHON:-python3.11}" -m venv "$target"
"$target/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    -c "$here/constraints.txt" mage-ai==0.9.80 psycopg2-binary sshtunnel
"$target/bin/mage" --help > /dev/null
echo "Mage 0.9.80 is in $target"
