#!/bin/sh
# epoch.sh: print the time that what is built here bears (reproducible-builds.org): that of the last commit, or of the
# newest entry of the changelog where there is no repository.
set -eu
git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md
