# Sourced by the members' run.sh, which consist of functions:
#
#	test_NAME      while the broker serves, at $BOOTSTRAP
#	stopped_NAME   after it has stopped, on its files in $WORK/data
#	prepare        before all (optional): fetch and build into the cache
#
# and end in `main "$@"`.  A test passes when its function returns 0, and is
# skipped when that returns 77.  What it prints is kept in $WORK/logs; the last
# line becomes the note of a test that did not pass.  Each runs in a process
# and an empty directory of its own, under `set -eu`, for LIMIT seconds at most.

set -eu -o pipefail
shopt -s extglob
HERE=${HERE:-$(cd "$(dirname "$0")/.." && pwd)}
LIMIT=${LIMIT:-90}
. "$HERE/cache.sh"

fail() {
	echo "$*"
	exit 1
}

# same WHAT EXPECTED ACTUAL: two texts are equal
same() {
	[ "$2" = "$3" ] || {
		diff <(echo "$2") <(echo "$3") | head -20 || :
		fail "$1: expected '$(head -c 60 <<<"$2" | tr '\n' ' ')', got" \
			"'$(head -c 60 <<<"$3" | tr '\n' ' ')'"
	}
}

# has WHAT PATTERN FILE: an extended regular expression is in a file
has() {
	grep -Eq -- "$2" "$3" || {
		tail -20 "$3"
		fail "$1: no /$2/"
	}
}

# names PREFIX: the functions of this member, without the prefix
names() {
	local name
	declare -F | sed -n "s/^declare -f $1//p" | while read -r name; do
		# shellcheck disable=SC2254
		case $name in @(${ONLY:-*})) echo "$name" ;; esac
	done
}

# one FUNCTION NAME: run a test, print its line of the results
one() {
	local code=0 log=$WORK/logs/$2.log state note
	mkdir -p "$WORK/tests/$2"
	(cd "$WORK/tests/$2" && timeout -k 5 "$LIMIT" "$SELF" --call "$1$2") \
		>"$log" 2>&1 </dev/null || code=$?
	note=$(grep -v '^$' "$log" | tail -1 | tr '\t' ' ' | cut -c1-120) || :
	case $code in
	0) state=pass note= ;;
	77) state=skip ;;
	124 | 137) state=fail note="no end after $LIMIT s; $note" ;;
	*) state=fail ;;
	esac
	printf '%s\t%s\t%s\n' "$2" $state "$note"
}

# all PREFIX: every test of a kind, JOBS at a time
all() {
	names "$1" | xargs -r -P "${JOBS:-2}" -I{} "$SELF" --one "$1" {}
}

main() {
	SELF=$PWD/$(basename "$0")
	case ${1:-} in
	--prepare) ! declare -F prepare >/dev/null || prepare ;;
	--stopped) all stopped_ ;;
	--one) SELF=$0 && one "$2" "$3" ;;
	--call) "$2" ;;
	*) all test_ ;;
	esac
}
