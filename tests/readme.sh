#!/bin/sh
# The README's table of APIs is what protocol/generate.py --api-table prints.
set -eu
srcdir=${srcdir:-.}
fresh=$(mktemp)
stated=$(mktemp)
trap 'rm -f "$fresh" "$stated"' EXIT
"${PYTHON:-python3}" "$srcdir/protocol/generate.py" --api-table >"$fresh"
sed -n '/^| key | API | versions |$/,/^$/p' "$srcdir/README.md" |
	sed '/^$/d' >"$stated"
[ -s "$fresh" ] && [ -s "$stated" ]
diff -u "$stated" "$fresh"
