#!/bin/sh
# install.sh install|uninstall: put schedd into the system, or take it out again. DESTDIR and PREFIX as usual.
#
# The service's Python environment is $PREFIX/lib/schedd, built from the system's python3: what lies below
# somebody's home directory could not be reached by the user that the service runs as. What is in /etc/schedd and
# /var/lib/schedd belongs to the administrator; neither verb overwrites or removes it.
set -eu
umask 022 # whatever root's is, the service's user has to read this
here=$(dirname "$0")
prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-}
app=$prefix/lib/schedd
node_enough=22.18 # the first that runs TypeScript without a flag

# The source of each file, and its place below the prefix. Both verbs go by this list.
files() {
    cat <<'FILES'
systemd/schedd.service lib/systemd/system/schedd.service
systemd/schedd.socket lib/systemd/system/schedd.socket
systemd/schedd.catalog lib/systemd/catalog/schedd.catalog
systemd/sysusers.conf lib/sysusers.d/schedd.conf
systemd/tmpfiles.conf lib/tmpfiles.d/schedd.conf
systemd/loosen.conf.example share/doc/schedd/loosen.conf.example
systemd/switch-user.conf.example share/doc/schedd/switch-user.conf.example
etc/completion/schedd.bash share/bash-completion/completions/schedd
etc/completion/_schedd share/zsh/site-functions/_schedd
etc/completion/schedd.fish share/fish/vendor_completions.d/schedd.fish
etc/prometheus/schedd.rules.yml share/schedd/prometheus/schedd.rules.yml
etc/grafana/schedd.json share/schedd/grafana/schedd.json
FILES
    for each in README.md CHANGELOG.md LICENSE docs/*.md; do
        echo "$each share/doc/schedd/$(basename "$each")"
    done
}

pages='schedd.1 schedd.toml.5 schedd-scripts.7'

main() {
    case $1 in
        install) make_app; swap_app; put_files; say_next ;;
        uninstall) remove_files ;;
    esac
}

# Builds the new environment beside the old one, as it will look in its final place.
make_app() {
    new=$destdir$app.new
    rm -rf "$new"
    mkdir -p "$(dirname "$new")"
    "$(PYTHON=${PYTHON:-/usr/bin/python3} "$here/python.sh")" -m venv "$new"
    source=$(mktemp -d)
    trap 'rm -rf "$source"' EXIT
    # A copy: a build leaves traces, root's in this case, and takes up those of older builds.
    cp -R setup.py setup.cfg README.md LICENSE schedd "$source"
    echo "Installing schedd$(extras) into $destdir$app"
    "$new/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-compile --use-pep517 \
        "$source$(extras)"
    "$new/bin/python" -m pip uninstall -qq --yes setuptools pip
    # Where the copy was is of no interest to anybody, and another place each time.
    sed -i '/direct_url.json/d' "$new"/lib/python3*/site-packages/schedd-*.dist-info/RECORD
    rm "$new"/lib/python3*/site-packages/schedd-*.dist-info/direct_url.json
    # Of the programs in there only one is ours, and no person activates it.
    find "$new/bin" -type f ! -name schedd -delete
    find "$new/bin" "$new/pyvenv.cfg" -type f -exec grep -IlF "$new" {} + | xargs sed -i "s|$new|$app|g"
    "$new/bin/python" -m compileall -q -f -j 0 --invalidation-mode "${PYC:-timestamp}" -s "$new" -p "$app" "$new/lib"
}

# Node.js comes along where the host has none, or too old a one. EXTRAS= (empty) or EXTRAS=node decides it for a
# package that is built on one host and installed on others.
extras() {
    if [ "${EXTRAS+given}" ]; then
        [ -z "$EXTRAS" ] || echo "[$EXTRAS]"
        return
    fi
    found=$(node --version 2>/dev/null || true)
    if [ "$(printf '%s\n' "v$node_enough" "$found" | sort -V | tail -n 1)" = "v$node_enough" ]; then
        echo '[node]'
    fi
}

swap_app() {
    rm -rf "$destdir$app.old"
    [ ! -e "$destdir$app" ] || mv "$destdir$app" "$destdir$app.old"
    mv "$destdir$app.new" "$destdir$app"
    rm -rf "$destdir$app.old"
}

put_files() {
    mkdir -p "$destdir$prefix/bin"
    ln -sfn ../lib/schedd/bin/schedd "$destdir$prefix/bin/schedd"
    files | while read -r source_file place; do
        put "$source_file" "$prefix/$place"
    done
    put_pages
    mkdir -p "$destdir/etc/schedd/scripts"
    [ -e "$destdir/etc/schedd/schedd.toml" ] || put etc/schedd.toml /etc/schedd/schedd.toml
}

put() {
    mkdir -p "$(dirname "$destdir$2")"
    case $1 in
        systemd/* | etc/completion/*) sed "s|/usr/local/|$prefix/|g" "$1" >"$destdir$2" ;;
        *) cp "$1" "$destdir$2" ;;
    esac
    chmod 644 "$destdir$2"
}

# The pages are made of the commands, so by the Python that has them.
put_pages() {
    pages_dir=$(mktemp -d)
    "$destdir$app/bin/python" -B "$here/man.py" "$pages_dir" "$prefix"
    for page in $pages; do
        mkdir -p "$destdir$prefix/share/man/man${page##*.}"
        cp "$pages_dir/$page" "$destdir$prefix/share/man/man${page##*.}/"
    done
    rm -r "$pages_dir"
}

say_next() {
    [ -z "$destdir" ] || return 0
    cat <<'NEXT'
Installed. To start it:
    systemd-sysusers && systemd-tmpfiles --create schedd.conf && journalctl --update-catalog
    systemctl daemon-reload && systemctl enable --now schedd
NEXT
}

remove_files() {
    rm -rf "$destdir$prefix/bin/schedd" "$destdir$app"
    files | while read -r _ place; do
        rm -f "$destdir$prefix/$place"
    done
    for page in $pages; do
        rm -f "$destdir$prefix/share/man/man${page##*.}/$page"
    done
    rm -rf "$destdir$prefix/share/schedd" "$destdir$prefix/share/doc/schedd"
    echo "Removed. /etc/schedd, /var/lib/schedd and the user schedd are still there."
}

main "$1"
