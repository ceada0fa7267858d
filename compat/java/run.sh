#!/bin/bash
# The command line tools of Apache Kafka, kafka.sh says which release.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
. "$HERE/kafka.sh"
LIMIT=90

prepare() {
	kafka_home >/dev/null
}

# tool CLASS ARGUMENTS: what it says on standard error goes to ./err.  Half the
# time of a tool goes into loading classes, so the first run of each leaves an
# archive of its own for all that follow.
tool() {
	local archive=$CACHE/java-classes-$KAFKA_VERSION/$1.jsa made= code=0
	KAFKA_OPTS='-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1'
	if [ -f "$archive" ]; then
		KAFKA_OPTS+=" -XX:SharedArchiveFile=$archive"
	else
		made=$PWD/made.jsa
		KAFKA_OPTS+=" -XX:ArchiveClassesAtExit=$made"
	fi
	export KAFKA_OPTS
	"$(kafka_home)/bin/kafka-run-class.sh" "$@" 2>err || code=$?
	[ ! -f "$made" ] || {
		mkdir -p "${archive%/*}"
		mv "$made" "$archive"
	}
	return $code
}

# on CLASS ARGUMENTS: a tool of org.apache.kafka.tools, on our broker
on() {
	local class=$1
	shift
	tool "org.apache.kafka.tools.$class" --bootstrap-server "$BOOTSTRAP" "$@"
}

topics() { on TopicCommand "$@"; }
groups() { on consumer.group.ConsumerGroupCommand "$@"; }
produce() { on ConsoleProducer --topic "$@"; }
consume() {
	on consumer.ConsoleConsumer --timeout-ms "${WAIT_MS:-20000}" --topic "$@"
}
configs() { tool kafka.admin.ConfigCommand --bootstrap-server "$BOOTSTRAP" "$@"; }

# refused WHAT PATTERN COMMAND: a command fails and says why
refused() {
	local what=$1 pattern=$2
	shift 2
	! "$@" >out || fail "$what went well"
	cat err >>out
	has "$what" "$pattern" out
}

# offsets TOPIC [TIME]: of its partitions, in a line
offsets() {
	on GetOffsetShell --topic "$1" --time "${2:--1}" | sort | cut -d: -f3 |
		paste -sd' '
}

# columns N... <table: those columns of the rows of ConsumerGroupCommand
columns() {
	local list
	list=$(printf ',$%s' "$@")
	awk "NF > 1 && \$1 != \"GROUP\" { print ${list#,} }" | sort
}

# --- topics -----------------------------------------------------------------

test_topics_create() {
	topics --create --topic create --partitions 5 --replication-factor 1 \
		--config retention.ms=100000000 --config segment.bytes=2000000
	topics --describe --topic create >out
	has summary 'TopicId: [A-Za-z0-9_-]{22}.PartitionCount: 5.ReplicationFactor: 1' out
	has retention 'Configs: .*retention.ms=100000000' out
	has segment 'Configs: .*segment.bytes=2000000' out
	has partition 'Partition: 4.Leader: 1.Replicas: 1.Isr: 1' out
}

test_topics_create_default() {
	topics --create --topic create-default
	topics --describe --topic create-default >out
	has summary 'PartitionCount: 3.ReplicationFactor: 1' out
}

test_topics_create_assigned() {
	topics --create --topic create-assigned --replica-assignment 1,1
	topics --describe --topic create-assigned >out
	has summary 'PartitionCount: 2.ReplicationFactor: 1' out
}

test_topics_create_twice() {
	topics --create --topic create-twice
	refused 'a second create' "Topic 'create-twice' already exists" \
		topics --create --topic create-twice
	topics --create --topic create-twice --if-not-exists
}

test_topics_create_refused() {
	refused name 'InvalidTopicException' \
		topics --create --topic 'no/name'
	refused replication 'InvalidReplicationFactorException' \
		topics --create --topic refused --replication-factor 3
	refused partitions 'InvalidPartitionsException|must be greater than 0' \
		topics --create --topic refused --partitions 0
	refused config 'InvalidConfigurationException|Invalid value' \
		topics --create --topic refused --config retention.ms=never
	refused unknown 'Unknown topic config' \
		topics --create --topic refused --config no.such.key=1
	topics --list >out
	! grep -qx refused out || fail "a refused topic exists"
}

