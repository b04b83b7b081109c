#!/bin/sh
# venv.sh DIRECTORY EXTRAS: make or refresh the virtual environment that this checkout runs in.
#
# schedd itself is installed as a link to the checkout, so a change of its code needs no second call.
set -eu
venv=$1 extras=$2
here=$(dirname "$0")

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    python=$("$here/python.sh")
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
echo "Installing schedd[$extras] into $venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --use-pep517 --editable ".[$extras]"
