#!/bin/bash
# kcat: what people type into a shell.  Any kcat from 1.7; Debian 12 has 1.7.1.
. "$(cd "$(dirname "$0")" && pwd)/../lib.sh"
LIMIT=60

prepare() {
	need kcat kcat
	need jq jq
}

k() {
	kcat -b "$BOOTSTRAP" "$@"
}

# produce TOPIC OPTIONS <lines
produce() {
	k -P -t "$@"
}

# consume TOPIC OPTIONS: from the beginning to the end, then exit
consume() {
	k -C -e -q -o beginning -t "$@"
}

# create TOPIC: kcat has no command for that, so ask for its metadata.  Kafka
# has the topic a moment later.
create() {
	until k -L -t "$1" | grep -q ' with 4 partitions'; do
		sleep 0.1
	done
}

pairs() {
	seq "$1" | awk '{ print $1 % 97 ":" $1 }'
}

# --- metadata ---------------------------------------------------------------

test_metadata_text() {
	create metadata-text
	k -L >out
	has brokers "^ 1 brokers:" out
	has broker "^  broker 1 at $BOOTSTRAP \(controller\)" out
	has topic "^  topic \"metadata-text\" with 4 partitions:" out
	has partition "^    partition 3, leader 1, replicas: 1, isrs: 1" out
}

test_metadata_json() {
	create metadata-json
	k -L -J >out
	same brokers "$(jq -c .brokers out)" \
		"[{\"id\":1,\"name\":\"$BOOTSTRAP\"}]"
	same controller 1 "$(jq .controllerid out)"
	same partitions '[[0,1],[1,1],[2,1],[3,1]]' "$(jq -c '.topics[] |
		select(.topic == "metadata-json") |
		[.partitions[] | [.partition, .leader]]' out)"
}

test_metadata_one_topic() {
	create metadata-one
	create metadata-two
	same topics metadata-one "$(k -L -J -t metadata-one |
		jq -r '.topics[].topic')"
}

test_metadata_creates_topic() {
	create metadata-creates
	same partitions 4 "$(k -L -J -t metadata-creates |
		jq '.topics[0].partitions | length')"
}

test_metadata_invalid_name() {
	k -L -t 'no/such name' >out
	has error 'topic "no/such name".*Invalid topic' out
}

# --- produce and consume ----------------------------------------------------

# Keyed lines come back whole, and in order for every key.
keyed() {
	pairs 20000 >in
	produce "keyed-$1" -K: -z "$1" -X topic.partitioner=murmur2 <in
	consume "keyed-$1" -K: >out
	same lines 20000 "$(wc -l <out)"
	cmp <(sort -s -t: -k1,1 in) <(sort -s -t: -k1,1 out)
}

test_keyed_none() { keyed none; }
test_keyed_gzip() { keyed gzip; }
test_keyed_snappy() { keyed snappy; }
test_keyed_lz4() { keyed lz4; }
test_keyed_zstd() { keyed zstd; }

test_codecs_mixed() {
	local codec
	for codec in none gzip snappy lz4 zstd; do
		seq 500 | sed "s/^/$codec /" |
			produce codecs-mixed -p 0 -z $codec
	done
	consume codecs-mixed -p 0 >out
	cmp out <(for codec in none gzip snappy lz4 zstd; do
		seq 500 | sed "s/^/$codec /"
	done)
}

# murmur2 puts a key where Kafka's own clients put it.
test_partitioner_murmur2() {
	printf '%s:\n' a b c d klamm kafka |
		produce murmur2 -K: -X topic.partitioner=murmur2
	same partitions "$(printf '%s\n' '0 a' '0 b' '2 c' '1 d' '0 kafka' \
		'3 klamm' | sort)" "$(consume murmur2 -f '%p %k\n' | sort)"
}

acks() {
	seq 1000 | produce "acks$1" -p 1 -X acks="$1"
	until [ "$(k -Q -t "acks$1:1:-1" | awk '{ print $NF }')" = 1000 ]; do
		sleep 0.1
	done
	same lines "$(seq 1000)" "$(consume "acks$1" -p 1)"
}

test_acks_none() { acks 0; }
test_acks_leader() { acks 1; }
test_acks_all() { acks -1; }

test_idempotent() {
	seq 20000 | produce idempotent -p 2 -X enable.idempotence=true
	same lines "$(seq 20000)" "$(consume idempotent -p 2)"
}

test_large_message() {
	head -c 900000 /dev/zero | tr '\0' x >in
	produce large -p 0 in
	same size 900001 "$(consume large -p 0 | wc -c)"
}