test_topics_list() {
	topics --create --topic list-b
	topics --create --topic list-a
	same topics 'list-a list-b' \
		"$(topics --list | grep '^list-' | paste -sd' ')"
}

test_topics_describe_health() {
	topics --create --topic health
	same unavailable '' "$(topics --describe --unavailable-partitions)"
	same 'under-replicated' '' \
		"$(topics --describe --under-replicated-partitions)"
	refused missing 'does not exist' topics --describe --topic health-no
}

test_topics_describe_paged() {
	topics --create --topic paged --partitions 25
	same partitions 25 "$(topics --describe --topic paged \
		--partition-size-limit-per-response 10 | grep -c Partition:)"
}

test_topics_alter() {
	topics --create --topic alter --partitions 2
	topics --alter --topic alter --partitions 4
	topics --describe --topic alter >out
	has partitions 'PartitionCount: 4' out
	seq 12 | produce alter
	same lines "$(seq 12)" "$(consume alter --from-beginning \
		--max-messages 12 | sort -n)"
}

test_topics_alter_refused() {
	topics --create --topic alter-refused --partitions 3
	refused fewer 'InvalidPartitionsException' \
		topics --alter --topic alter-refused --partitions 2
	refused missing 'does not exist' \
		topics --alter --topic alter-missing --partitions 2
}

test_topics_delete() {
	topics --create --topic delete --partitions 3
	echo old | produce delete
	topics --delete --topic delete
	topics --list >out
	! grep -qx delete out || fail "a deleted topic is listed"
	topics --create --topic delete --partitions 1
	same offsets 0 "$(offsets delete)"
	refused missing 'does not exist' topics --delete --topic delete-no
	topics --delete --topic delete-no --if-exists
}

# --- configurations ---------------------------------------------------------

test_configs_topic() {
	local topic=(--entity-type topics --entity-name configs)
	topics --create --topic configs
	configs "${topic[@]}" --alter --add-config \
		'retention.ms=3600000,cleanup.policy=[compact,delete]'
	configs "${topic[@]}" --describe >out
	has retention 'retention.ms=3600000 .*DYNAMIC_TOPIC_CONFIG:retention.ms=3600000' out
	has list 'cleanup.policy=compact,delete ' out
	configs "${topic[@]}" --alter --delete-config retention.ms
	configs "${topic[@]}" --describe >out
	! grep -q retention.ms out || fail "retention.ms is still there"
	has list 'cleanup.policy=compact,delete ' out
}

test_configs_topic_all() {
	topics --create --topic configs-all
	configs --topic configs-all --describe --all >out
	has cleanup '^  cleanup.policy=delete sensitive=false synonyms=\{DEFAULT_CONFIG:log.cleanup.policy=delete\}' out
	has size '^  max.message.bytes=1048588 ' out
	has segment '^  segment.bytes=1073741824 ' out
	[ "$(grep -c sensitive= out)" -ge 30 ] ||
		fail "$(grep -c sensitive= out) keys, Kafka has more"
}

test_configs_topic_refused() {
	topics --create --topic configs-refused
	refused value 'InvalidConfigurationException|Invalid value' \
		configs --topic configs-refused --alter \
		--add-config max.message.bytes=-5
	refused key 'Unknown topic config|InvalidConfigurationException' \
		configs --topic configs-refused --alter --add-config no.key=1
	refused topic 'UnknownTopicOrPartition|does not' \
		configs --topic configs-no --alter --add-config retention.ms=1
}

# A limit takes effect for the next message.
test_configs_topic_effect() {
	topics --create --topic effect --partitions 1
	configs --topic effect --alter --add-config max.message.bytes=2000
	head -c 5000 /dev/zero | tr '\0' x >in
	produce effect <in >out || :
	cat err >>out
	has limit 'RecordTooLargeException' out
	configs --topic effect --alter --delete-config max.message.bytes
	produce effect <in
	same offset 1 "$(offsets effect)"
}

