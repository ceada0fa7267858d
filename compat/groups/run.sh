#!/bin/bash
# Groups of all kinds and transactions, as Kafka's tools and clients see them.
# Each test is a session, of which all that was printed must be what Apache
# Kafka printed: expected/NAME, which UPDATE=1 on that broker writes down.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/kafka.sh"
LIMIT=400
CLASSES=$WORK/classes
EXPECTED=$HERE/groups/expected

streams_make() {
	kafka_assemble "$1" org.apache.kafka:kafka-streams:$KAFKA_VERSION
}

streams_home() {
	cached "kafka-streams-$KAFKA_VERSION" streams_make
}

prepare() {
	need javac default-jdk-headless
	javac -d "$CLASSES" -cp "$(kafka_home)/libs/*:$(streams_home)/libs/*" \
		../secure/src/Tools.java src/*.java
}

# --- steps ------------------------------------------------------------------

n=100

# step SHOWN CLASS ARGUMENTS: of the session; ARGUMENTS follow SHOWN there
step() {
	local IFS=$'\t'
	n=$((n + 1))
	printf '%s' "$1" >$n.step
	printf ' %s' "${@:3}" >>$n.step
	echo "$n"$'\t'"${*:2}" >>steps
}

# on SHOWN CLASS ARGUMENTS: a tool, with the broker it asks
on() {
	step "$1" "$2" --bootstrap-server "$BOOTSTRAP" "${@:3}"
}
TOOLS=org.apache.kafka.tools
groups() { on groups $TOOLS.consumer.group.ConsumerGroupCommand "$@"; }
shares() { on share-groups $TOOLS.consumer.group.ShareGroupCommand "$@"; }
streams() { on streams-groups $TOOLS.streams.StreamsGroupCommand "$@"; }
all_groups() { on all-groups $TOOLS.GroupsCommand "$@"; }
transactions() { on transactions $TOOLS.TransactionsCommand "$@"; }
topics() { on topics $TOOLS.TopicCommand "$@"; }
configs() { on configs kafka.admin.ConfigCommand "$@"; }

data() { step data Data "$@"; }
member() { step member Member "$@"; }
share() { step share Share "$@"; }
app() { step app App "$@"; }
txn() { step txn Txn "$@"; }
raw() { step raw Raw "${@//[$'\n\t']/}"; }
# comes GROUP STATE: wait for that
comes() { step await Group comes "$@"; }

# all_of TOOL GROUP: a group, as one of the tools above describes it in all ways
all_of() {
	"$1" --describe --group "$2"
	"$1" --describe --group "$2" --offsets --verbose
	"$1" --describe --group "$2" --members
	"$1" --describe --group "$2" --members --verbose
	"$1" --describe --group "$2" --state
	"$1" --describe --group "$2" --state --verbose
}

# expected NAME: ./said is what Kafka said
expected() {
	[ -z "${UPDATE:-}" ] || [ "$BROKER" != kafka ] ||
		cp said "$EXPECTED/$1"
	diff -U 3 "$EXPECTED/$1" said || fail "$(diff "$EXPECTED/$1" said |
		grep -c '^[<>]') lines differ from Kafka's"
}

# session NAME: do the steps; what was printed must be what is expected
session() {
	local streams options='-Xmx400m -XX:+UseSerialGC -XX:TieredStopAtLevel=1'
	options+=' -Dloglevel=ERROR'
	streams=$(streams_home)
	export BOOTSTRAP
	CLASSPATH=$CLASSES:$streams/libs/* KAFKA_OPTS=$options \
		"$(kafka_home)/bin/kafka-run-class.sh" Tools <steps
	"$HERE/groups/said.py" "$(declare -F | sed -n \
		's/^declare -f test_//p' | grep -vx "$1" | paste -sd'|')" >said
	expected "$1"
}

# own_broker PROPERTY...: the session has a broker for itself, which its steps
# can kill and start again
own_broker() {
	mkdir own
	mkfifo requests answers
	printf '%s\n' "$@" >own/more.properties
	serves_own &
	trap "kill $!; wait $! || :" EXIT
	read -r BOOTSTRAP <answers
	[ -n "$BOOTSTRAP" ] || fail 'no broker of its own'
}

# serves_own: start it, and once more for each line of further properties
serves_own() {
	local more
	. "$HERE/broker.sh"
	WORK=$PWD/own
	trap 'exit 1' TERM
	trap broker_kill EXIT
	broker_start "$HERE/groups/server.properties" || BOOTSTRAP=
	echo "$BOOTSTRAP" >answers
	exec 3<>requests
	while read -r more <&3; do
		tr ' ' '\n' <<<"$more" >>own/server.properties
		broker_kill
		wait
		broker_serve >answers
	done
}

for file in "$HERE"/groups/sessions/*.sh; do
	. "$file"
done
main "$@"
