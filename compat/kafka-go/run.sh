#!/bin/bash
# segmentio/kafka-go's own tests, from the module that carries them.  One
# process a test: one that panics takes its process down.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/go.sh"

VERSION=0.4.51
SUM=h1:JgDPPG75tC1rWIS2Me6MwcvXJ6f49UQ4HjAOef71Hno=
PACKAGES='. sasl topics compress testing'
# What the results name by subtest.
PARENTS='TestConn|TestReaderConsumerGroup'
# They always panic, for a function that the suite has not set.
SKIP='TestReaderConsumerGroup/(verify|consumer_group_commits)'
LIMIT=180
TRIES=3

kafka_go_make() {
	go_source github.com/segmentio/kafka-go@v$VERSION $SUM "$1"
	cd "$1"
	local package
	for package in $PACKAGES; do
		go test -c -o /dev/null ./$package
	done
}

prepare() {
	need jq jq
	use_go
	cached test2json-$GO_VERSION go_test2json_make >/dev/null
	cached kafka-go-$VERSION kafka_go_make >/dev/null
}

# build: the test binaries in $WORK/source.  The tests know one host and two
# ports, which are in the source, the client's default port with them.
build() {
	cp -r "$(cached kafka-go-$VERSION kafka_go_make)" "$WORK/source"
	cd "$WORK/source"
	find . -name '*.go' -exec sed -i -E "s/\<9092\>/${BOOTSTRAP##*:}/g
		s/\<9093\>/${SASL_BOOTSTRAP##*:}/g
		s/\<localhost\>/${BOOTSTRAP%:*}/g" {} +
	local package
	for package in $PACKAGES; do
		go test -c -o "$package/t.test" ./$package
	done
}

# names: of the results to get; a test of another package than the first has
# that in front
names() {
	local package list=tests.allow
	[ -z "${QUICK:-}" ] || list=tests.quick
	sed -E 's/(^|[[:space:]]+)#.*//; /^$/d' $list
	[ -z "${QUICK:-}" ] || return 0
	for package in $PACKAGES; do
		"$WORK/source/$package/t.test" -test.list '^Test' |
			sed "s,^,./$package/,; s,^\./\./,,"
	done
}

# tests: those to run, which give the names that are asked for
tests() {
	local name
	names | while read -r name; do
		# shellcheck disable=SC2254
		case $name in @(${ONLY:-*})) echo "$name" ;; esac
	done | sed -E "s,^($PARENTS)/.*,\1," | sort -u
}

# run NAME: run a test, print the lines of its results
run() {
	local package=.
	[ "$1" = "${1##*/}" ] || package=$(dirname "$1")
	cd "$WORK/source/$package"
	KAFKA_SKIP_NETTEST=1 KAFKA_VERSION=4.3.1 \
		timeout -k 5 $((LIMIT + 20)) ./t.test -test.v=test2json \
		-test.timeout ${LIMIT}s -test.run "^${1##*/}\$" \
		-test.skip "$SKIP"
}

# one NAME: the same.  What must pass may try again: times are short in this
# suite, and on Kafka some tests fail at times, too.
one() {
	local try tries=1 log=$WORK/logs/${1//\//-} results=$WORK/tests/${1//\//-}
	! grep -qF -- "$1" tests.allow || tries=$TRIES
	for try in $(seq "$tries"); do
		go_test "$PWD/run.sh" --run "$1" >"$log.try$try.log"
		go_results "$PARENTS" <"$log.try$try.log" >"$results"
		grep -q $'\tfail' "$results" || break
	done
	[ "$try" = 1 ] || sed -i "s/\tpass\t/&try $try/" "$results"
	sed "s,^,$(dirname "$1")/,; s,^\./\([^/]*\t\),\1,; s,^\./Test,Test," \
		"$results" | grep -Ev "^($PARENTS)[[:space:]]"
}

case ${1:-} in
--prepare) prepare ;;
--stopped) ;;
--run) run "$2" ;;
--one) use_go && one "$2" ;;
*)
	use_go
	(build) >"$WORK/logs/build.log" 2>&1
	mkdir "$WORK/tests"
	tests | xargs -r -P "${JOBS:-2}" -I{} "$PWD/run.sh" --one {}
	;;
esac