test_configs_broker() {
	configs --broker 1 --alter --add-config log.cleaner.threads=2
	configs --broker 1 --describe >out
	has value 'log.cleaner.threads=2 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2, ' out
	configs --broker 1 --alter --delete-config log.cleaner.threads
	configs --broker 1 --describe >out
	! grep -q log.cleaner.threads out || fail "the key is still there"
}

test_configs_broker_defaults() {
	configs --broker-defaults --alter --add-config log.retention.ms=7200000
	configs --broker-defaults --describe >out
	has default 'log.retention.ms=7200000' out
	topics --create --topic broker-defaults
	configs --topic broker-defaults --describe --all >out
	has topic 'retention.ms=7200000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7200000' out
	configs --broker-defaults --alter --delete-config log.retention.ms
	configs --topic broker-defaults --describe --all >out
	has default ' retention.ms=604800000 ' out
}

test_configs_broker_all() {
	configs --broker 1 --describe --all >out
	has directory "log.dirs=$WORK/data .*STATIC_BROKER_CONFIG:log.dirs" out
	has node 'node.id=1 ' out
	has partitions 'num.partitions=3 .*STATIC_BROKER_CONFIG:num.partitions=3, DEFAULT_CONFIG:num.partitions=1' out
	[ "$(grep -c sensitive= out)" -ge 200 ] ||
		fail "$(grep -c sensitive= out) keys, Kafka has more"
}

test_configs_broker_refused() {
	refused 'a fixed key' 'Cannot update these configs dynamically' \
		configs --broker 1 --alter --add-config node.id=2
}

# --- producing and consuming ------------------------------------------------

codec() {
	seq 3000 >in
	produce "codec-$1" --compression-codec "$1" <in
	consume "codec-$1" --from-beginning --max-messages 3000 >out
	cmp in <(sort -n out)
}

test_console_none() { codec none; }
test_console_gzip() { codec gzip; }
test_console_snappy() { codec snappy; }
test_console_lz4() { codec lz4; }
test_console_zstd() { codec zstd; }

test_console_keys_headers() {
	printf 'h1:a,h2:b\tk1\tv1\nNULL\tk2\tNULL\n' | produce keys \
		--reader-property parse.key=true \
		--reader-property parse.headers=true \
		--reader-property null.marker=NULL
	consume keys --from-beginning --max-messages 2 \
		--formatter-property print.key=true \
		--formatter-property print.headers=true | sort >out
	same records $'NO_HEADERS\tk2\tnull\nh1:a,h2:b\tk1\tv1' "$(cat out)"
}

test_console_positions() {
	topics --create --topic positions --partitions 2
	seq 100 | produce positions
	consume positions --from-beginning --max-messages 100 \
		--formatter-property print.partition=true \
		--formatter-property print.offset=true \
		--formatter-property print.timestamp=true >out
	same shapes 100 "$(grep -Ec \
		'^CreateTime:[0-9]{13}.Partition:[01].Offset:[0-9]+.[0-9]+$' out)"
	same positions 100 "$(cut -f2,3 out | sort -u | wc -l)"
}

test_console_offset() {
	topics --create --topic offset --partitions 1
	seq 100 | produce offset
	same middle "$(seq 43 45)" "$(consume offset --partition 0 \
		--offset 42 --max-messages 3)"
	same rest "$(seq 91 100)" "$(WAIT_MS=1500 consume offset --partition 0 \
		--offset 90)"
}

test_console_acks() {
	topics --create --topic acks --partitions 1
	local acks
	for acks in 0 1 all; do
		seq 200 | produce acks --request-required-acks $acks
	done
	same offset 600 "$(offsets acks)"
	same lines 600 "$(consume acks --from-beginning --max-messages 600 \
		--isolation-level read_committed | wc -l)"
}

test_console_pattern() {
	seq 10 | produce pattern-a
	seq 11 20 | produce pattern-b
	on consumer.ConsoleConsumer --timeout-ms 20000 --include 'pattern-.*' \
		--from-beginning --max-messages 20 >out
	same lines "$(seq 20)" "$(sort -n out)"
}

