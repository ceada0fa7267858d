# Sourced by run: the broker under test, klamm or Apache Kafka, from one and
# the same server.properties.  One broker at a time.

. "$HERE/kafka.sh"

broker_pid=
KAFKA_ARGUMENTS=()

free_ports() {
	python3 -c '
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])' "$1"
}

# broker_properties FILE: what every suite runs on, then the suite's own lines,
# then those that its --prepare left in more.properties.  The last line of a key
# is the one that counts.  Who names mechanisms gets a listener for them, too.
broker_properties() {
	local port sasl controller served
	read -r port sasl controller < <(free_ports 3)
	BOOTSTRAP=127.0.0.1:$port SASL_BOOTSTRAP=
	served=PLAINTEXT://$BOOTSTRAP
	! grep -qs '^sasl\.enabled\.mechanisms=' "$1" || {
		SASL_BOOTSTRAP=127.0.0.1:$sasl
		served+=,SASL_PLAINTEXT://$SASL_BOOTSTRAP
	}
	cat <<-END
	process.roles=broker,controller
	node.id=1
	controller.quorum.bootstrap.servers=127.0.0.1:$controller
	listeners=$served,CONTROLLER://127.0.0.1:$controller
	advertised.listeners=$served
	controller.listener.names=CONTROLLER
	listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
	log.dirs=$WORK/data
	offsets.topic.replication.factor=1
	offsets.topic.num.partitions=10
	transaction.state.log.replication.factor=1
	transaction.state.log.min.isr=1
	END
	[ ! -f "$1" ] || cat "$1"
	[ ! -f "$WORK/more.properties" ] || cat "$WORK/more.properties"
}

# users FILE: options of a format for the SCRAM credentials in a file
users() {
	[ ! -f "$1" ] || sed 's/^/--add-scram\n/' "$1"
}

start_klamm() {
	exec "$KLAMM" serve "$WORK/server.properties"
}

format_klamm() {
	"$KLAMM" storage format "$@"
}

start_kafka() {
	local home
	home=$(kafka_home)
	export KAFKA_OPTS="-Xms512m -Xmx1g -XX:+UseSerialGC \
		-XX:TieredStopAtLevel=1 -Dloglevel=INFO"
	exec "$home/bin/kafka-run-class.sh" kafka.Kafka \
		"$WORK/server.properties" "${KAFKA_ARGUMENTS[@]}"
}

format_kafka() {
	"$(kafka_home)/bin/kafka-run-class.sh" kafka.tools.StorageTool format \
		"$@"
}

# broker_format USERS: a data directory, where there is none yet and the broker
# makes none of the kind by itself
broker_format() {
	local options
	[ ! -f "$WORK/data/meta.properties" ] || return 0
	[ "$BROKER" = kafka ] || [ -f "$1" ] || return 0
	mapfile -t options < <(users "$1")
	"format_$BROKER" --standalone -t a2xhbW1jb21wYXR0ZXN0cw \
		-c "$WORK/server.properties" "${options[@]}"
}

# broker_start FILE: configured, and 0 once the broker says that it serves
broker_start() {
	broker_properties "$1" >"$WORK/server.properties"
	broker_serve "$(dirname "$1")/users"
}

# broker_serve [USERS]: the same with the properties that are there
broker_serve() {
	broker_format "${1:-}" >"$WORK/format.out" 2>&1 || {
		tail -3 "$WORK/format.out"
		echo "compat: $BROKER does not format"
		return 1
	}
	"start_$BROKER" >"$WORK/broker.out" 2>&1 &
	broker_pid=$!
	local try
	for try in $(seq 6000); do
		grep -q 'Kafka Server started' "$WORK/broker.out" && return 0
		kill -0 $broker_pid 2>/dev/null || break
		sleep 0.1
	done
	tail -3 "$WORK/broker.out"
	echo "compat: $BROKER does not serve"
	broker_kill
	return 1
}

# broker_stop: by SIGTERM; the result is its exit code, but for Kafka's 143
broker_stop() {
	local code=0
	kill "$broker_pid" 2>/dev/null || code=1
	wait "$broker_pid" || code=$?
	broker_pid=
	[ $code = 0 ] || [ "$BROKER:$code" = kafka:143 ]
}

broker_kill() {
	[ -z "$broker_pid" ] || kill -9 "$broker_pid" 2>/dev/null || :
	broker_pid=
}
