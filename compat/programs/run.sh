#!/bin/bash
# Apache Kafka's programs that check themselves: those of Kafka Streams, and
# some that write and read on purpose.  Each has a broker of its own, some of
# them one that is killed under their hands.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/broker.sh"
LIMIT=1500
JOBS=1

programs_make() {
	kafka_assemble "$1" "${KAFKA_TOOLS[@]}" \
		org.apache.kafka:kafka-streams:$KAFKA_VERSION \
		org.apache.kafka:kafka-streams:$KAFKA_VERSION:test \
		org.apache.kafka:kafka-clients:$KAFKA_VERSION:test
}

prepare() {
	need kcat kcat
	cached "kafka-programs-$KAFKA_VERSION" programs_make >/dev/null
	[ "$BROKER" = klamm ] || kafka_home >/dev/null
}

# become CLASS ARGUMENT...: a program of Apache Kafka, in place of the shell
become() {
	local home
	home=$(cached "kafka-programs-$KAFKA_VERSION" programs_make)
	export KAFKA_OPTS='-Xmx512m -XX:+UseSerialGC'
	exec "$home/bin/kafka-run-class.sh" "org.apache.kafka.$1" "${@:2}"
}

program() (become "$@")

# serve: a broker of this test
serve() {
	WORK=$PWD
	broker_properties "$HERE/programs/broker.properties" >server.properties
	trap 'broker_kill; kill $(jobs -p) 2>/dev/null || :' EXIT
	broker_serve
}

# killed TIMES PID: the broker, while a program runs
killed() {
	local i pid
	for i in $(seq "$1"); do
		sleep $((2 + RANDOM % 5))
		kill -0 "$2" 2>/dev/null || fail "$i kills were too many"
		pid=$broker_pid
		broker_kill
		wait "$pid" 2>/dev/null || :
		broker_serve
	done
}

# create TOPIC PARTITIONS
create() {
	program tools.TopicCommand --bootstrap-server "$BOOTSTRAP" --create \
		--topic "$1" --partitions "$2"
}

