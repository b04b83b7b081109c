#!/bin/sh
# deb.sh DIRECTORY: build schedd's Debian package for this machine's Debian and its python3, into a directory.
#
# The package is what `make install PREFIX=/usr` makes, with the dependencies inside, since Debian has older ones
# than schedd needs. Node.js (200 MB) stays outside: the package recommends one; EXTRAS=node takes it in. Names the
# maintainer by DEBFULLNAME and DEBEMAIL, the revision by REVISION. Two builds from one tree, on one machine, are equal
# byte for byte: all times are SOURCE_DATE_EPOCH, which is the last commit's if it is not given.
set -eu
umask 022
here=$(dirname "$0")
out=$1
maintainer="${DEBFULLNAME:-$(id -un)} <${DEBEMAIL:-$(id -un)@$(uname -n)}>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$("$here/epoch.sh")}
export SOURCE_DATE_EPOCH

main() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    root=$work/root
    # Compiled code by content: the times of the files are another thing in each build.
    PYTHON=/usr/bin/python3 PREFIX=/usr DESTDIR=$root EXTRAS=${EXTRAS-} PYC=unchecked-hash "$here/install.sh" install
    python=$root/usr/lib/schedd/bin/python
    arch=$(dpkg --print-architecture)
    version=$(debian_version)-${REVISION:-1}
    as_debian_has_it
    control
    # Last, since from here on it only leads somewhere once it is installed.
    ln -sfn ../../../bin/python3 "$root/usr/lib/schedd/bin/python3"
    mkdir -p "$out"
    package=$out/schedd_${version}_$arch.deb
    dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
    echo "$package"
}

# 1.0rc1 comes before 1.0, and 1.0.dev3 before both.
debian_version() {
    "$python" -B -c 'import schedd; print(schedd.__version__)' | sed -E 's/(a|b|rc|\.dev)([0-9]+)/~\1\2/g; s/~\.dev/~dev/'
}

# What Debian's policy wants otherwise than the usual make install.
as_debian_has_it() {
    share=$root/usr/share doc=$root/usr/share/doc/schedd app=$root/usr/lib/schedd
    rm -rf "$app/include"
    mkdir -p "$share/zsh/vendor-completions" "$share/lintian/overrides" "$doc/examples"
    mv "$share/zsh/site-functions/_schedd" "$share/zsh/vendor-completions/_schedd"
    rmdir "$share/zsh/site-functions"
    sed -i "1,2s|site-functions|vendor-completions|" "$share/zsh/vendor-completions/_schedd"
    cp "$here/deb/lintian-overrides" "$share/lintian/overrides/schedd"
    cp -R etc/scripts "$doc/examples/scripts"
    mv "$doc/LICENSE" "$work/license"
    copyright <"$work/license" >"$doc/copyright"
    changelog >"$doc/changelog.Debian"
    mv "$doc/CHANGELOG.md" "$doc/changelog"
    gzip -9n "$doc/changelog" "$doc/changelog.Debian" "$share"/man/man*/*
    find "$root" -type d -exec chmod 755 {} +
}

copyright() {
    cat <<'TEXT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: schedd
Comment: What is below /usr/lib/schedd/lib, besides schedd itself, are these packages, each under the license in
 its own .dist-info directory:
TEXT
    "$python" -B -c 'from importlib.metadata import distributions
for name, version in sorted((each.name, each.version) for each in distributions()):
    if name != "schedd":
        print(f" {name} {version}")'
    echo ' The page, in schedd/web/page/vendor there, has preact and htm, each with its license and provenance beside it.'
    printf '\nFiles: *\nCopyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' "$work/license")"
    sed -n '/^Permission/,$p' "$work/license" | sed 's/^$/./; s/^/ /'
}

changelog() {
    printf 'schedd (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * What changes for those who use schedd is in changelog.gz.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

control() {
    mkdir "$root/DEBIAN"
    cp "$here"/deb/p* "$root/DEBIAN/"
    chmod 755 "$root/DEBIAN"/p*
    echo /etc/schedd/schedd.toml >"$root/DEBIAN/conffiles"
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    minor=$("$python" -c 'import sys; print(sys.version_info.minor)')
    cat >"$root/DEBIAN/control" <<CONTROL
Package: schedd
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6, python3 (>= 3.$minor), python3 (<< 3.$((minor + 1))), systemd (>= 250), init-system-helpers (>= 1.52), passwd
Recommends: nodejs (>= 22.18)
Section: admin
Priority: optional
Description: cron daemon whose jobs are scripts that schedule themselves
 A script says in its header when it runs, for how long, and what happens when
 it is still running; schedd does so. Every due slot of every script ends as one
 line of a log that says what happened and why, across crashes, restarts and
 the nights when the clocks change.
 .
 It comes with a command line, an HTTP API, metrics for Prometheus, and all the
 Python packages that it needs. JavaScript and TypeScript need Node.js 22.18.
CONTROL
}

main