test_console_group_resumes() {
	seq 100 | produce resumes
	local group=(--group resumes --from-beginning)
	same first 100 "$(consume resumes "${group[@]}" --max-messages 100 |
		wc -l)"
	seq 101 110 | produce resumes
	same second "$(seq 101 110)" "$(consume resumes "${group[@]}" \
		--max-messages 10 | sort -n)"
}

test_producer_perf() {
	topics --create --topic perf
	on ProducerPerformance --topic perf --num-records 200000 \
		--record-size 100 --throughput -1 >out
	has result '^200000 records sent, .* records/sec' out
	same records 200000 "$(offsets perf | tr ' ' '\n' |
		awk '{ n += $1 } END { print n }')"
	on ConsumerPerformance --topic perf --num-records 200000 \
		--hide-header >out
	awk -F', ' '{ exit !($5 >= 200000) }' out ||
		fail "read $(cut -d, -f5 out) of 200000"
}

test_producer_perf_settings() {
	topics --create --topic perf-small
	on ProducerPerformance --topic perf-small --num-records 20000 \
		--record-size 1000 --throughput -1 --command-property acks=1 \
		linger.ms=0 batch.size=1 max.in.flight.requests.per.connection=5 \
		enable.idempotence=false >out
	has result '^20000 records sent' out
}

test_end_to_end_latency() {
	topics --create --topic latency --partitions 1
	tool org.apache.kafka.tools.EndToEndLatency "$BOOTSTRAP" latency 1000 \
		all 100 >out
	has percentiles 'Percentiles: 50th = ' out
}

test_verifiable_producer() {
	on VerifiableProducer --topic verifiable --max-messages 500 \
		--throughput -1 --acks -1 >out
	has total '"name":"tool_data".*"acked":500' out
}

test_verifiable_consumer() {
	seq 50 | produce verifiable-consumer
	on VerifiableConsumer --topic verifiable-consumer --group-id vc \
		--reset-policy earliest --max-messages 50 --group-protocol \
		classic --assignment-strategy \
		org.apache.kafka.clients.consumer.CooperativeStickyAssignor >out
	has assigned '"name":"partitions_assigned"' out
	has committed '"name":"offsets_committed".*"success":true' out
}

# --- offsets ----------------------------------------------------------------

test_get_offsets() {
	topics --create --topic get-offsets --partitions 1
	seq 10 | produce get-offsets
	same latest 10 "$(offsets get-offsets)"
	same earliest 0 "$(offsets get-offsets -2)"
	same 'max timestamp' 9 "$(offsets get-offsets -3 |
		sed 's/^[0-9]$/9/')"
	same 'earliest local' 0 "$(offsets get-offsets -4)"
	same 'by time' 0 "$(offsets get-offsets 1000)"
	same 'the future' '' "$(offsets get-offsets 99999999999999)"
}

test_get_offsets_patterns() {
	topics --create --topic many-offsets --partitions 4
	same ranges 'many-offsets:1:0 many-offsets:2:0' "$(
		on GetOffsetShell --topic-partitions 'many-.*:1-3' |
			sort | paste -sd' ')"
}

# --- groups -----------------------------------------------------------------

# a_group NAME: topic and group NAME, 30 messages in three partitions, read
a_group() {
	topics --create --topic "$1" --partitions 3 >/dev/null
	seq 30 | produce "$1" --command-property \
		partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner
	consume "$1" --group "$1" --from-beginning --max-messages 30 >/dev/null
	before=$(offsets "$1")
}

# committed GROUP: what it has committed, in the order of partitions
committed() {
	groups --describe --group "$1" | columns 3 4 | cut -d' ' -f2 |
		paste -sd' '
}

test_groups_list() {
	a_group groups-list
	groups --list >out
	has list '^groups-list$' out
	groups --list --state >out
	has state '^groups-list +Consumer +Empty|^groups-list +Empty' out
	groups --list --type classic >out
	has type '^groups-list' out
	on GroupsCommand --list >out
	has groups '^groups-list +Classic +consumer' out
}

