#!/bin/sh
# browser.sh: make sure that there is a Chromium for the tests of the page, and a font for it to draw with.
#
# Debian has one as a package: root gets it installed, anybody else is told the command. Ubuntu has it only as a snap,
# which needs a running snapd and so cannot be had in a container: there the tests of the page are left out, and the
# last line printed, --ignore-glob=..., says so to pytest. Where nobody reads along (CI is set) that is an error.
# CHROMIUM=/path/to/chrome names a browser that is somewhere else. Nothing is ever downloaded but by apt.
set -eu
here=$(dirname "$0")

found() {
    # What answers: Ubuntu's stub is there, and asks for a snap instead.
    for name in ${CHROMIUM:-chromium google-chrome google-chrome-stable chrome}; do
        if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

only_a_snap() {
    grep -qx 'ID="\?ubuntu"\?' "${OS_RELEASE:-/etc/os-release}" 2>/dev/null
}

if ! found; then
    if [ -n "${CHROMIUM-}" ]; then
        echo "schedd: CHROMIUM=$CHROMIUM is not a browser that starts. Name another one, or none" >&2
        exit 1
    fi
    if only_a_snap; then
        echo "schedd: Ubuntu has Chromium only as a snap: the tests of the page are left out. To have them:" \
            "sudo snap install chromium, or install Google Chrome, or CHROMIUM=/path/to/chrome make test" >&2
        [ -z "${CI-}" ] || exit 1
        echo '--ignore-glob=*/test_browser_*.py'
        exit 0
    fi
    # Both at once; the browser alone would come without a single font.
    "$here/need.sh" chromium chromium no-such-command fonts-dejavu-core >&2
fi
