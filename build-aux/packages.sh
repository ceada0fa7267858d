# Sourced: Debian packages, installed where something is missing.

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install PACKAGE...
install_packages() {
	command -v apt-get >/dev/null || {
		echo "please install the equivalents of: $*" >&2
		return 1
	}
	echo "installing $*"
	as_root apt-get update -qq &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends "$@" \
			>/dev/null
}

# install_commands COMMAND:PACKAGE...: the packages of commands not there
install_commands() {
	packages=
	for pair; do
		command -v "${pair%%:*}" >/dev/null ||
			packages="$packages ${pair#*:}"
	done
	# shellcheck disable=SC2086
	[ -z "$packages" ] || install_packages $packages
}
