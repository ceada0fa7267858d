# Sourced: the brokers that are measured, side by side on this machine.
#
# Before brokers_begin: klamm is the program, brokers the list of those that
# are measured, of kafka, os and acked.  Behind it: `settings` are the
# properties that all are started with, ${port[BROKER]} and ${pid[BROKER]}
# where they are, and $WORK is a directory that goes with the end of the run.
# With brokers_use_tls they have another listener, with TLS, at
# ${tls_port[BROKER]}.
BROKERS_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$BROKERS_HERE/../compat/cache.sh"
. "$BROKERS_HERE/../compat/kafka.sh"

brokers_begin() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/klamm-bench-XXXXXX")
	declare -gA port pid tls_port
	settings=() certificate=
	trap brokers_finish EXIT
}

brokers_finish() {
	local p
	for p in "${pid[@]}"; do kill "$p" 2>/dev/null || :; done
	wait
	rm -rf "$WORK"
}

# brokers_there_and_back: their names, so that none is always the first
brokers_there_and_back() {
	local b there='' back=''
	for b in $brokers; do
		there="$there $b"
		back="$b $back"
	done
	echo "$there $back"
}

# await FILE PATTERN: until a line of it is there
await() {
	local try
	for try in $(seq 600); do
		! grep -q "$2" "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	tail -3 "$1" >&2
	echo "bench: $1 says nothing of '$2'" >&2
	exit 1
}

free_port() {
	python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# brokers_use_tls: a certificate, with its key, for listeners with TLS
brokers_use_tls() {
	certificate=$WORK/certificate.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj /CN=localhost -keyout "$WORK/key.pem" \
		-out "$WORK/own.pem" 2>"$WORK/openssl.out"
	cat "$WORK/key.pem" "$WORK/own.pem" >"$certificate"
	settings+=(ssl.keystore.type=PEM "ssl.keystore.location=$certificate")
}

klamm_command() {	# klamm_command FLUSH DIRECTORY PORT [TLS_PORT]
	local setting
	command=("$klamm" serve --data-dir "$2" --override "klamm.flush=$1"
		--override "listeners=PLAINTEXT://127.0.0.1:$3${4:+,SSL://127.0.0.1:$4}")
	for setting in "${settings[@]}"; do
		command+=(--override "$setting")
	done
}

kafka_command() {	# kafka_command DIRECTORY PORT [TLS_PORT]
	local controller
	controller=$(free_port)
	cat >"$1.properties" <<-END
	process.roles=broker,controller
	node.id=1
	controller.quorum.bootstrap.servers=127.0.0.1:$controller
	listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$controller${3:+,SSL://127.0.0.1:$3}
	controller.listener.names=CONTROLLER
	listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
	log.dirs=$1
	offsets.topic.replication.factor=1
	transaction.state.log.replication.factor=1
	transaction.state.log.min.isr=1
	END
	[ ${#settings[@]} = 0 ] ||
		printf '%s\n' "${settings[@]}" >>"$1.properties"
	"$(kafka_home)/bin/kafka-run-class.sh" kafka.tools.StorageTool format \
		--standalone -t a2xhbW1iZW5jaC1rYWZrYQ -c "$1.properties" \
		>"$1.format" 2>&1
	export KAFKA_OPTS="-Xms1g -Xmx1g -XX:+UseG1GC
		-XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
		-Dloglevel=INFO"
	command=("$(kafka_home)/bin/kafka-run-class.sh" kafka.Kafka
		"$1.properties")
}

# broker_command BROKER DIRECTORY PORT [TLS_PORT]: what starts it, in command
broker_command() {
	case $1 in
	kafka) kafka_command "$2" "$3" "${4-}" ;;
	os | acked) klamm_command "$1" "$2" "$3" "${4-}" ;;
	*) echo "bench: $1 is no broker" >&2; exit 2 ;;
	esac
}

# broker_launch NAME: run command as ${pid[NAME]}
broker_launch() {
	: >"$WORK/$1.out"
	"${command[@]}" >"$WORK/$1.out" 2>&1 &
	pid[$1]=$!
}

# broker_stop NAME: and wait until it is gone
broker_stop() {
	kill "${pid[$1]}"
	wait "${pid[$1]}" 2>/dev/null || :
	unset "pid[$1]"
}

# broker_start BROKER: from nothing, until it serves
broker_start() {
	port[$1]=$(free_port)
	[ -z "$certificate" ] || tls_port[$1]=$(free_port)
	broker_command "$1" "$WORK/$1" "${port[$1]}" "${tls_port[$1]-}"
	broker_launch "$1"
	await "$WORK/$1.out" "Kafka Server started"
}