test_groups_describe() {
	a_group groups-describe
	same committed "$before" "$(committed groups-describe)"
	groups --describe --group groups-describe >out
	same lag '0 0 0' "$(columns 6 <out | paste -sd' ')"
	cat err >>out
	has members 'has no active members' out
	seq 5 | produce groups-describe
	same lag 5 "$(groups --describe --group groups-describe |
		columns 6 | awk '{ n += $1 } END { print n }')"
	groups --describe --group groups-describe --state >out
	has state 'groups-describe .* Empty +0' out
}

test_groups_describe_missing() {
	groups --describe --group groups-missing >out
	has missing 'Group groups-missing not found' out
}

test_groups_describe_active() {
	topics --create --topic groups-active --partitions 3
	seq 10 | produce groups-active
	"$(kafka_home)/bin/kafka-run-class.sh" \
		org.apache.kafka.tools.consumer.ConsoleConsumer \
		--bootstrap-server "$BOOTSTRAP" --topic groups-active \
		--group groups-active --from-beginning >read 2>read.err &
	local reader=$!
	until [ "$(cat read 2>/dev/null | wc -l)" = 10 ]; do sleep 0.1; done
	groups --describe --group groups-active --state >state
	groups --describe --group groups-active --members --verbose >members
	groups --delete --group groups-active >deleted
	groups --reset-offsets --group groups-active --topic groups-active \
		--to-earliest --execute >reset
	cat err >>reset
	kill $reader
	wait $reader || :
	has delete 'could not be deleted due to:.*not empty' deleted
	has reset 'only be reset if .* is inactive.*state is Stable' reset
	has state 'groups-active .*\(1\) +range +Stable +1' state
	has members '/127.0.0.1 +console-consumer +3 .*groups-active[:(]' members
}

# reset GROUP OPTIONS: how a reset goes
reset() {
	local group=$1
	shift
	groups --reset-offsets --group "$group" --topic "$group" --execute \
		"$@" >reset.out
	committed "$group"
}

test_groups_reset_ends() {
	local group=groups-reset
	a_group $group
	groups --reset-offsets --group $group --topic $group --to-earliest \
		--dry-run >out
	same 'dry run' "$before" "$(committed $group)"
	same earliest '0 0 0' "$(reset $group --to-earliest)"
	same latest "$before" "$(reset $group --to-latest)"
	same offset '3 3 3' "$(reset $group --to-offset 3)"
	same shift '5 5 5' "$(reset $group --shift-by 2)"
	same current '5 5 5' "$(reset $group --to-current)"
}

test_groups_reset_times() {
	local group=groups-times
	a_group $group
	same datetime '0 0 0' \
		"$(reset $group --to-datetime 2020-01-01T00:00:00.000)"
	same future "$before" \
		"$(reset $group --to-datetime 2099-01-01T00:00:00.000)"
	same duration '0 0 0' "$(reset $group --by-duration PT1H)"
}

test_groups_reset_file() {
	local group=groups-file
	a_group $group
	groups --reset-offsets --group $group --all-topics --to-offset 2 \
		--dry-run --export | grep "$group" >plan
	same plan "\"$group\",0,2" "$(grep ,0, plan | tr -d \" |
		sed 's/^\([^,]*\)/"\1"/')"
	groups --reset-offsets --group $group --from-file plan --execute >out
	same file '2 2 2' "$(committed $group)"
}

test_groups_reset_one() {
	local group=groups-one
	a_group $group
	groups --reset-offsets --group $group --topic $group:1 --to-earliest \
		--execute >out
	same one "$(awk '{ print $1, 0, $3 }' <<<"$before")" \
		"$(committed $group)"
}

# A group that never was gets its offsets from a reset.
test_groups_reset_new() {
	topics --create --topic groups-new --partitions 3
	same new '0 0 0' "$(reset groups-new --to-earliest)"
}

test_groups_delete_offsets() {
	local group=groups-offsets
	a_group $group
	groups --delete-offsets --group $group --topic $group:0 >out
	same rest 2 "$(groups --describe --group $group | columns 3 4 |
		grep -vc -- -)"
}

test_groups_delete() {
	a_group groups-delete
	groups --delete --group groups-delete >out
	has deleted 'Deletion of requested consumer groups .* was successful' out
	groups --list >out
	! grep -qx groups-delete out || fail "a deleted group is listed"
	groups --delete --group groups-delete >out
	has again "Group 'groups-delete' could not be deleted due to:" out
}

