# Sourced by run.sh: streams groups.

test_streams() {
	local g=streams-g t=streams-t scope='--input-topic streams-t'
	data topic $t 2
	data topic streams-o 2
	data produce $t 0 5
	data produce $t 1 3
	all_of streams $g
	streams --delete --group $g
	streams --reset-offsets --group $g $scope --to-earliest --execute
	app start streams-a $g $t streams-o
	app has streams-a 4
	comes $g Stable
	step await Group caught-up $g 4
	all_of streams $g
	topics --list
	groups --describe --group $g
	streams --list
	streams --list --state
	streams --list --state stable
	streams --list --state NotReady,Empty
	streams --list --state nonsense
	all_groups --list
	all_groups --list --streams
	app start streams-b $g $t streams-o
	app has streams-a 2
	app has streams-b 2
	comes $g Stable
	streams --describe --group $g --state --verbose
	streams --delete --group $g
	streams --reset-offsets --group $g $scope --to-earliest --execute
	streams --reset-offsets --group $g $scope --to-earliest --dry-run
	streams --delete-offsets --group $g $scope
	app stop streams-b
	app has streams-a 4
	comes $g Stable
	app stop streams-a
	comes $g Empty
	all_of streams $g
	streams --reset-offsets --group $g $scope --to-earliest --dry-run
	streams --reset-offsets --group $g $scope --to-offset 2 --execute
	streams --describe --group $g
	topics --list
	streams --reset-offsets --group $g --all-input-topics --shift-by 1 --execute
	streams --reset-offsets --group $g $scope --to-current --dry-run --export
	streams --reset-offsets --group $g $scope --by-duration P1D --execute
	streams --reset-offsets --group $g $scope --to-datetime \
		2024-01-01T00:00:02.000 --execute
	streams --describe --group $g
	streams --reset-offsets --group $g --input-topic streams-none \
		--to-earliest --execute
	streams --delete-offsets --group $g --input-topic $t:0
	streams --delete-offsets --group $g --input-topic streams-none
	streams --describe --group $g
	streams --delete --group $g --group streams-none --delete-all-internal-topics
	streams --list
	topics --list
	all_of streams $g
	session streams
}
