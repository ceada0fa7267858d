#!/bin/sh
# What the house style can have checked: layers, prefixes of what a file
# exports, banned functions, and the shape of lines.  Needs no more than a
# POSIX shell, awk and nm; runs in make check with srcdir set.
set -u
srcdir=${srcdir:-.}
builddir=$PWD
cd "$srcdir" || exit 1
complaints=$(mktemp)
trap 'rm -f "$complaints" "$complaints.prefixes"' EXIT

# check NAME: what comes in on standard input are offenders
check() {
	sed "s|^|tidy: $1: |" >>"$complaints"
}

sources() {
	find src tests -name '*.[ch]' ! -path '*/generated/*' | sort
}

# A layer includes itself and those to its left.
layers='base wire net store meta broker auth coord api cli'
awk -v layers="$layers" '
	BEGIN { n = split(layers, l, " "); for (i = 1; i <= n; i++) rank[l[i]] = i }
	/^#include "/ {
		split(FILENAME, path, "/")
		from = path[2]
		split($2, parts, /["\/]/)
		to = parts[2]
		if ((to in rank) && (from in rank) &&
		    rank[to] > rank[from])
			print FILENAME ": includes " $2
	}
' $(find src -mindepth 2 -name '*.[ch]') | check 'a layer looks to its right'

# What a file exports begins with its own name or with the first word of it:
# log_append.c exports log_*.  A few files have a prefix of their own.
first_word() {
	name=${1##*/}
	echo "${name%%_*}_"
}
prefix_of() {
	case $1 in
	base/base | base/bytes) echo '' ;;
	wire/decode | wire/encode | wire/message | wire/codec | wire/error | \
		wire/json | wire/generated/*) echo 'kp_' ;;
	meta/broker_ops) echo 'broker_ops_|[a-z]*_broker_op_' ;;
	meta/config_describe) echo 'configs_' ;;
	api/*) echo "api_|request_|$(first_word "$1")" ;;
	*) first_word "$1" ;;
	esac
}
# objects: those of src that have been built, as folder/name
objects() {
	(cd "$builddir/src" && find . -mindepth 2 -name '*.o') |
		sed 's,^\./,,; s,\.o$,,' | while read -r file; do
		[ ! -f "src/$file.c" ] || echo "$file"
	done
}
if [ -d "$builddir/src/base" ] && command -v nm >/dev/null; then
	for file in $(objects); do
		printf '%s %s\n' "$file" "$(prefix_of "$file")"
	done >"$complaints.prefixes"
	awk '{ print $1 ".o" }' "$complaints.prefixes" |
		(cd "$builddir/src" && xargs nm -A --defined-only -g) \
			2>/dev/null |
		awk '
			FNR == NR { prefix[$1] = $2; next }
			{ file = $1; sub(/\.o:.*/, "", file) }
			prefix[file] == "" || NF != 3 || $2 !~ /[TDRB]/ { next }
			$3 ~ /^(__|_GLOBAL)/ { next }
			$3 "_" !~ "^(" prefix[file] ")" { print file ": " $3 }
		' "$complaints.prefixes" - |
		check 'an export without its file'"'"'s prefix'
fi

# Functions that have a better one, or that belong behind a seam.
banned='gets|strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|alloca|rand|srand|sleep|system|popen|time'
# calls NAMES: where they are called, not in comments nor in strings
calls() {
	grep -nE "\b($1) ?\(" $(find src -name '*.c' ! -path '*/generated/*') \
		/dev/null | sed 's/"\([^"\\]\|\\.\)*"/""/g' |
		grep -E "\b($1) ?\(" |
		grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)'
}
calls "$banned" | check 'a banned function'
calls 'clock_gettime|gettimeofday' | grep -v '^src/base/clock.c:' |
	check 'the clock without base/clock.h'

# Lines: 80 columns with tabs of 8 and bytes as columns, no trailing blanks,
# tabs to indent.
sources | xargs awk '
	{
		line = $0
		width = 0
		for (i = 1; i <= length(line); i++)
			if (substr(line, i, 1) == "\t")
				width += 8 - width % 8
			else
				width++
		# Generated names can be longer than a line.
		if (width > (line ~ /kp_[a-z_]*_(request|response)/ ? 100 : 80))
			print FILENAME ":" FNR ": " width " columns"
	}
	/[ \t]+$/ { print FILENAME ":" FNR ": trailing blanks" }
	/^        / { print FILENAME ":" FNR ": blanks instead of tabs" }
' | check 'the shape of a line'

cat "$complaints"
[ ! -s "$complaints" ]
