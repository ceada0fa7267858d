#!/bin/sh
# The systemd unit is one that systemd takes, and that gives little away.
set -eu
builddir=${BUILDDIR:-.}
if ! command -v systemd-analyze >/dev/null; then
	echo "systemd-analyze is not there" >&2
	exit 77
fi
# What it starts has to be there to be verified.
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
sed -e 's|^ExecStart=.*|ExecStart=/bin/true|' -e '/^User=/d' -e '/^Group=/d' \
	-e '/^Documentation=/d' \
	"$builddir/systemd/klamm.service" >"$directory/klamm.service"
systemd-analyze verify --man=no "$directory/klamm.service" 2>"$directory/out" ||
	{ cat "$directory/out" >&2; exit 1; }
if grep klamm.service "$directory/out" >&2; then
	exit 1
fi
grep -q '^ExecStart=/.*/klamm serve /.*/klamm/server.properties$' \
	"$builddir/systemd/klamm.service"
# Out of 100 points of exposure; it has 14 of them (networks, a user).
systemd-analyze security --offline=yes --threshold=20 \
	"$builddir/systemd/klamm.service" >"$directory/security" 2>&1 ||
	{ cat "$directory/security" >&2; exit 1; }
tail -n 1 "$directory/security"
