#!/bin/sh
# The binary is what the compiler's hardening flags make of it: position
# independent, with read-only relocations, no executable stack, guarded frames
# and checked copies.  A build with sanitizers has its own checks.
set -eu
klamm=${KLAMM:-./klamm}
if ! command -v readelf >/dev/null; then
	echo "readelf is not there" >&2
	exit 77
fi
symbols=$(readelf -W --dyn-syms "$klamm")
case $symbols in
*__asan_* | *__tsan_* | *__ubsan_*) exit 77 ;;
esac
result=0

want() {
	if ! printf '%s\n' "$2" | grep -q "$3"; then
		echo "$klamm: no $1" >&2
		result=1
	fi
}

segments=$(readelf -W -l "$klamm")
dynamic=$(readelf -W -d "$klamm")
want 'position independence' "$(readelf -h "$klamm")" 'Type: *DYN'
want 'read-only relocations' "$segments" 'GNU_RELRO'
want 'binding at the start' "$dynamic" 'BIND_NOW\|FLAGS_1.*NOW'
want 'guarded frames' "$symbols" '__stack_chk_fail'
want 'stack without code' "$segments" 'GNU_STACK.* RW '
# Without optimisation the C library checks nothing.
case " ${CFLAGS:-} " in
*' -O0 '*) ;;
*) want 'checked copies' "$symbols" '__[a-z]*_chk' ;;
esac
exit $result