# create_all PARTITIONS TOPIC...: three at a time
create_all() {
	local partitions=$1 topic made=()
	shift
	for topic; do
		create "$topic" "$partitions" &
		made+=($!)
		[ ${#made[@]} -lt 3 ] || {
			wait "${made[@]}"
			made=()
		}
	done
	[ ${#made[@]} = 0 ] || wait "${made[@]}"
}

# committed TOPIC: a file of that name has what read_committed readers see, which
# has to become COPIED records.  A marker may follow a moment after its
# transaction's end was acknowledged.
committed() {
	local try
	for try in $(seq 60); do
		kcat -b "$BOOTSTRAP" -C -t "$1" -e -q \
			-X isolation.level=read_committed >"$1"
		[ "$(wc -l <"$1")" -lt $COPIED ] || return 0
		sleep 1
	done
	fail "$1 has $(wc -l <"$1") records"
}

# --- Kafka Streams ------------------------------------------------------------

SMOKE_TOPICS='data echo max min min-suppressed min-raw sum sws-raw
	sws-suppressed dif cnt avg tagg fk'

# smoke GUARANTEE [KILLS]
smoke() {
	local driver
	serve
	create_all 5 $SMOKE_TOPICS
	cat >smoke.properties <<-END
	bootstrap.servers=$BOOTSTRAP
	processing.guarantee=$1
	state.dir=$PWD/state
	END
	become streams.tests.StreamsSmokeTest smoke.properties process \
		>process.out 2>&1 &
	become streams.tests.StreamsSmokeTest smoke.properties run \
		>run.out 2>&1 &
	driver=$!
	[ -z "${2:-}" ] || killed "$2" $driver
	wait $driver || {
		tail -30 run.out
		fail 'the driver failed'
	}
	has result '^SUCCESS' <(tail -3 run.out)
}

test_streams_at_least_once() { smoke at_least_once; }
test_streams_exactly_once() { smoke exactly_once_v2; }
test_streams_at_least_once_killed() { smoke at_least_once 5; }
test_streams_exactly_once_killed() { smoke exactly_once_v2 5; }

# relational GUARANTEE PROTOCOL: the driver logs a failure as an error, and what is
# right below what is shown
relational() {
	local application driver
	serve
	create_all 4 in-article in-comment out-augmented-article \
		out-augmented-comment
	become streams.tests.RelationalSmokeTest application "$BOOTSTRAP" \
		relational "$1" "$2" "$PWD/state" >application.out 2>&1 &
	application=$!
	become streams.tests.RelationalSmokeTest driver "$BOOTSTRAP" \
		>driver.out 2>&1 &
	driver=$!
	while kill -0 $driver 2>/dev/null; do
		kill -0 $application 2>/dev/null || {
			tail -20 application.out
			fail 'the application ended'
		}
		sleep 1
	done
	wait $driver || fail 'the driver failed'
	! grep -E 'complete: failed|Interrupted|Exception' driver.out ||
		fail 'the results are wrong'
}

test_relational() { relational exactly_once_v2 classic; }
test_relational_streams() { relational exactly_once_v2 streams; }

# --- transactions ---------------------------------------------------------------

COPIED=50000

# copy FROM TO OPTION...: a copier, whose process is $copier; the broker is killed
# three times meanwhile
copy() {
	become tools.TransactionalMessageCopier --broker-list "$BOOTSTRAP" \
		--transactional-id "copy-$2" --consumer-group "copy-$2" \
		--input-topic "$1" --input-partition 0 --output-topic "$2" \
		--transaction-size 20 "${@:3}" \
		>"$2.out" 2>&1 &
	copier=$!
	killed 3 $copier
}

# What two copiers in a row leave is what there was, in its order.  The second
# one is a member of a group, and as such waits for as many records as there
# are offsets, though transactions' ends have offsets, too: it is ended.
test_copiers_killed() {
	serve
	create_all 1 in middle out
	program tools.VerifiableProducer --bootstrap-server "$BOOTSTRAP" \
		--topic in --max-messages $COPIED --throughput -1 >produce.out
	committed in
	same records $COPIED "$(wc -l <in)"
	copy in middle --enable-random-aborts
	wait "$copier" || {
		tail -20 middle.out
		fail 'the copier of in failed'
	}
	committed middle
	cmp in middle
	copy middle out --group-mode --use-group-metadata
	until grep -q "\"totalProcessed\":$COPIED" out.out; do
		kill -0 "$copier" || {
			tail -20 out.out
			fail 'the copier of middle failed'
		}
		sleep 0.2
	done
	kill "$copier"
	wait "$copier" || :
	committed out
	cmp in out
}

# --- share groups -----------------------------------------------------------------

# share [KILLS]: two members of a share group acknowledge all records that the
# producer knows of; without kills each of them is there, and once
share() {
	local members=() producer sent
	serve
	create records 3
	for i in 1 2; do
		become tools.VerifiableShareConsumer \
			--bootstrap-server "$BOOTSTRAP" --topic records \
			--group-id sharing --acknowledgement-mode sync \
			--offset-reset-strategy earliest >"member$i.out" 2>&1 &
		members+=($!)
	done
	become tools.VerifiableProducer --bootstrap-server "$BOOTSTRAP" \
		--topic records --max-messages 20000 --throughput 1000 \
		>produce.out 2>&1 &
	producer=$!
	[ -z "${1:-}" ] || killed "$1" $producer
	wait $producer || fail 'the producer failed'
	sent=$(jq -R 'fromjson? | select(.name == "tool_data") | .acked' \
		produce.out)
	until [ "$(acknowledged)" -ge "$sent" ]; do
		kill -0 "${members[@]}" || fail 'a member ended'
		sleep 1
	done
	kill "${members[@]}"
	wait "${members[@]}" || :
	[ -n "${1:-}" ] || same acknowledged "20000 20000" \
		"$sent $(acknowledged)"
}

# How many records the members have acknowledged.
acknowledged() {
	cat member*.out | jq -R 'fromjson? |
		select(.name == "offsets_acknowledged") | .count' |
		jq -s 'add // 0'
}

test_share() { share; }
test_share_killed() { share 3; }

# --- compaction -------------------------------------------------------------------

test_compaction() {
	serve
	program tools.LogCompactionTester --bootstrap-server "$BOOTSTRAP" \
		--messages 200000 --duplicates 10 --percent-deletes 10 \
		--topics 2 --sleep 10 >out 2>&1 || {
		tail -20 out
		fail 'the tester failed'
	}
	has result 'Data verification is completed' out
}

main "$@"
