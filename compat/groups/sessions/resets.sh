# Sourced by run.sh: offsets of groups that nobody is a member of.

# moves GROUP TOPIC ARGUMENTS: in each way of executing
moves() {
	groups --reset-offsets --group "$1" --topic "$2" "${@:3}" --execute
}

# resets PROTOCOL: all kinds of resets
resets() {
	local g=reset-$1 t=reset-$1-t u=reset-$1-u kind
	data topic $t 3
	data topic $u 1
	data produce $t 0 8
	data produce $t 1 4
	data produce $u 0 2
	echo '{"version": 1, "partitions": [{"topic": "'$t'", "partition": 0,
		"offset": 2}]}' >$t.json
	printf '%s\n' $t,0,5 $t,1,1 $u,0,2 >$t.csv
	on delete-records $TOOLS.DeleteRecordsCommand --offset-json-file $t.json
	moves $g $t:0 --to-earliest --dry-run
	groups --reset-offsets --group $g --topic $t --to-earliest --dry-run
	groups --reset-offsets --group $g --topic $t --to-earliest
	groups --describe --group $g
	[ "$1" = simple ] || {
		member join $g-a $g $1 $t,$u
		member has $g-a 4
		member read $g-a 12
		moves $g $t --to-earliest
		moves $g $t:0 --to-offset 4
		groups --delete --group $g
		groups --delete-offsets --group $g --topic $t
		member leave $g-a
		comes $g Empty
	}
	for kind in --to-earliest --to-latest '--to-offset 4' \
		'--shift-by 2' '--shift-by -100' '--shift-by 100' \
		'--to-offset 1' '--to-offset 100' --to-current \
		'--by-duration P36500D' '--by-duration PT1H' \
		'--to-datetime 2024-01-01T00:00:03.000Z' \
		'--to-datetime 2024-01-01T00:00:00.000+00:00' \
		'--to-datetime 2030-01-01T00:00:00.000' \
		'--to-datetime nonsense' '--by-duration nonsense' \
		'--to-offset -1' "--from-file $t.csv" \
		'--from-file none.csv'; do
		moves $g $t $kind
	done
	groups --describe --group $g
	groups --describe --group $g --offsets --verbose
	groups --describe --group $g --state
	moves $g $t:1 --to-earliest
	moves $g $t:1,2 --to-latest --topic $u
	moves $g $t:7 --to-latest
	moves $g $t:0,7 --to-latest
	moves $g reset-none --to-latest
	groups --reset-offsets --group $g --all-topics --to-earliest --execute
	groups --reset-offsets --group $g --from-file $t.csv --execute
	groups --reset-offsets --group $g --all-topics --to-current --export
	groups --reset-offsets --group $g --group reset-$1-other --topic $u \
		--to-latest --execute
	groups --describe --group $g --group reset-$1-other
	groups --reset-offsets --group $g --group reset-$1-other --all-topics \
		--to-current --export --dry-run
	groups --list --state
	groups --delete-offsets --group $g --topic $t:2 --topic $u
	groups --delete-offsets --group $g --topic $t:2
	groups --delete-offsets --group $g --topic $t:9
	groups --delete-offsets --group $g --topic reset-none
	groups --delete-offsets --group reset-none --topic $t
	groups --describe --group $g
	topics --delete --topic $u
	comes reset-$1-other gone
	groups --describe --group $g --group reset-$1-other
	groups --delete --group $g
	groups --delete --group $g
	groups --describe --group $g
	groups --delete --group reset-$1-other --group reset-none
	groups --list
}

test_reset() {
	resets simple
	resets classic
	resets consumer
	session reset
}
