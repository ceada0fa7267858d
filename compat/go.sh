# Sourced: Go, and the results of tests written in it.

GO_VERSION=1.26.8

go_make() {
	local module
	module=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$(go env GOARCH)
	cp -r "$(go_fetched "$module" Dir)/." "$1"
	chmod -R u+w "$1"
	chmod +x "$1"/bin/* "$1"/pkg/tool/*/*
}

# use_go: a Go from GO_VERSION is what `go` is from here on.  An older one
# serves to fetch it, as a module.
use_go() {
	local newest
	need go golang-go
	export GOPATH=$CACHE/go GOCACHE=$CACHE/go/build GOTOOLCHAIN=local
	export GOFLAGS='-modcacherw -mod=mod -buildvcs=false'
	newest=$(printf '%s\n' $GO_VERSION "$(cd / && go env GOVERSION |
		sed 's/^go//')" | sort -V | tail -1)
	[ "$newest" != $GO_VERSION ] || [ "$(go env GOVERSION)" = go$GO_VERSION ] ||
		export PATH="$(cached go-$GO_VERSION go_make)/bin:$PATH"
}

# go_fetched MODULE FIELD: a module is in the cache; what `go` says about it
go_fetched() {
	(cd / && go mod download -json "$1") | jq -r ".$2"
}

# go_source MODULE SUM DIRECTORY: a copy of a module that can be written to
go_source() {
	[ "$(go_fetched "$1" Sum)" = "$2" ] || {
		echo "compat: $1 is not the module that was pinned" >&2
		return 1
	}
	cp -r "$(go_fetched "$1" Dir)/." "$3"
	chmod -R u+w "$3"
}

# go_test BINARY OPTIONS: a test binary's events, in JSON; its output besides
# is among them
go_test() {
	"$(cached "test2json-$GO_VERSION" go_test2json_make)/test2json" \
		"$@" 2>&1 || :
}

go_test2json_make() {
	go build -o "$1/test2json" cmd/test2json
}

# go_results [PARENTS] <EVENTS: a line of the results for each test; for those
# whose names match PARENTS, for each of their subtests
go_results() {
	jq -rs --arg parents "^(${1:-})/[^/]+\$" '
		map(select(.Test and ((.Test | contains("/") | not) or
			(.Test | test($parents))))) |
		group_by(.Test)[] |
		(map(.Action | select(. == "pass" or . == "fail" or
			. == "skip")) | last // "fail") as $state |
		(map(.Output | select(. and test("_test.go:|panic"))) |
			last // "" | gsub("[ \t\n]+"; " ") | .[0:120]) as $note |
		[.[0].Test, $state, if $state == "pass" then "" else $note end] |
		@tsv'
}