# The producer lets it pass, the broker must not.
test_too_large_message() {
	head -c 1500000 /dev/zero | tr '\0' x >in
	! produce too-large -p 0 -X message.max.bytes=2000000 in 2>err ||
		fail "a message of 1.5 MB was taken"
	has error 'Message size too large' err
}

test_large_compressed() {
	head -c 1500000 /dev/zero | tr '\0' x >in
	produce large-compressed -p 0 -z zstd -X message.max.bytes=2000000 in
	same size 1500001 "$(consume large-compressed -p 0 | wc -c)"
}

test_headers() {
	echo v | produce headers -p 0 -H a=1 -H b= -H a=2
	same headers 'a=1,b=,a=2 v' "$(consume headers -f '%h %s\n')"
}

# An empty value is a tombstone with -Z, and an empty value without.
test_tombstones() {
	printf 'k1:\nk2:x\n' | produce tombstones -p 0 -K: -Z
	printf 'k3:\n' | produce tombstones -p 0 -K:
	same lengths 'k1 -1,k2 1,k3 0' \
		"$(consume tombstones -f '%k %S\n' | paste -sd,)"
}

test_null_keys() {
	echo v | produce null-keys -p 0
	same envelope '[null,"v"]' \
		"$(consume null-keys -J | jq -c '[.key, .payload]')"
}

test_json_envelope() {
	echo k:v | produce envelope -p 3 -K: -H h=1
	same envelope \
		'["envelope",3,0,"create",0,["h","1"],"k","v"]' \
		"$(consume envelope -J | jq -c '[.topic, .partition, .offset,
			.tstype, .broker, .headers, .key, .payload]' |
			sed 's/"create",1,/"create",0,/')"
}

test_timestamps() {
	local before after
	before=$(date +%s%3N)
	echo v | produce timestamps -p 0
	after=$(date +%s%3N)
	consume timestamps -f '%T\n' >out
	[ "$(cat out)" -ge "$before" ] && [ "$(cat out)" -le "$after" ] ||
		fail "$(cat out) is not in $before..$after"
}

test_files_as_messages() {
	printf 'one\ntwo\n' >a
	printf 'three\n' >b
	produce files -p 0 a b
	same sizes '8 6' "$(consume files -f '%S\n' | paste -sd' ')"
}

# --- where to begin, where to end -------------------------------------------

test_offset_absolute() {
	seq 100 | produce offset-absolute -p 0
	same lines "$(seq 41 45)" \
		"$(k -C -q -t offset-absolute -p 0 -o 40 -c 5)"
}

test_offset_from_end() {
	seq 100 | produce offset-tail -p 0
	same lines "$(seq 93 100)" \
		"$(k -C -q -e -t offset-tail -p 0 -o -8)"
}

test_offset_end() {
	seq 10 | produce offset-end -p 0
	same nothing '' "$(k -C -q -e -t offset-end -p 0 -o end)"
}

test_offset_out_of_range() {
	seq 10 | produce offset-far -p 0
	same earliest "$(seq 10)" "$(k -C -q -e -t offset-far -p 0 -o 5000 \
		-X topic.auto.offset.reset=earliest)"
	k -C -e -t offset-far -p 0 -o 5000 \
		-X topic.auto.offset.reset=error >out 2>&1 || :
	has error 'out of range' out
}

# Three sets of lines, apart in time: $times has a time before each set.
three_sets() {
	local set
	times=()
	for set in a b c; do
		sleep 0.05
		times+=("$(date +%s%3N)")
		sleep 0.05
		seq 10 | sed "s/^/$set/" | produce "$1" -p 0
	done
}

test_offset_timestamps() {
	three_sets offset-timestamps
	same middle "$(seq 10 | sed 's/^/b/')" "$(k -C -q -e -p 0 \
		-t offset-timestamps -o "s@${times[1]}" -o "e@${times[2]}")"
	same last "$(seq 10 | sed 's/^/c/')" "$(k -C -q -e -p 0 \
		-t offset-timestamps -o "s@${times[2]}")"
}

test_query_timestamps() {
	local t=query-timestamps now
	three_sets $t
	now=$(($(date +%s%3N) + 60000))
	same offsets "$t [0] offset 0,$t [0] offset 10,$t [0] offset 20" "$(
		for set in 0 1 2; do
			k -Q -t "$t:0:${times[$set]}"
		done | paste -sd,)"
	same 'earliest and latest' "$t [0] offset 0,$t [0] offset 30" "$(
		{ k -Q -t $t:0:-2; k -Q -t $t:0:-1; } | paste -sd,)"
	same 'the future' "$t [0] offset -1" "$(k -Q -t "$t:0:$now")"
}

