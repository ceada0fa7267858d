#!/bin/bash
# franz-go's own tests of its client, the package kgo, from the module that
# carries them.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/go.sh"

VERSION=1.22.2
SUM=h1:EdwIHGzD/4mgCpl/sNS0C74JYn6cL/r2KYS+8UC96Ww=
LIMIT=900

franz_go_make() {
	go_source github.com/twmb/franz-go@v$VERSION $SUM "$1"
	cd "$1/pkg/kgo"
	go test -c -o t.test .
}

prepare() {
	need jq jq
	use_go
	cached test2json-$GO_VERSION go_test2json_make >/dev/null
	cached franz-go-$VERSION franz_go_make >/dev/null
}

# names: of the tests to run
names() {
	local name list=tests.quick
	if [ -n "${QUICK:-}" ]; then
		sed -E 's/(^|[[:space:]]+)#.*//; /^$/d' $list
	else
		(cd "$1" && ./t.test -test.list '^Test')
	fi | while read -r name; do
		# shellcheck disable=SC2254
		case $name in @(${ONLY:-*})) echo "$name" ;; esac
	done
}

# run REGEX: run the tests whose names match
run() {
	cd "$(cached franz-go-$VERSION franz_go_make)/pkg/kgo"
	KGO_TEST_SCRAM_SEEDS=$SASL_BOOTSTRAP KGO_TEST_SCRAM=testuser:testpass \
	KGO_SEEDS=$BOOTSTRAP KGO_TEST_RF=1 KGO_TEST_RECORDS=50000 \
		KGO_TEST_STABLE_FETCH=true KGO_TEST_UNSAFE=1 \
		KGO_LOG_LEVEL=none timeout -k 5 $((LIMIT + 20)) ./t.test \
		-test.v=test2json -test.timeout ${LIMIT}s -test.run "$1"
}

# attempt N <NAMES: run them in one process, as the suite does; the lines of
# their results
attempt() {
	local regex log=$WORK/logs/try$1.log
	regex=$(paste -sd '|')
	[ -n "$regex" ] || return 0
	go_test "$PWD/run.sh" --run "^($regex)\$" >"$log"
	go_results <"$log"
}

# Times are short in the suite, so what must pass and fails on a busy machine
# is run once more.
all_tests() {
	local source
	source=$(cached franz-go-$VERSION franz_go_make)/pkg/kgo
	names "$source" | attempt 1 >"$WORK/first"
	awk -F'\t' '$2 == "fail" { print $1 }' "$WORK/first" |
		grep -Fxf tests.allow >"$WORK/again" || :
	awk -F'\t' 'FILENAME == ARGV[1] { again[$1]; next }
		!($1 in again)' "$WORK/again" "$WORK/first"
	attempt 2 <"$WORK/again" | sed 's/\tpass\t/&second try/'
}

case ${1:-} in
--prepare) prepare ;;
--stopped) ;;
--run) run "$2" ;;
*) use_go && all_tests ;;
esac
