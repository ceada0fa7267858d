# Sourced by run.sh: share groups.

# Locks that lapse, and who comes too late.
test_lock() {
	local t=lock-t g=lock-g
	data topic $t 1
	data produce $t 0 3
	configs --alter --entity-type groups --entity-name $g --add-config \
		share.auto.offset.reset=earliest,share.delivery.count.limit=2,share.record.lock.duration.ms=1500
	share open lock-a $g $t
	share poll lock-a 3
	step slept Group sleep 2500
	share ack lock-a 0 0 ACCEPT REJECT RENEW
	share commit lock-a
	share close lock-a
	share open lock-b $g $t
	share poll lock-b 3
	step slept Group sleep 2500
	share ack lock-b 0 0 RELEASE ACCEPT REJECT
	share commit lock-b
	share idle lock-b 300
	share close lock-b
	shares --describe --group $g
	configs --alter --entity-type groups --entity-name $g --add-config \
		share.renew.acknowledge.enable=false,share.record.lock.duration.ms=30000
	data produce $t 0 2
	share open lock-c $g $t
	share poll lock-c 2
	share ack lock-c 0 3 RENEW ACCEPT
	share commit lock-c
	share close lock-c
	session lock
}

# What the tools say of a share group that comes and goes.
test_share() {
	local g=share-g t=share-t u=share-u
	data topic $t 1
	data topic $u 2
	data produce $t 0 5
	data produce $u 0 2
	all_of shares $g
	shares --delete --group $g
	shares --delete-offsets --group $g --topic $t
	shares --reset-offsets --group $g --topic $u --to-earliest --dry-run
	shares --reset-offsets --group $g --topic $u --to-earliest --execute
	all_of shares $g
	shares --reset-offsets --group $g --topic $u --to-latest --execute
	shares --describe --group $g
	configs --alter --entity-type groups --entity-name $g \
		--add-config share.auto.offset.reset=earliest
	configs --describe --entity-type groups --entity-name $g
	share open share-a $g $t
	share poll share-a 5
	step await Group assigned $g 1
	shares --describe --group $g
	share ack share-a 0 0 ACCEPT ACCEPT RELEASE REJECT ACCEPT
	share commit share-a
	all_of shares $g
	share open share-b $g $t
	share poll share-b 1
	step await Group assigned $g 2
	all_of shares $g
	share ack share-b 0 2 RELEASE
	share commit share-b
	share poll share-a 1
	share ack share-a 0 2 RELEASE
	share commit share-a
	all_of shares $g
	shares --list
	shares --list --state
	shares --list --state stable
	shares --list --state Empty,Stable
	shares --list --state nonsense
	all_groups --list
	all_groups --list --share
	all_groups --list --group-type share
	all_groups --list --protocol share
	groups --list
	groups --describe --group $g
	groups --delete --group $g
	shares --delete --group $g
	shares --delete-offsets --group $g --topic $t
	shares --reset-offsets --group $g --topic $t --to-earliest --execute
	shares --reset-offsets --group $g --topic $t --to-earliest --dry-run
	member join share-c $g consumer $t
	member ends share-c
	member join share-d $g classic $t
	member ends share-d
	share close share-b
	step await Group assigned $g 1
	share close share-a
	comes $g Empty
	all_of shares $g
	shares --list --state
	shares --reset-offsets --group $g --topic $t --to-earliest --dry-run
	shares --reset-offsets --group $g --topic $t --to-earliest --execute
	shares --describe --group $g
	shares --reset-offsets --group $g --topic $t --to-latest --execute
	shares --describe --group $g
	shares --reset-offsets --group $g --topic $t --execute \
		--to-datetime 2024-01-01T00:00:02.000
	shares --describe --group $g
	shares --reset-offsets --group $g --all-topics --to-earliest --execute
	shares --reset-offsets --group $g --topic share-none --to-latest --execute
	shares --reset-offsets --group $g --topic $t --topic share-none \
		--to-latest --execute
	shares --describe --group $g
	shares --delete-offsets --group $g --topic $u
	shares --delete-offsets --group $g --topic $u
	shares --delete-offsets --group $g --topic share-none
	shares --delete-offsets --group $g --topic $t --topic share-none
	shares --describe --group $g
	member join share-e $g classic $t
	member ends share-e
	shares --reset-offsets --group $g --topic $t --to-latest --execute
	topics --delete --topic $t
	shares --describe --group $g
	shares --delete --group $g --group share-none
	shares --list
	all_of shares $g
	session share
}

