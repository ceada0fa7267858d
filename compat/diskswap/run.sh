#!/bin/bash
# Apache Kafka and klamm serve one directory in turn, from one file, and each
# finds what the other has left.  src/DiskSwap.java is the clients' side.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/broker.sh"
LIMIT=3600
SEED=${SEED:-1}
ROUNDS=${ROUNDS:-5}
[ -z "${QUICK:-}" ] || ROUNDS=2
CLASSES=$WORK/classes
# Batches that a killed broker may have taken without an answer.  Kafka, which
# comes next, knows only the last one of each producer after a start.
declare -A UNDER_WAY=([kafka]=5 [klamm]=1)
prepare() {
	local home
	need javac default-jdk-headless
	home=$(kafka_home)
	javac -nowarn -d "$CLASSES" -cp "$home/libs/*" src/*.java 2>&1 |
		grep -v '^Note:' || :
	[ -f "$CLASSES/DiskSwap.class" ]
}

# clients: start the clients' side as a process that takes commands
clients() {
	local home
	home=$(kafka_home)
	coproc CLIENTS {
		exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
			-Xlog:disable \
			-Dlog4j2.configurationFile="$home/log4j2.properties" \
			-Dloglevel=ERROR -cp "$CLASSES:$home/libs/*" \
			DiskSwap "$BOOTSTRAP" "$SEED" 2>clients.err
	}
}

# ask COMMAND: what the clients' side answers; must be "ok …"
ask() {
	local answer
	echo "$*" >&"${CLIENTS[1]}"
	read -r answer <&"${CLIENTS[0]}" || answer='fail: it is gone'
	printf '%3d s, step %d, %s: %s\n' $SECONDS $step "$BROKER" "$answer"
	[ "${answer%% *}" = ok ] || {
		tail -20 clients.err
		fail "$BROKER, step $step: $answer"
	}
}

# quiet: the broker's log has no line that it should not have
quiet() {
	local bad
	bad=$(grep -E '\] (WARN|ERROR|FATAL) |[Cc]orrupt|[Rr]ebuil' \
		broker.out | grep -vEf <(sed '/^#/d; /^$/d' "${allow[@]}") |
		head -5) || :
	[ -z "$bad" ] || {
		echo "$bad"
		fail "$BROKER, step $step says $(head -1 <<<"$bad")"
	}
}

# inspected: both brokers' tools find nothing wrong with the files
inspected() {
	"$KLAMM" dump-log --deep data >deep.out 2>&1 || {
		head -5 deep.out
		fail "dump-log --deep after $BROKER, step $step:" \
			"$(head -1 deep.out)"
	}
	ask dump "$WORK/data"
}

# step clean|killed: a broker starts, is compared, works, and ends that way
step() {
	broker_serve
	ask check
	ask work
	if [ "$1" = killed ]; then
		ask kill $broker_pid "${UNDER_WAY[$BROKER]}"
		wait $broker_pid 2>/dev/null || :
		broker_pid=
	else
		broker_stop || fail "$BROKER did not stop well"
		inspected
	fi
	quiet
	mv broker.out "broker-$step-$BROKER.out"
	step=$((step + 1))
}

# swap HOW FIRST SECOND: rounds of two brokers, and the first once more
swap() {
	local round allow=("$HERE/diskswap/log.allow")
	WORK=$PWD step=0
	[ "$1" = clean ] || allow+=("$HERE/diskswap/log.killed")
	broker_properties "$HERE/diskswap/swap.properties" >server.properties
	trap broker_kill EXIT
	clients
	for round in $(seq "$ROUNDS"); do
		BROKER=$2 && step "$1"
		BROKER=$3 && step "$1"
	done
	BROKER=$2 && step clean
}

test_clean() { swap clean kafka klamm; }
test_kill() { swap killed kafka klamm; }
test_klamm_first() {
	[ -z "${QUICK:-}" ] || return 77
	swap clean klamm kafka
}

main "$@"
