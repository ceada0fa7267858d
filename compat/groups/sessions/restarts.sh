# Sourced by run.sh: what a restart of the broker leaves to groups.

# classic_join HOW NAME GROUP MEMBER SESSION_MS
classic_join() {
	raw "$1" "$2" JOIN_GROUP 9 '{"groupId": "'"$3"'",
		"sessionTimeoutMs": '"$5"', "rebalanceTimeoutMs": 14000,
		"memberId": "'"$4"'", "groupInstanceId": null,
		"protocolType": "consumer", "protocols": [{"name": "range",
		"metadata": "AAMAAAAA/////wAAAAD/////"}], "reason": null}'
}

# classic_sync NAME GROUP GENERATION ASSIGNMENTS
classic_sync() {
	raw call "$1" SYNC_GROUP 5 '{"groupId": "'"$2"'", "generationId": '"$3"',
		"memberId": "$'"$1"'", "groupInstanceId": null,
		"protocolType": "consumer", "protocolName": "range",
		"assignments": ['"$4"']}'
}

# heartbeat GROUP MEMBER EPOCH REBALANCE_MS [MORE]: of a consumer group
heartbeat() {
	raw call restart-raw CONSUMER_GROUP_HEARTBEAT 1 '{"groupId": "'"$1"'",
		"memberId": "'"$2"'", "memberEpoch": '"$3"',
		"rebalanceTimeoutMs": '"$4"', "serverAssignor": null'"${5:-}"'}'
}

# leaves_timers: members whom the restart leaves alone, with various timeouts
leaves_timers() {
	local first=', "subscribedTopicNames": ["restart-t"],
		"topicPartitions": []'
	local nobody='{"memberId": "$restart-one", "assignment": "AAAA"}'
	configs --alter --entity-type groups --entity-name restart-session \
		--add-config consumer.session.timeout.ms=11000
	configs --alter --entity-type groups --entity-name restart-share \
		--add-config share.session.timeout.ms=15000
	configs --alter --entity-type groups --entity-name restart-streams \
		--add-config streams.session.timeout.ms=16000
	heartbeat restart-session session-a 0 60000 "$first"
	heartbeat restart-revokes revokes-a 0 12000 "$first"
	heartbeat restart-revokes revokes-b 0 12000 "$first"
	heartbeat restart-revokes revokes-a 2 12000
	classic_join call restart-one restart-classic '' 13000
	classic_join call restart-one restart-classic '$restart-one' 13000
	classic_sync restart-one restart-classic 1 "$nobody"
	raw call restart-raw SHARE_GROUP_HEARTBEAT 1 '{
		"groupId": "restart-share", "memberId": "share-a",
		"memberEpoch": 0, "subscribedTopicNames": ["restart-t"]}'
	raw call restart-raw STREAMS_GROUP_HEARTBEAT 0 '{
		"groupId": "restart-streams", "memberId": "streams-a",
		"memberEpoch": 0, "rebalanceTimeoutMs": 60000,
		"topology": {"epoch": 0, "subtopologies": [{
		"subtopologyId": "0", "sourceTopics": ["restart-t"],
		"sourceTopicRegex": [], "stateChangelogTopics": [],
		"repartitionSinkTopics": [], "repartitionSourceTopics": [],
		"copartitionGroups": []}]}, "activeTasks": [],
		"standbyTasks": [], "warmupTasks": [], "processId": "p"}'
}

# crowd: a classic group of two, which will be more than are let in, and a
# third who waits for a rebalance that nobody will remember
crowd() {
	local g=restart-crowd
	classic_join call restart-big $g '' 60000
	classic_join call restart-big $g '$restart-big' 60000
	classic_sync restart-big $g 1 '{"memberId": "$restart-big",
		"assignment": "AAAA"}'
	classic_join call restart-small $g '' 60000
	classic_join send restart-small $g '$restart-small' 60000
	comes $g PreparingRebalance
	classic_join call restart-big $g '$restart-big' 60000
	step raw Raw receive restart-small
	classic_sync restart-big $g 2 '{"memberId": "$restart-big",
		"assignment": "AAAA"}, {"memberId": "$restart-small",
		"assignment": "AAAB"}'
	classic_sync restart-small $g 2 ''
	classic_join call restart-third $g '' 60000
	classic_join send restart-third $g '$restart-third' 60000
	comes $g PreparingRebalance
}

# The broker is killed: its groups are those that it has written down, and
# their timers begin anew.
test_restart() {
	local t=restart-t p
	own_broker group.consumer.assignment.interval.ms=0 \
		group.streams.assignment.interval.ms=0 \
		group.share.assignment.interval.ms=0 \
		offsets.retention.minutes=1000
	data topic $t 2
	data produce $t 0 4
	for p in classic consumer; do
		member join restart-$p-m restart-$p-g $p $t
		member has restart-$p-m 2
		member read restart-$p-m 4
	done
	commits restart-simple $t 3
	configs --alter --entity-type groups --entity-name restart-locks \
		--add-config share.auto.offset.reset=earliest
	share open restart-a restart-locks $t
	share poll restart-a 4
	share ack restart-a 0 0 ACCEPT RELEASE
	share commit restart-a
	crowd
	leaves_timers
	step broker Broker restart restart-crowd group.max.size=1
	comes restart-crowd PreparingRebalance
	classic_join send restart-back restart-crowd '$restart-big' 60000
	step slept Group sleep 500
	classic_join call restart-late restart-crowd '' 60000
	step broker Broker lasts restart-session gone 11000 \
		restart-revokes Assigning 12000 restart-classic gone 13000 \
		restart-crowd CompletingRebalance 14000 \
		restart-share Empty 15000 restart-streams gone 16000
	step raw Raw receive restart-back
	classic_sync restart-back restart-crowd 3 ''
	share ack restart-a 0 2 ACCEPT REJECT
	share commit restart-a
	share close restart-a
	share open restart-b restart-locks $t
	share poll restart-b 3
	shares --describe --group restart-locks
	for p in restart-revokes restart-classic-g restart-consumer-g; do
		groups --describe --group $p --state --verbose
		groups --describe --group $p --members --verbose
	done
	groups --describe --group restart-simple
	data produce $t 1 2
	member read restart-classic-m 6
	member read restart-consumer-m 6
	groups --describe --group restart-classic-g
	groups --describe --group restart-consumer-g
	groups --list --state
	session restart
}
