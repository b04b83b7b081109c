#!/bin/sh
# python.sh: print the path of a Python that schedd can live on, with its venv module; or say what to do.
#
# The system's python3 comes first: it is where a service can reach it, and it starts without a shim.
set -eu
here=$(dirname "$0")

for candidate in ${PYTHON:-/usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11}; do
    python=$(command -v "$candidate") || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        [ "$python" = /usr/bin/python3 ] || continue
        # Debian keeps half of the venv module in a package of its own.
        "$here/need.sh" no-such-command python3-venv >&2
    fi
    echo "$python"
    exit 0
done
echo "schedd: needs Python 3.11 or newer; found ${PYTHON:-$(python3 --version 2>/dev/null || echo none)}." \
    "Run: sudo apt-get install python3 python3-venv, or make PYTHON=/path/to/python3.11" >&2
exit 1