test_query_partitions() {
	seq 5 | produce query-partitions -p 1
	seq 7 | produce query-partitions -p 3
	same offsets '0 5 0 7' "$(k -Q -t query-partitions:0:-1 \
		-t query-partitions:1:-1 -t query-partitions:2:-1 \
		-t query-partitions:3:-1 | sort | awk '{ print $NF }' |
		paste -sd' ')"
}

# A consumer at the end gets what is produced afterwards.
test_tail() {
	create tail
	k -C -q -u -t tail -p 0 -o end -c 3 >out 2>err &
	local reader=$!
	until [ -s out ]; do
		echo early | produce tail -p 0
		sleep 0.1
	done
	printf 'x\ny\nz\n' | produce tail -p 0
	wait $reader
	same lines 3 "$(wc -l <out)"
}

test_small_fetches() {
	seq 3000 | produce small-fetches -p 0
	same lines "$(seq 3000)" "$(consume small-fetches -p 0 \
		-X fetch.message.max.bytes=1000 -X fetch.max.bytes=2000 \
		-X message.max.bytes=1000)"
}

test_read_uncommitted() {
	seq 10 | produce uncommitted -p 0
	same lines "$(seq 10)" "$(consume uncommitted -p 0 \
		-X isolation.level=read_uncommitted)"
}

# --- groups -----------------------------------------------------------------

# group GROUP TOPIC OPTIONS: consume as a member to the end, commit, leave
group() {
	local group=$1 topic=$2
	shift 2
	k -G "$group" -e -q -X auto.offset.reset=earliest "$@" "$topic"
}

test_group_reads_all() {
	seq 2000 | produce group-all
	same lines "$(seq 2000)" "$(group group-all group-all 2>err | sort -n)"
}

test_group_resumes() {
	seq 1000 | produce group-resumes
	same first 1000 "$(group group-resumes group-resumes 2>err | wc -l)"
	same again 0 "$(group group-resumes group-resumes 2>err | wc -l)"
	seq 10 | produce group-resumes
	same later 10 "$(group group-resumes group-resumes 2>err | wc -l)"
}

test_groups_apart() {
	seq 100 | produce groups-apart
	same one 100 "$(group groups-apart-1 groups-apart 2>err | wc -l)"
	same two 100 "$(group groups-apart-2 groups-apart 2>err | wc -l)"
}

test_group_two_topics() {
	seq 100 | produce group-first
	seq 101 200 | produce group-second
	k -G group-two -e -q -X auto.offset.reset=earliest group-first \
		group-second >out 2>err
	same lines "$(seq 200)" "$(sort -n out)"
}

test_group_pattern() {
	seq 100 | produce pattern-one
	seq 101 200 | produce pattern-two
	k -G group-pattern -e -q -X auto.offset.reset=earliest \
		'^pattern-.*' >out 2>err
	same lines "$(seq 200)" "$(sort -n out)"
}

# Two members share four partitions, and together read everything once.
share() {
	local topic=group-share-$1 first second
	create "$topic"
	set -- "$topic" -q -u -X "partition.assignment.strategy=$1" \
		-X auto.offset.reset=earliest -X heartbeat.interval.ms=300
	k -G "$@" "$topic" >first 2>first.err &
	first=$!
	k -G "$@" "$topic" >second 2>second.err &
	second=$!
	local round=0
	until [ -s first ] && [ -s second ]; do
		round=$((round + 1))
		echo "warm $round" | produce "$topic" -p $((round % 4))
		sleep 0.1
	done
	# Both have partitions now; let a last rebalance end.
	sleep 1
	for round in 0 1 2 3; do
		seq $((round * 1000 + 1)) $((round * 1000 + 1000)) |
			produce "$topic" -p $round
	done
	until [ "$(cat first second | grep -vc warm)" -ge 4000 ]; do
		sleep 0.1
	done
	kill $first $second
	wait
	same lines "$(seq 4000)" "$(cat first second | grep -v warm | sort -n)"
	grep -qv warm first && grep -qv warm second ||
		fail "one member read everything"
}

test_group_shares_range() { share range; }
test_group_shares_roundrobin() { share roundrobin; }
test_group_shares_cooperative() { share cooperative-sticky; }

# A static member that comes back keeps its partitions: no rebalance.
test_group_static() {
	seq 100 | produce group-static
	local member=(-X group.instance.id=one -X session.timeout.ms=30000)
	same first 100 "$(group group-static group-static "${member[@]}" \
		2>err | wc -l)"
	seq 5 | produce group-static
	same back 5 "$(group group-static group-static "${member[@]}" \
		2>err | wc -l)"
}

main "$@"
