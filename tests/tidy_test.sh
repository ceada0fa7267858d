#!/bin/sh
# tidy.sh finds what it is there to find: each offence of a small tree, and
# nothing in a clean one.
set -u
tidy=$(cd "${srcdir:-.}" && pwd)/tests/tidy.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

mkdir -p "$tree/src/base" "$tree/src/net" "$tree/tests"
cd "$tree" || exit 1

# wants TEXT: the complaints have a line with it
wants() {
	grep -qF "$1" complaints && return
	echo "no complaint: $1"
	failed=1
}

cat >src/net/clean.c <<'END'
#include "base/base.h"

/*
 * strcpy(to, from) would not do, nor gettimeofday(&now, NULL).
 */
static const char text[] = "strcpy(\"a\", b); time(NULL)";
END
if ! srcdir=. sh "$tidy" >complaints; then
	echo 'complaints about a clean tree:'
	cat complaints
	failed=1
fi

cat >src/base/bad.c <<'END'
#include "net/clean.h"
	strcpy(name, "localhost");
	say("now"), sleep (1);
	clock_gettime(CLOCK_REALTIME, &now);
END
printf '\tint trailing; \n        int blanks;\n' >src/base/shape.c
printf '\tint %080d;\n' 0 >tests/wide.c
echo 'void stray(void); void stray(void) {}' |
	${CC:-cc} -x c -c -o src/base/bad.o - 2>/dev/null || rm -f src/base/bad.o
srcdir=. sh "$tidy" >complaints && failed=1
wants 'a layer looks to its right: src/base/bad.c: includes "net/clean.h"'
wants 'a banned function: src/base/bad.c:2:'
wants 'a banned function: src/base/bad.c:3:'
wants 'the clock without base/clock.h: src/base/bad.c:4:'
wants 'src/base/shape.c:1: trailing blanks'
wants 'src/base/shape.c:2: blanks instead of tabs'
wants 'tests/wide.c:1: 93 columns'
[ ! -f src/base/bad.o ] ||
	wants "an export without its file's prefix: base/bad: stray"
exit $failed
