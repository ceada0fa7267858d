# Sourced: where downloads and builds live, and how they get there.  What is
# in the cache is complete: it is made beside its place and moved there last.
# The recipe's own text is part of its name: what it made when that was another
# is not used.

CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm-compat}

# cached NAME FUNCTION: print the place below $CACHE of what FUNCTION DIRECTORY
# made, if need be just now
cached() {
	local recipe place made
	recipe=$(declare -f "$2" | cksum)
	place=$CACHE/$1-${recipe%% *}
	if [ ! -d "$place" ]; then
		mkdir -p "$CACHE"
		made=$(mktemp -d "$CACHE/.making-XXXXXX")
		echo "compat: making $place" >&2
		"$2" "$made" >"$made.log" 2>&1 || {
			tail -5 "$made.log" >&2
			echo "compat: $2 failed, see $made.log" >&2
			rm -rf "$made"
			return 1
		}
		chmod 755 "$made"
		mv "$made" "$place"
		mv "$made.log" "$place/.log"
	fi
	echo "$place"
}

# need COMMAND PACKAGE: a program that a member cannot do without
need() {
	command -v "$1" >/dev/null || {
		echo "compat: no $1 here; Debian has it in $2" >&2
		return 1
	}
}

# need_header HEADER PACKAGE: the same for what a build includes
need_header() {
	g++ -E -x c++ - <<<"#include <$1>" >/dev/null 2>&1 || {
		echo "compat: no <$1> here; Debian has it in $2" >&2
		return 1
	}
}

# sha256_is FILE DIGEST: what was downloaded is what was pinned
sha256_is() {
	echo "$2  $1" | sha256sum --check --status || {
		echo "compat: $1 is not the file that was pinned" >&2
		return 1
	}
}
