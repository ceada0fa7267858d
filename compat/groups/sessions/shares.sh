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
