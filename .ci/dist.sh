#!/bin/sh
# dist.sh PYTHON DIRECTORY: build the wheel and the source distribution into a directory.
#
# From a copy of what belongs into them: a build takes up what older ones left (SOURCES.txt), and leaves traces. The two
# are the same in each build from one tree: all times are SOURCE_DATE_EPOCH (the last commit's), nobody owns a file.
set -eu
umask 022
here=$(dirname "$0")
python=$1 out=$2
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$("$here/epoch.sh")}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree" "$work/sdist" "$out"
cp -R setup.py setup.cfg MANIFEST.in README.md CHANGELOG.md LICENSE Makefile .ci docs etc schedd systemd "$work/tree"
find "$work/tree" -name __pycache__ -prune -exec rm -rf {} +
find "$work/tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

PYTHONWARNINGS=ignore "$python" -m build --no-isolation --sdist --wheel --outdir "$work/built" "$work/tree" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
tar -C "$work/sdist" -xzf "$work"/built/*.tar.gz
sdist=$(ls "$work/sdist")
tar -C "$work/sdist" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    -cf - "$sdist" | gzip -9n >"$out/$sdist.tar.gz"
cp "$work"/built/*.whl "$out"
ls "$out/$sdist.tar.gz" "$out"/*.whl
