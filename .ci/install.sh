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
# Where each shell looks below the prefix.
bash_completion=share/bash-completion/completions/schedd
zsh_completion=share/zsh/site-functions/_schedd
fish_completion=share/fish/vendor_completions.d/schedd.fish
node_enough=22.18 # the first that runs TypeScript without a flag

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
    rm -f "$new"/bin/[Aa]ctivate*
    find "$new/bin" "$new/pyvenv.cfg" -type f -exec grep -IlF "$new" {} + | xargs sed -i "s|$new|$app|g"
    "$new/bin/python" -m compileall -q -s "$new" -p "$app" "$new/lib"
}

# Node.js comes along where the host has none, or too old a one.
extras() {
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
    put systemd/schedd.service "$prefix/lib/systemd/system/schedd.service"
    sed -i "s|/usr/local/|$prefix/|" "$destdir$prefix/lib/systemd/system/schedd.service"
    put systemd/schedd.catalog "$prefix/lib/systemd/catalog/schedd.catalog"
    put systemd/sysusers.conf "$prefix/lib/sysusers.d/schedd.conf"
    put systemd/tmpfiles.conf "$prefix/lib/tmpfiles.d/schedd.conf"
    put systemd/loosen.conf.example "$prefix/share/doc/schedd/loosen.conf.example"
    for each in README.md CHANGELOG.md docs/*.md; do
        [ ! -e "$each" ] || put "$each" "$prefix/share/doc/schedd/$(basename "$each")"
    done
    put etc/completion/schedd.bash "$prefix/$bash_completion"
    put etc/completion/_schedd "$prefix/$zsh_completion"
    put etc/completion/schedd.fish "$prefix/$fish_completion"
    mkdir -p "$destdir/etc/schedd/scripts"
    [ -e "$destdir/etc/schedd/schedd.toml" ] || put etc/schedd.toml /etc/schedd/schedd.toml
}

put() {
    mkdir -p "$(dirname "$destdir$2")"
    cp "$1" "$destdir$2"
    chmod 644 "$destdir$2"
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
    for each in bin/schedd lib/schedd lib/systemd/system/schedd.service lib/systemd/catalog/schedd.catalog \
        lib/sysusers.d/schedd.conf lib/tmpfiles.d/schedd.conf share/doc/schedd \
        "$bash_completion" "$zsh_completion" "$fish_completion"; do
        rm -rf "$destdir$prefix/$each"
    done
    echo "Removed. /etc/schedd, /var/lib/schedd and the user schedd are still there."
}

main "$1"
