#!/bin/bash
# kafka-python's own integration tests.  The source archive on PyPI has them,
# but for the two files that start brokers; those are stubs here, as the broker
# is there already.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"

VERSION=3.0.12
ARCHIVE_SHA256=4ccda3616b9aa5c353d74a97f2770d6cd1b950890d77ab0e8890e09a48eeed65
LIMIT=600
again=([1]='' [2]='second try')

stubs() {
	touch test/__init__.py
	cat >test/service.py <<-END
	class ExternalService:
	    def __init__(self, *args, **kwargs): pass
	    def start(self): pass
	    def stop(self): pass
	    def dump_logs(self): pass
	    def wait_for(self, *args, **kwargs): return True
	SpawnedService = ExternalService
	END
}

kafka_python_make() {
	local requirements=$PWD/requirements.txt
	python3 -m venv "$1/venv"
	cd "$1"
	venv/bin/pip install -r "$requirements"
	venv/bin/pip download --no-binary kafka-python --no-deps \
		kafka-python==$VERSION
	sha256_is ./*.tar.gz $ARCHIVE_SHA256
	tar xzf ./*.tar.gz --strip-components=1
	rm -- *.tar.gz
	stubs
}

# suite: where the source is
suite() {
	cached kafka-python-$VERSION kafka_python_make
}

prepare() {
	need python3 python3
	python3 -c 'import ensurepip, venv' || need venv python3-venv
	suite >/dev/null
}

# test_run OPTIONS: pytest in its source, against the broker.  The version is
# the one that a test infers from ApiVersions.
test_run() {
	cd "$(suite)"
	KAFKA_ROOT=/tmp KAFKA_URI=kafka://$BOOTSTRAP KAFKA_VERSION=4.3.1 \
		PYTHONDONTWRITEBYTECODE=1 venv/bin/python -m pytest \
		-p no:cacheprovider --log-level=WARNING "$@"
}

# tests: those to run, as pytest names them
tests() {
	local name
	test_run --collect-only -q test/integration \
		--ignore=test/integration/test_ssl_integration.py |
		sed -n 's,^test/integration/\(.*::\),\1,p' |
		while read -r name; do
			# shellcheck disable=SC2254
			case $name in @(${ONLY:-*})) echo "$name" ;; esac
		done
}

# attempt N <NAMES: run them, and print the lines of their results
attempt() {
	local names
	mapfile -t names < <(sed 's,^,test/integration/,')
	[ ${#names[@]} -gt 0 ] || return 0
	timeout -k 5 $LIMIT "$PWD/run.sh" --pytest \
		--junitxml="$WORK/report$1.xml" "${names[@]}" \
		>"$WORK/logs/try$1.log" 2>&1 || :
	python3 - "$WORK/report$1.xml" "${again[$1]}" <<-END
	import sys, xml.etree.ElementTree as tree
	for case in tree.parse(sys.argv[1]).iter("testcase"):
	    state, note = "pass", sys.argv[2]
	    for kind in case:
	        if kind.tag in ("failure", "error", "skipped"):
	            state = "skip" if kind.tag == "skipped" else "fail"
	            note = " ".join(kind.get("message", "").split())[:120]
	    print(case.get("classname").split(".")[-1] + ".py::"
	        + case.get("name"), state, note, sep="\t")
	END
}

# The suite has limits of seconds, so what must pass and fails on a busy machine
# is run once more.
all_tests() {
	tests | attempt 1 >"$WORK/first"
	awk -F'\t' '$2 == "fail" { print $1 }' "$WORK/first" |
		grep -Fxf tests.allow >"$WORK/again" || :
	awk -F'\t' 'FILENAME == ARGV[1] { again[$1]; next }
		!($1 in again)' "$WORK/again" "$WORK/first"
	attempt 2 <"$WORK/again"
}

case ${1:-} in
--prepare) prepare ;;
--stopped) ;;
--pytest) shift && test_run "$@" ;;
*) all_tests ;;
esac
