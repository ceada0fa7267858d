#!/bin/bash
# Kafka Connect and MirrorMaker: their own topics, groups, transactions.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/broker.sh"
LIMIT=240
LINES=20000

connect_make() {
	kafka_assemble "$1" org.apache.kafka:connect-runtime:$KAFKA_VERSION \
		org.apache.kafka:connect-file:$KAFKA_VERSION \
		org.apache.kafka:connect-mirror:$KAFKA_VERSION \
		org.apache.logging.log4j:log4j-slf4j-impl:$LOG4J_VERSION
}

connect_home() {
	cached "kafka-connect-$KAFKA_VERSION" connect_make
}

prepare() {
	need kcat kcat
	need curl curl
	connect_home >/dev/null
}

# program CLASS ARGUMENT...: in place of the shell
program() {
	local home
	home=$(connect_home)
	export KAFKA_OPTS='-Xmx400m -XX:+UseSerialGC'
	exec "$home/bin/kafka-run-class.sh" "org.apache.kafka.connect.$1" \
		"${@:2}"
}

end_all() {
	trap 'kill $(jobs -p) 2>/dev/null || :' EXIT
}

# soon COMMAND...: until it succeeds, two minutes at most
soon() {
	local end=$((SECONDS + 120))
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "never: $*"
		sleep 0.2
	done
}

# --- workers ----------------------------------------------------------------

# worker PORT: one of the cluster, which answers at that port
worker() {
	cat >"$1.properties" <<-END
	bootstrap.servers=$BOOTSTRAP
	group.id=workers
	key.converter=org.apache.kafka.connect.storage.StringConverter
	value.converter=org.apache.kafka.connect.storage.StringConverter
	offset.storage.topic=workers-offsets
	offset.storage.replication.factor=1
	config.storage.topic=workers-configs
	config.storage.replication.factor=1
	status.storage.topic=workers-status
	status.storage.replication.factor=1
	exactly.once.source.support=enabled
	scheduled.rebalance.max.delay.ms=0
	session.timeout.ms=3000
	heartbeat.interval.ms=500
	offset.flush.interval.ms=1000
	listeners=http://127.0.0.1:$1
	END
	program cli.ConnectDistributed "$1.properties" >"$1.log" 2>&1
}

# answers PORT PATH PATTERN: what a worker says matches
answers() {
	curl -s "http://127.0.0.1:$1$2" | grep -Eq "$3"
}

# connector PORT NAME CLASS KEY VALUE...: put up, and running
connector() {
	jq -n --arg class "org.apache.kafka.connect.file.$3" '
		[$ARGS.positional | _nwise(2) | {key: .[0], value: .[1]}] |
		from_entries + {"connector.class": $class, "tasks.max": "1"}
		' --args "${@:4}" >"$2.json"
	soon curl -sf -o /dev/null -X PUT -d "@$2.json" \
		-H 'Content-Type: application/json' \
		"http://127.0.0.1:$1/connectors/$2/config"
	soon answers "$1" "/connectors/$2/status" '"tasks":.*RUNNING'
}

# lines FROM TO: what a source finds in its file
lines() {
	seq -f 'line %.0f' "$1" "$2"
}

# long FILE LINES: it has so many
long() {
	[ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# committed TOPIC FORMAT: what its readers see, when it is there
committed() {
	kcat -b "$BOOTSTRAP" -X isolation.level=read_committed -C -e -q \
		-t "$1" -f "$2" 2>/dev/null || :
}

# values TOPIC LINES: there are so many, in TOPIC.read
values() {
	committed "$1" '%s\n' >"$1.read"
	long "$1.read" "$2"
}

# checkpointed GROUP: its offsets in the mirror are known
checkpointed() {
	committed near.checkpoints.internal '%k\n' | grep -aq "$1"
}

# copies PORT NAME: the port of the worker that has the connector's task
copies() {
	curl -s "http://127.0.0.1:$1/connectors/$2/status" |
		jq -r '.tasks[0].worker_id | split(":")[1]'
}

# A file into a topic, exactly once, and out of it into a file.  The worker that
# copies the file is killed in between: the other takes over.
test_worker_killed() {
	local one two first second
	read -r one two < <(free_ports 2)
	end_all
	worker "$one" &
	first=$!
	soon answers "$one" / version
	worker "$two" &
	second=$!
	soon answers "$two" / version
	lines 1 $LINES >in
	connector "$one" source FileStreamSourceConnector file "$PWD/in" \
		topic copied topic.creation.default.partitions 1 \
		topic.creation.default.replication.factor 1
	connector "$two" sink FileStreamSinkConnector file "$PWD/out" \
		topics copied
	soon long out $LINES
	case $(copies "$one" source) in
	"$one") kill -9 $first ;;
	"$two") kill -9 $second ;;
	*) fail 'nobody copies' ;;
	esac
	lines $((LINES + 1)) $((2 * LINES)) >>in
	soon long out $((2 * LINES))
	soon values copied $((2 * LINES))
	cmp in copied.read
	# A sink has at least once, no more.
	sort -u out | cmp - <(sort in)
}

# --- mirrors ----------------------------------------------------------------

# A broker mirrors itself: a topic, and the offsets of a group that read it.
test_mirrored() {
	end_all
	lines 1 $LINES | kcat -b "$BOOTSTRAP" -P -t mirror
	kcat -b "$BOOTSTRAP" -X auto.offset.reset=earliest -c $LINES -q \
		-G readers mirror >/dev/null
	cat >mirror.properties <<-END
	clusters=near,far
	near.bootstrap.servers=$BOOTSTRAP
	far.bootstrap.servers=$BOOTSTRAP
	near->far.enabled=true
	near->far.topics=mirror
	near->far.groups=readers
	far->near.enabled=false
	replication.factor=1
	checkpoints.topic.replication.factor=1
	heartbeats.topic.replication.factor=1
	offset-syncs.topic.replication.factor=1
	offset.storage.replication.factor=1
	status.storage.replication.factor=1
	config.storage.replication.factor=1
	emit.checkpoints.interval.seconds=1
	refresh.groups.interval.seconds=1
	offset.flush.interval.ms=1000
	END
	program mirror.MirrorMaker mirror.properties >mirror.log 2>&1 &
	soon values near.mirror $LINES
	cmp near.mirror.read <(lines 1 $LINES)
	soon checkpointed readers
}

main "$@"
