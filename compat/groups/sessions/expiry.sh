# Sourced by run.sh: what goes by itself.

# commits GROUP TOPIC OFFSET [RETENTION]: by a client that is no member
commits() {
	raw call commits OFFSET_COMMIT 2 '{"groupId": "'"$1"'",
		"generationIdOrMemberEpoch": -1, "memberId": "",
		"retentionTimeMs": '"${4:--1}"', "topics": [{"name": "'"$2"'",
		"partitions": [{"partitionIndex": 0, "committedOffset": '"$3"',
		"committedMetadata": ""}]}]}'
}

# joins GROUP MEMBER: a frame of somebody whom a session takes long to end
joins() {
	raw call joins JOIN_GROUP 9 '{"groupId": "'"$1"'",
		"sessionTimeoutMs": 300000, "rebalanceTimeoutMs": 300000,
		"memberId": "'"$2"'", "groupInstanceId": null,
		"protocolType": "consumer", "protocols": [{"name": "range",
		"metadata": "AAMAAAAA/////wAAAAD/////"}], "reason": null}'
}

# gone GROUP: wait until it is
gone() {
	comes "$1" gone
}

test_expiry() {
	local t=expiry-t
	data topic $t 1
	data topic expiry-u 1
	data produce $t 0 3
	commits expiry-classic expiry-u 1
	commits expiry-consumer expiry-u 1
	commits expiry-simple $t 1
	commits expiry-short $t 1 100
	commits expiry-both $t 1 100
	commits expiry-both expiry-u 1 600000
	member join expiry-a expiry-classic classic $t
	member join expiry-b expiry-consumer consumer $t
	member read expiry-a 3
	member read expiry-b 3
	groups --describe --group expiry-classic
	gone expiry-short
	groups --describe --group expiry-simple
	groups --describe --group expiry-both
	member join expiry-c expiry-empty consumer expiry-u
	member has expiry-c 1
	member leave expiry-c
	gone expiry-empty
	joins expiry-pending ''
	gone expiry-pending
	joins expiry-pending '$joins'
	member join expiry-d expiry-leaves classic $t
	member read expiry-d 3
	member leave expiry-d
	groups --describe --group expiry-leaves
	step slept Group sleep 30000
	groups --describe --group expiry-leaves
	gone expiry-simple
	gone expiry-leaves
	groups --describe --group expiry-classic
	groups --describe --group expiry-consumer
	groups --describe --group expiry-both
	member leave expiry-a
	member leave expiry-b
	groups --describe --group expiry-classic
	session expiry
}