# Deleting a topic deletes what groups committed for it.
test_groups_topic_deleted() {
	a_group groups-topic
	topics --delete --topic groups-topic
	topics --create --topic groups-topic --partitions 3
	same offsets '' "$(groups --describe --group groups-topic |
		columns 3 4 | grep -v -- - | paste -sd' ')"
}

# --- the cluster ------------------------------------------------------------

test_cluster_id() {
	on ClusterTool cluster-id >out || tool org.apache.kafka.tools.ClusterTool \
		cluster-id --bootstrap-server "$BOOTSTRAP" >out
	has id "Cluster ID: $(sed -n 's/^cluster.id=//p' \
		"$WORK/data/meta.properties")" out
}

test_cluster_endpoints() {
	tool org.apache.kafka.tools.ClusterTool list-endpoints \
		--bootstrap-server "$BOOTSTRAP" >out
	has endpoint "^1 +127.0.0.1 +${BOOTSTRAP#*:} " out
}

test_broker_api_versions() {
	on BrokerApiVersionsCommand >out
	has broker "$BOOTSTRAP \(id: 1 rack: null isFenced: false\)" out
	has produce 'Produce\(0\): [0-9]+ to 13 \[usable: 13\]' out
	has fetch 'Fetch\(1\): 4 to 18 \[usable: 18\]' out
	has heartbeat 'Heartbeat\(12\): 0 to 4' out
}

# --- the files of a broker that has stopped ---------------------------------

# dump PATTERN OPTIONS: print what Kafka reads in files of that name
dump() {
	local pattern=$1 files
	shift
	files=$(cd / && find "$WORK/data" -path "$pattern" -size +0 |
		paste -sd,)
	[ -n "$files" ] || fail "no file like $pattern"
	tool org.apache.kafka.tools.DumpLogSegments --files "$files" "$@" >out
	! grep -Ein 'isvalid: false|mismatch|invalid|exception|could not|out of order|corrupt' \
		out err | head -3 | grep . || fail "a complaint, above"
	has dumping "^Dumping $WORK/data/" out
}

stopped_dump_logs() {
	dump '*/codec-*/*.log' --deep-iteration --print-data-log
	local codec
	for codec in none gzip snappy lz4 zstd; do
		has $codec "compresscodec: $codec " out
	done
	has record 'payload: 3000$' out
	has header 'baseOffset: 0 lastOffset: [0-9]+ count: [0-9]+' out
}

stopped_dump_all_logs() {
	dump '*.log' --deep-iteration
}

stopped_dump_indexes() {
	dump '*index' --index-sanity-check
	has sane 'passed sanity check' out
}

stopped_dump_index_entries() {
	dump '*/perf-*.index' --verify-index-only
	dump '*/perf-*.timeindex' --verify-index-only
}

stopped_dump_offsets() {
	dump '*/__consumer_offsets-*.log' --offsets-decoder
	has commit '"topic":"groups-describe","partition":[012]' out
	has value '"offset":[0-9]+' out
	has group '"group":"groups-describe"' out
	has member '"protocolType":"consumer"' out
}

stopped_dump_metadata() {
	dump '*/__cluster_metadata-0/*.log' --cluster-metadata-decoder
	has topic '"type":"TOPIC_RECORD".*"name":"create"' out
	has partition '"type":"PARTITION_RECORD"' out
	has config '"type":"CONFIG_RECORD".*"name":"segment.bytes","value":"2000000"' out
	has broker '"type":"REGISTER_BROKER_RECORD"' out
	has feature '"type":"FEATURE_LEVEL_RECORD".*"name":"metadata.version"' out
	has leader 'LeaderChange' out
}

stopped_dump_bootstrap() {
	dump '*.checkpoint' --cluster-metadata-decoder
	has feature 'FEATURE_LEVEL_RECORD' out
}

stopped_dump_producers() {
	dump '*/perf-*.snapshot'
	has producer 'producerId: [0-9]+ producerEpoch: 0' out
}

main "$@"
