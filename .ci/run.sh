#!/bin/sh
# run.sh VENV: start schedd from this checkout, on the scripts in etc/scripts, and say how to talk to it.
#
# Everything that it makes is below var/: the state, the socket, a token for the API.
set -eu
bin=$1/bin
state=var/state socket=var/api.sock token_file=var/token config=etc/schedd.toml
wanted=8173

umask 077
mkdir -p "$state"
if ! [ -s "$token_file" ]; then
    "$bin/schedd" token revoke --config "$config" --state-dir "$state" make-run >/dev/null 2>&1 || true
    "$bin/schedd" token add --config "$config" --state-dir "$state" --scopes read,trigger,admin make-run \
        >"$token_file.new" 2>var/token.err || { cat var/token.err >&2; exit 1; }
    rm var/token.err
    mv "$token_file.new" "$token_file"
fi
umask 022

if [ -S "$socket" ] && "$bin/schedd" list --socket "$socket" >/dev/null 2>&1; then
    echo "schedd: already running from here; look at it with: $bin/schedd list --socket $socket" >&2
    exit 1
fi
port=$("$bin/python" - "$wanted" <<'PYTHON'
import socket
import sys

wanted = int(sys.argv[1])
for port in (wanted, 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
PYTHON
)
[ "$port" = "$wanted" ] || echo "Port $wanted is taken; using $port."

cat <<EOF_BANNER
schedd at http://127.0.0.1:$port/   token: $(cat "$token_file")
The dashboard, signed in: http://127.0.0.1:$port/#token=$(cat "$token_file")
In another terminal:
    export SCHEDD_SOCKET=$PWD/$socket
    $bin/schedd list
    $bin/schedd history -f
    curl -H "Authorization: Bearer \$(cat $token_file)" http://127.0.0.1:$port/api/v1/exec/schedules/list
^C drains and stops.

EOF_BANNER
exec "$bin/python" -m schedd serve --config "$config" --scripts-dir etc/scripts --state-dir "$state" \
    --socket "$socket" --listen "127.0.0.1:$port"
