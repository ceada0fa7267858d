#!/bin/sh
# klamm dump-log prints what Apache Kafka's DumpLogSegments prints, over the
# log directories that Kafka wrote: tests/e2e/dump-log/NAME.txt.gz is a
# transcript of Kafka's tool in the unpacked tests/store/logdirs/NAME.tar.gz.
#
#     $ klamm dump-log --files …
#     what goes to standard output
#     ! what goes to standard error; "(ends)" for an exception of Kafka's, of
#       which klamm makes a line
#     = the exit code
#
# Then --deep: nothing is wrong with what Kafka wrote, and all that was damaged
# is found.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
klamm=$PWD/klamm
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

unpack() {
	mkdir -p "$dir/$1"
	tar xzf "$srcdir/tests/store/logdirs/$1.tar.gz" -C "$dir/$1"
}

# transcript: run the commands of a transcript, and write one.
transcript() {
	grep -a '^\$ klamm dump-log --files ' | while read -r _ _ arguments; do
		echo "\$ klamm $arguments"
		code=0
		# shellcheck disable=SC2086
		"$klamm" $arguments 2>"$dir/err" || code=$?
		sed "s|^klamm: .*|(ends)|; s|$PWD/|@DIR@/|; s|^|! |" \
			"$dir/err"
		echo "= $code"
	done
}

for expected in "$srcdir"/tests/e2e/dump-log/*.txt.gz; do
	name=$(basename "$expected" .txt.gz)
	unpack "$name"
	find "$dir/$name" | sort >"$dir/before"
	gunzip -c "$expected" >"$dir/expected"
	(cd "$dir/$name" && transcript <"$dir/expected") >"$dir/found"
	cmp "$dir/expected" "$dir/found" ||
		fail "$name: $(diff -a "$dir/expected" "$dir/found" | head -5)"
	find "$dir/$name" | sort | cmp -s "$dir/before" - ||
		fail "$name: files came or went"
done

# A segment of __remote_log_metadata, made with Kafka's classes.
(
	cd "$dir"
	gunzip -c "$srcdir/tests/e2e/dump-log/remote.log.gz" \
		>00000000000000000000.log
	"$klamm" dump-log --files 00000000000000000000.log \
		--remote-log-metadata-decoder >found
	rm 00000000000000000000.log
)
diff "$srcdir/tests/e2e/dump-log/remote.expected" "$dir/found" ||
	fail 'records of __remote_log_metadata'

# deep PROBLEMS DIR...: the lines that are printed, without their count
deep() {
	wanted=$1
	shift
	code=0
	"$klamm" dump-log --deep "$@" >"$dir/found" || code=$?
	found=$(sed "s|^$dir/||; \$d" "$dir/found")
	[ "$found" = "$wanted" ] || fail "--deep $*: $found"
	[ $code = "${wanted:+1}" ] || [ "$code$wanted" = 0 ] ||
		fail "--deep $*: exit code $code"
}

for name in clean compact-1 compact-crash old-features; do
	deep '' "$dir/$name/data"
done
deep '' "$dir/killed/data0" "$dir/killed/data1"
"$klamm" dump-log --deep "$dir/torn/data" >"$dir/found" && fail 'torn: all well'
sed "s|^$dir/||" "$dir/found" >"$dir/lines"
diff "$srcdir/tests/e2e/dump-log/torn.deep.txt" "$dir/lines" || fail torn

# The cleaner leaves a batch without records for the sake of its producer, with
# the timestamp that its records had; an index may name it.
{
	printf '\000\000\001\242\003\362\233\201\000\000\000\005'
	cat "$dir/compact-1/data/c-idem-0/00000000000000000000.timeindex"
} >"$dir/times"
cat "$dir/times" >"$dir/compact-1/data/c-idem-0/00000000000000000000.timeindex"
deep '' "$dir/compact-1/data"

# damage FILE OFFSET: another byte there, found as …
damage() {
	cp "$dir/clean/data/$1" "$dir/good"
	chmod u+w "$dir/clean/data/$1"
	printf '\125' |
		dd of="$dir/clean/data/$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
	"$klamm" dump-log --deep "$dir/clean/data" >"$dir/found" &&
		fail "$1, byte $2: the damage is not seen"
	grep -q "^$dir/clean/data/$1: " "$dir/found" || {
		cat "$dir/found"
		fail "$1, byte $2: another file is blamed"
	}
	cat "$dir/good" >"$dir/clean/data/$1"
}

zero=00000000000000000000
six=00000000000000000006
damage txn-0/$zero.log 100
damage segments-0/$zero.index 3
damage segments-0/$zero.index 7
damage segments-0/$zero.timeindex 7
damage segments-0/$zero.timeindex 11
damage txn-0/$six.txnindex 1
damage txn-0/$six.txnindex 9
damage txn-0/$six.txnindex 25
damage txn-0/$six.snapshot 12
damage txn-0/leader-epoch-checkpoint 0
damage txn-0/partition.metadata 12
damage __cluster_metadata-0/$zero.log 200
damage __cluster_metadata-0/00000000000000000099-0000000001.checkpoint 100
damage __cluster_metadata-0/quorum-state 0
damage bootstrap.checkpoint 100
damage recovery-point-offset-checkpoint 0
damage replication-offset-checkpoint 2
version=$(grep -abo version=1 "$dir/clean/data/meta.properties" | cut -d: -f1)
damage meta.properties $((version + 8))
mkdir "$dir/clean/data/junk"
deep 'clean/data/junk: is no partition'"'"'s directory' "$dir/clean/data"
rmdir "$dir/clean/data/junk"
deep '' "$dir/clean/data"

[ $failures = 0 ]
