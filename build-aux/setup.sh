# Sourced by ./start and ./check: packages, configure and build, each only
# where it is not done yet, so that a second run is quick and needs no network.

set -eu
cd "$(dirname "$0")"

# have MODULE...: every pkg-config module is installed
have() {
	command -v pkg-config >/dev/null && pkg-config --exists "$@"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_missing PACKAGE...
install_missing() {
	command -v apt-get >/dev/null || {
		echo "please install the equivalents of: $*" >&2
		exit 1
	}
	echo "installing $*"
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

setup_packages() {
	if ! { have 'libevent >= 2.1' 'openssl >= 3.0' liblz4 libzstd zlib \
		jansson && [ -e /usr/include/snappy-c.h ] &&
		command -v autoreconf >/dev/null &&
		command -v automake >/dev/null &&
		command -v make >/dev/null && command -v cc >/dev/null; }; then
		install_missing gcc make autoconf automake pkg-config \
			libevent-dev libssl-dev liblz4-dev libzstd-dev \
			libsnappy-dev zlib1g-dev libjansson-dev
	fi
}

setup_test_packages() {
	if ! { have cmocka rdkafka && command -v python3 >/dev/null; }; then
		install_missing libcmocka-dev librdkafka-dev python3
		# What configure found before no longer holds.
		rm -f Makefile
	fi
}

setup_build() {
	[ -x configure ] || autoreconf -i >/dev/null 2>&1 || autoreconf -i
	[ -f Makefile ] || ./configure -q
	make -s -j"$(nproc)"
}