# console GROUP TOPIC ARGUMENTS: the console's share consumer
console() {
	on console $TOOLS.consumer.ConsoleShareConsumer --group "$1" \
		--topic "$2" --timeout-ms 4000 --formatter-property print.delivery=true \
		--formatter-property print.offset=true "${@:3}"
}

# verifiable GROUP TOPIC ARGUMENTS
verifiable() {
	on verifiable $TOOLS.VerifiableShareConsumer --group-id "$1" --topic "$2" \
		"${@:3}"
}

# Kinds of acknowledgements, and what becomes of the records.
test_acknowledge() {
	local t=acknowledge-t g=acknowledge-g
	data topic $t 1
	data produce $t 0 6
	configs --alter --entity-type groups --entity-name $g --add-config \
		share.auto.offset.reset=earliest,share.delivery.count.limit=3
	console $g $t --max-messages 6 --release
	shares --describe --group $g
	console $g $t --max-messages 2
	shares --describe --group $g
	console $g $t --max-messages 4 --reject
	shares --describe --group $g
	data produce $t 0 4
	console $g $t --max-messages 4
	shares --describe --group $g
	data produce $t 0 9
	share open acknowledge-a $g $t
	share work acknowledge-a 15 0:10=RELEASE 0:11=REJECT \
		0:12=RELEASE+RELEASE+RELEASE 0:13=RELEASE+REJECT \
		0:15=RENEW 0:17=RELEASE
	share idle acknowledge-a 300
	shares --describe --group $g
	share close acknowledge-a
	data produce $t 0 3
	verifiable $g $t --max-messages 3 --acknowledgement-mode sync
	data produce $t 0 3
	verifiable $g $t --max-messages 3 --acknowledgement-mode async --verbose
	data produce $t 0 3
	verifiable $g $t --max-messages 3 --offset-reset-strategy earliest
	shares --describe --group $g
	session acknowledge
}

# fetches TOPIC EPOCH MOST [BATCH]: a member without a client asks for so many
# records of partition 0, and is shown which are acquired together
fetches() {
	raw call "$1-raw" SHARE_FETCH 2 '{"groupId": "acquire-g",
		"memberId": "'"$1"'", "shareSessionEpoch": '"$2"',
		"maxWaitMs": 5000, "minBytes": 1, "maxBytes": 1000000,
		"maxRecords": '"$3"', "batchSize": '"${4:-100}"',
		"topics": ['"$([ "$2" = -1 ] ||
		echo '{"topicId": "#'"$1"'#", "partitions": [{
		"partitionIndex": 0, "acknowledgementBatches": []}]}')"']}'
}

# releases TOPIC: its session ends, and soon it has nothing any more
releases() {
	fetches "$1" -1 0
	step slept Group sleep 300
}

# Batches that were acquired apart, and some in parts.
test_acquire() {
	local t=acquire-t u=acquire-u g=acquire-g i
	data topic $t 1
	configs --alter --entity-type groups --entity-name $g --add-config \
		share.auto.offset.reset=earliest,share.delivery.count.limit=10
	for i in 1 2 3 4; do
		data produce $t 0 3
		share open acquire-$i $g $t
		share poll acquire-$i 3
	done
	share close acquire-1
	share close acquire-2
	share ack acquire-3 0 6 RELEASE RELEASE ACCEPT
	share commit acquire-3
	fetches $t 0 100
	releases $t
	fetches $t 0 4
	releases $t
	fetches $t 0 7
	releases $t
	share close acquire-3
	share close acquire-4
	fetches $t 0 100
	releases $t
	fetches $t 0 7
	releases $t
	fetches $t 0 100
	data topic $u 1
	data produce $u 0 3
	share open acquire-5 $g $u
	share poll acquire-5 3
	share close acquire-5
	for i in 1 2 3 4; do
		data produce $u 0 3
	done
	fetches $u 0 100 4
	releases $u
	fetches $u 0 5
	releases $u
	fetches $u 0 100
	session acquire
}
