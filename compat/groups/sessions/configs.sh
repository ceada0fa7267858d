# Sourced by run.sh: settings of groups.

# group_configs GROUP ARGUMENTS
group_configs() {
	configs --entity-type groups --entity-name "$@"
}

test_configs() {
	local key g=configs-g
	group_configs $g --describe
	group_configs $g --describe --all
	group_configs $g --alter --add-config \
		consumer.session.timeout.ms=5000,consumer.heartbeat.interval.ms=200
	group_configs $g --alter --add-config share.auto.offset.reset=by_duration:PT1H
	group_configs $g --alter --add-config streams.num.standby.replicas=1
	group_configs $g --describe
	group_configs $g --describe --all
	configs --entity-type groups --describe
	group_configs $g --alter --delete-config consumer.heartbeat.interval.ms
	group_configs $g --alter --delete-config consumer.heartbeat.interval.ms
	group_configs $g --describe
	for key in consumer.session.timeout.ms consumer.heartbeat.interval.ms \
		consumer.assignment.interval.ms share.session.timeout.ms \
		share.heartbeat.interval.ms share.record.lock.duration.ms \
		share.delivery.count.limit share.partition.max.record.locks \
		share.assignment.interval.ms streams.session.timeout.ms \
		streams.heartbeat.interval.ms streams.num.standby.replicas \
		streams.assignment.interval.ms \
		streams.initial.rebalance.delay.ms; do
		group_configs $g --alter --add-config $key=-1
		group_configs $g --alter --add-config $key=0
		group_configs $g --alter --add-config $key=1
		group_configs $g --alter --add-config $key=10000000
		group_configs $g --alter --add-config $key=nonsense
	done
	for key in share.auto.offset.reset share.isolation.level \
		share.renew.acknowledge.enable; do
		group_configs $g --alter --add-config $key=nonsense
	done
	group_configs $g --alter --add-config share.auto.offset.reset=by_duration:-PT1H
	group_configs $g --alter --add-config share.isolation.level=read_committed
	group_configs $g --alter --add-config consumer.heartbeat.interval.ms=6000
	group_configs $g --alter --add-config no.such.key=1
	group_configs '' --alter --add-config share.isolation.level=read_committed
	group_configs $g --describe
	session configs
}
