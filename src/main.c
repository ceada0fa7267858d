/*
 * klamm: Apache Kafka's wire, disk and cluster contract in one binary.
 */
#include <stdio.h>

#include "base/base.h"
#include "cli/exit_code.h"
#include "cli/serve.h"
#include "config.h"

static const char help[] =
    "usage: klamm COMMAND [arguments]\n"
    "\n"
    "  serve      run a broker (klamm serve --help)\n"
    "\n"
    "  --version  say which klamm this is, and which Kafka it is like\n"
    "  --help     this text\n";

static int
usage(void)
{
	fputs(help, stderr);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	if (strcmp(argv[1], "serve") == 0)
		return serve(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0) {
		puts("klamm " PACKAGE_VERSION " (Apache Kafka 4.3)");
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(help, stdout);
		return EXIT_OK;
	}
	fprintf(stderr, "klamm: there is no command %s\n", argv[1]);
	return usage();
}
