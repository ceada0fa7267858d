#!/bin/sh
# klamm storage says and does what Apache Kafka's kafka-storage.sh does:
# tests/e2e/storage.txt is a transcript of Kafka's tool.
#
#     $ klamm storage …
#     what goes to standard output
#     ! what goes to standard error, stack traces as their first line
#     = the exit code
#
# @DIR@ is the directory that it runs in, @ID@ a random id.  Then klamm serves
# on what it has formatted, and finds nothing wrong there.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
klamm=$PWD/klamm
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid"; rm -rf "$dir"' EXIT
cd "$dir"

# properties QUORUM-KEY QUORUM-VALUE
properties() {
	cat <<P
process.roles=broker,controller
node.id=1
$1=$2
listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:39093
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/a,$dir/b
P
}
properties controller.quorum.bootstrap.servers 127.0.0.1:39093 \
	>dynamic.properties
properties controller.quorum.voters 1@127.0.0.1:39093 >static.properties

normal() {
	id='[A-Za-z0-9_-]\{22\}'
	sed "s|$dir/|@DIR@/|g; s|directory.id=$id|directory.id=@ID@|
		s|^$id\$|@ID@|"
}

while read -r dollar command arguments; do
	[ "$dollar" = "\$" ] || continue
	echo "\$ $command $arguments"
	# shellcheck disable=SC2086
	if [ "$command" = rm ]; then
		rm $arguments
		continue
	fi
	code=0
	# shellcheck disable=SC2086
	"$klamm" $arguments >out 2>err || code=$?
	normal <out
	normal <err | sed 's|^|! |'
	echo "= $code"
done <"$srcdir/tests/e2e/storage.txt" >found
diff "$srcdir/tests/e2e/storage.txt" found

# usage ARGUMENTS: are not understood
usage() {
	code=0
	"$klamm" storage "$@" >out 2>err || code=$?
	[ $code = 2 ] && [ ! -s out ] && [ -s err ]
}
usage
usage bogus
usage format -c static.properties
usage format -t x
usage format -c static.properties -t x y
usage format -c dynamic.properties -t x -s -N
usage format -c dynamic.properties -t x -s -I x
usage info
usage feature-dependencies
usage random-uuid x

# Not yet: a line, and nothing is made.
directory=JEXY6aqzQY-32P5TStzaFg
for voters in 2@localhost:9093:$directory 1@localhost:1:$directory,2@localhost:2:$directory; do
	code=0
	"$klamm" storage format -c dynamic.properties -t x -I $voters \
		>out 2>err || code=$?
	[ $code = 1 ] && grep -q 'not supported yet' err && [ ! -e a ]
done

# A directory with somebody's files is left alone.
mkdir a
echo >a/letter
code=0
"$klamm" storage format -c static.properties -t x >out 2>err || code=$?
[ $code = 1 ] && grep -q 'no meta.properties' err && [ ! -e a/meta.properties ]
rm -r a

mkfifo started
for quorum in static dynamic; do
	option=
	[ $quorum = static ] || option="-I 1@127.0.0.1:39093:$directory"
	# shellcheck disable=SC2086
	"$klamm" storage format -c $quorum.properties \
		-t abcdefghijklmnopqrstuv $option \
		-S 'SCRAM-SHA-256=[name=a,password=b]' >out
	snapshot=a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint
	if [ $quorum = static ]; then
		[ ! -e $snapshot ]
	else
		"$klamm" dump-log --deep-iteration --files $snapshot |
			grep -q '"name":"CONTROLLER","host":"127.0.0.1","port":39093'
		grep -qx directory.id=$directory a/meta.properties
	fi
	"$klamm" serve $quorum.properties >started &
	pid=$!
	sed -n '/Kafka Server started/q' started
	kill $pid
	wait $pid
	pid=
	# Who is in bootstrap.checkpoint gets into the metadata.
	"$klamm" dump-log --cluster-metadata-decoder --files \
		a/__cluster_metadata-0/00000000000000000000.log |
		grep -q '"USER_SCRAM_CREDENTIAL_RECORD".*"name":"a"'
	"$klamm" dump-log --deep a b
	rm -r a b
done
