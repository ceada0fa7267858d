# Sourced by ./start and ./check: packages, configure and build, each only
# where it is not done yet, so that a second run is quick and needs no network.

set -eu
invoked_in=$PWD
cd "$(dirname "$0")"
. build-aux/packages.sh

# have MODULE...: every pkg-config module is installed
have() {
	command -v pkg-config >/dev/null && pkg-config --exists "$@"
}

setup_packages() {
	have 'libevent >= 2.1' 'openssl >= 3.0' liblz4 libzstd zlib jansson \
		libxxhash &&
		[ -e /usr/include/snappy-c.h ] && command -v cc >/dev/null ||
		install_packages gcc libc6-dev make pkg-config libevent-dev \
			libssl-dev liblz4-dev libzstd-dev libsnappy-dev \
			zlib1g-dev libjansson-dev libxxhash-dev
	install_commands make:make
	[ -x configure ] ||
		install_commands autoreconf:autoconf automake:automake
}

setup_test_packages() {
	have cmocka rdkafka ||
		install_packages libcmocka-dev librdkafka-dev
	install_commands python3:python3
	# Configured when they were not there yet?  With the same options then.
	if [ -f Makefile ] && ! grep -q '^HAVE_RDKAFKA_TRUE = *$' Makefile; then
		./config.status -q --recheck && ./config.status -q
	fi
}

setup_build() {
	[ -x configure ] || autoreconf -i >/dev/null 2>&1 || autoreconf -i
	[ -f Makefile ] || ./configure -q
	make -s -j"$(nproc)"
}
