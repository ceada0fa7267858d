#!/bin/bash
# librdkafka's own broker tests.  The npm package of its JavaScript client
# carries the whole source tree, tests included.  One process per test number:
# a test that times out takes its process down, and every later test with it.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/kafka.sh"

PACKAGE=@confluentinc/kafka-javascript@1.10.1
PACKAGE_SHA256=ada7d703bb1d3237e2292bfabf438d663b6160c9f1ac2a2406b5dc4257c81b66
LIMIT=1200
again=([1]='' [2]=', second try')

# Some topics are made with three replicas, which a single node cannot have.
librdkafka_make() {
	need npm npm
	need g++ g++
	need javac default-jdk-headless
	need_header zlib.h zlib1g-dev
	need_header openssl/ssl.h libssl-dev
	need_header zstd.h libzstd-dev
	need_header rapidjson/schema.h rapidjson-dev
	local home
	home=$(kafka_home)
	cd "$1"
	npm pack --silent $PACKAGE
	sha256_is *.tgz $PACKAGE_SHA256
	tar xzf *.tgz --strip-components=3 package/deps/librdkafka
	rm -- *.tgz
	sed -i 's/, 3, 5000);/, 1, 5000);/; s/(), 1, 3);/(), 1, 1);/' \
		tests/0*.c tests/0*.cpp
	./configure --disable-gssapi --disable-curl
	make -j2 libs
	make -j2 -C tests build
	make -C tests/java KAFKA_PATH="$home"
}

prepare() {
	need jq jq
	kafka_home >/dev/null
	cached librdkafka-2.15.1 librdkafka_make >/dev/null
}

# numbers: of the tests to run.  A number may stand for several tests;
# NUMBER/NAME is one of the subtests of a number, in a process of its own.
# PASS/NUMBER is run as `passing` says.
numbers() {
	local pass list=tests.allow
	[ -z "${QUICK:-}" ] || list=tests.quick
	sed 's/[[:space:]]*#.*//; /^$/d' $list | while read -r name; do
		# shellcheck disable=SC2254
		case $name in @(${ONLY:-*})) ;; *) continue ;; esac
		pass=
		[[ $name != [a-z]*/* ]] || pass=${name%%/*}/
		name=${name#"$pass"}
		echo "$pass${name%%_*}${name#"${name%%/*}"}"
	done | sort -u
}

# passing PASS: how its tests are run, as options and in the environment
passing() {
	options=()
	case $1 in
	consumer) export TEST_CONSUMER_GROUP_PROTOCOL=consumer ;;
	idempotent) options=(-P -Q) ;;
	sasl) export RDKAFKA_TEST_CONF=$WORK/sasl.conf BROKERS=$SASL_BOOTSTRAP ;;
	esac
}

# runner NUMBER REPORT [OPTIONS]: run it
runner() {
	local number=$1 report=$2 source
	shift 2
	source=$(cached librdkafka-2.15.1 librdkafka_make)
	cd "$source/tests"
	export LD_LIBRARY_PATH=../src:../src-cpp TEST_KAFKA_VERSION=4.3.1 \
		KAFKA_PATH="$(kafka_home)" BROKERS=${BROKERS:-$BOOTSTRAP} \
		RDKAFKA_TEST_CONF=${RDKAFKA_TEST_CONF:-$WORK/test.conf} \
		TESTS=${number%%/*} TEST_REPORT=$report
	[ "${number#*/}" = "$number" ] ||
		export SUBTESTS="do_test_${number#*/}:"
	timeout -k 5 $LIMIT ./test-runner -p1 -L -K -E "$@"
}

# states NUMBER REPORT: "name state" of each of its tests
states() {
	jq -r --arg subtest "${1#"${1%%/*}"}" '.tests | to_entries[] |
		select(.key != "<MAIN>" and .value.state != "SKIPPED") |
		"\(.key)\($subtest)\t\(.value.state)"' "$2" 2>/dev/null
}

# ran NUMBER LOG: a subtest whose name nothing matches would pass, too
ran() {
	[ "${1#*/}" = "$1" ] || grep -q ': PASS (' "$2"
}

# why LOG: what the first failed assertion said, or why it was skipped
why() {
	sed 's/\x1b\[[0-9;]*[A-Za-z]//g' "$1" | awk '
		/^### Test / { getline; print; exit }
		/SKIPPING TEST: [^F]/ { sub(/.*WARN: /, ""); print; exit }' |
		tr '\t' ' ' | cut -c1-120
}

# number N: its tests' lines of the results.  What fails is run once more: the
# suite has limits of seconds, and other tests run beside it.
number() {
	local try state name begin=$SECONDS pass= options
	local report=$WORK/reports/${1//\//.} log=$WORK/logs/${1//\//.}
	[[ $1 != [a-z]*/* ]] || pass=${1%%/*}/
	set -- "${1#"$pass"}"
	passing "${pass%/}"
	for try in 1 2; do
		rm -f "$report.json"
		(runner "$1" "$report.json" "${options[@]}") >"$log.log" 2>&1 \
			</dev/null || :
		if [ ! -s "$report.json" ]; then
			printf '%s\tno report\n' "$1"
		elif states "$1" "$report.json" | grep -q . && ran "$1" "$log.log"
		then
			states "$1" "$report.json"
		else
			printf '%s\tSKIPPED\n' "$1"
		fi >"$report.states"
		grep -qvE '(PASSED|SKIPPED)$' "$report.states" || break
		cp "$log.log" "$log.try$try.log"
	done
	while IFS=$'\t' read -r name state; do
		name=$pass$name
		case $state in
		PASSED) printf '%s\tpass\t%s s%s\n' "$name" \
			$((SECONDS - begin)) "${again[$try]}" ;;
		SKIPPED) printf '%s\tskip\t%s\n' "$name" "$(why "$log.log")" ;;
		*) printf '%s\tfail\t%s\n' "$name" "$(why "$log.log")" ;;
		esac
	done <"$report.states"
}

# configure: what all tests run with, and those who log in
configure() {
	printf '%s\n' "bootstrap.servers=$BOOTSTRAP" \
		'test.timeout.multiplier=3' >"$WORK/test.conf"
	printf '%s\n' "bootstrap.servers=$SASL_BOOTSTRAP" \
		'test.timeout.multiplier=3' security.protocol=SASL_PLAINTEXT \
		sasl.mechanisms=PLAIN sasl.username=testuser \
		sasl.password=testpass >"$WORK/sasl.conf"
}

# Its time limit for a new topic to appear does not stretch, so let the broker
# and the disk warm up first.
warm_up() {
	local number
	for number in 0012 0030; do
		(runner $number "$WORK/reports/warm.json" -Q) \
			>"$WORK/logs/warm-$number.log" 2>&1 || :
	done
}

case ${1:-} in
--number) number "$2" ;;
--prepare) prepare ;;
--stopped) ;;
*)
	mkdir -p "$WORK/reports"
	configure
	warm_up
	numbers | xargs -r -P "${JOBS:-2}" -I{} "$PWD/run.sh" --number {}
	;;
esac
