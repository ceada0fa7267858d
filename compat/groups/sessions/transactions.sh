# Sourced by run.sh: transactions.

test_transactions() {
	local t=transactions-t id=transactions-id
	data topic $t 1
	transactions list
	transactions describe --transactional-id $id
	txn open $id transaction.timeout.ms=50000
	transactions describe --transactional-id $id
	txn begin $id
	txn send $id $t
	txn offset $id transactions-g $t 7
	transactions list
	transactions list --transactional-id-pattern 'transactions-.*'
	transactions list --duration-filter 600000
	transactions describe --transactional-id $id
	transactions describe-producers --topic $t --partition 0
	transactions find-hanging --broker-id 1
	transactions find-hanging --broker-id 1 --max-transaction-timeout 0
	groups --describe --group transactions-g
	txn commit $id
	groups --describe --group transactions-g
	transactions list
	transactions describe --transactional-id $id
	txn begin $id
	txn send $id $t
	transactions abort --topic $t --partition 0 --start-offset 0
	transactions abort --topic $t --partition 0 --start-offset 2
	txn commit $id
	txn begin $id
	txn send $id $t
	transactions forceTerminateTransaction --transactionalId $id
	transactions forceTerminateTransaction --transactionalId transactions-none
	txn commit $id
	txn close $id
	transactions describe --transactional-id $id
	configs --alter --entity-type brokers --entity-default \
		--add-config transaction.partition.verification.enable=false
	txn hang $t
	configs --alter --entity-type brokers --entity-default \
		--delete-config transaction.partition.verification.enable
	transactions describe-producers --topic $t --partition 0
	transactions find-hanging --topic $t
	transactions find-hanging --topic $t --partition 0
	transactions find-hanging --broker-id 1
	transactions find-hanging --broker-id 7
	transactions find-hanging --topic transactions-none
	transactions abort --topic $t --partition 0 --start-offset 99
	transactions abort --topic $t --partition 0 --start-offset 7
	transactions find-hanging --topic $t
	transactions describe-producers --topic $t --partition 0
	session transactions
}
