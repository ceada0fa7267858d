# Sourced by run.sh: members of classic and consumer groups come and go.

# grown PROTOCOL [KEY=VALUE]: a group of that protocol that comes and goes, of
# two members, the second with that setting
grown() {
	local g=$1-g t=$1-t u=$1-u
	data topic $t 4
	data topic $u 1
	data produce $t 0 5
	data produce $t 1 3
	groups --describe --group $g
	groups --describe --group $g --state
	groups --describe --group $g --members
	groups --delete --group $g
	groups --delete-offsets --group $g --topic $t
	member join $1-a $g $1 $t
	member has $1-a 4
	comes $g Stable
	member read $1-a 8
	all_of groups $g
	member join $1-b $g $1 $t "${@:2}"
	member has $1-b 2
	member has $1-a 2
	comes $g Stable
	all_of groups $g
	groups --list
	groups --list --state
	groups --list --state stable
	groups --list --state Empty,Stable
	groups --list --state nonsense
	groups --list --type
	groups --list --type $1
	groups --list --type consumer,classic --state
	groups --list --type share
	groups --list --type nonsense
	all_groups --list
	all_groups --list --consumer
	all_groups --list --group-type $1
	all_groups --list --protocol consumer
	all_groups --list --protocol nonsense
	groups --delete --group $g
	groups --delete-offsets --group $g --topic $t
	groups --delete-offsets --group $g --topic $u
	groups --delete-offsets --group $g --topic $1-none
	groups --reset-offsets --group $g --topic $t --to-earliest --execute
	groups --reset-offsets --group $g --topic $t --to-earliest --dry-run
	member leave $1-b
	member has $1-a 4
	comes $g Stable
	member leave $1-a
	comes $g Empty
	all_of groups $g
	groups --delete-offsets --group $g --topic $t:0
	groups --delete-offsets --group $g --topic $t:0,1 --topic $1-none
	groups --describe --group $g
	groups --delete --group $g --group $1-none
	groups --list
	groups --describe --group $g
}

test_classic() {
	grown classic
	session classic
}

test_consumer() {
	grown consumer
	session consumer
}

# Members with a name of their own, which do not say that they leave.
statics() {
	local g=static-$1 short='session.timeout.ms=8000 heartbeat.interval.ms=300'
	[ "$1" = classic ] || short=
	data topic $g 2
	member join $g-a $g $1 $g group.instance.id=a $short
	member has $g-a 2
	comes $g Stable
	member join $g-b $g $1 $g group.instance.id=b $short
	member has $g-b 1
	member has $g-a 1
	comes $g Stable
	all_of groups $g
	member leave $g-b
	groups --describe --group $g --members
	member join $g-c $g $1 $g group.instance.id=b $short
	member has $g-c 1
	groups --describe --group $g --members --verbose
	groups --describe --group $g --state --verbose
	member join $g-d $g $1 $g group.instance.id=b $short
	[ "$1" = consumer ] || {
		member has $g-d 1
		member ends $g-c
		groups --describe --group $g --members --verbose
		groups --describe --group $g --state --verbose
		member leave $g-d
	}
	[ "$1" = classic ] || {
		member ends $g-d
		member leave $g-c
	}
	member has $g-a 2
	comes $g Stable
	groups --describe --group $g --members
	member leave $g-a
}

test_static() {
	configs --alter --entity-type groups --entity-name static-consumer \
		--add-config consumer.session.timeout.ms=8000
	statics classic
	statics consumer
	session static
}

# A group becomes another kind of group with its members.
test_migrated() {
	local g=migrated-g t=migrated-t
	data topic $t 2
	data produce $t 0 4
	member join m-a $g classic $t
	member has m-a 2
	member read m-a 4
	member join m-b $g consumer $t
	member has m-a 1
	member has m-b 1
	comes $g Stable
	all_of groups $g
	groups --list --type consumer
	member leave m-a
	member has m-b 2
	comes $g Stable
	all_of groups $g
	member join m-c $g classic $t
	member has m-c 1
	member leave m-b
	member has m-c 2
	comes $g Stable
	all_of groups $g
	groups --list --type classic
	member leave m-c
	comes $g Empty
	all_of groups $g
	session migrated
}

# Patterns, which the broker resolves for one protocol and the client for the
# other.
test_pattern() {
	local p
	for p in classic consumer; do
		data topic pattern-$p-a 1
		member join pattern-$p pattern-$p $p "^pattern-$p-.*" \
			metadata.max.age.ms=500
		member has pattern-$p 1
		data topic pattern-$p-b 2
		member has pattern-$p 3
		comes pattern-$p Stable
		all_of groups pattern-$p
		groups --delete-offsets --group pattern-$p --topic pattern-$p-b
		topics --delete --topic pattern-$p-a
		member has pattern-$p 2
		comes pattern-$p Stable
		groups --describe --group pattern-$p
		groups --describe --group pattern-$p --members
		member leave pattern-$p
	done
	groups --validate-regex 'a.*'
	groups --validate-regex 'a['
	session pattern
}
