/*
 * klamm: Apache Kafka's wire, disk and cluster contract in one binary.
 */
#include <stdio.h>

#include "base/base.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "config.h"

static const struct command *const commands[] = {
	&serve_command,
	&dump_log_command,
	&storage_command,
};

static void
print_help(FILE *out)
{
	fputs("usage: klamm COMMAND [arguments]\n\n", out);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(out, "  %-9s  %s (klamm %s --help)\n",
		    commands[i]->name, commands[i]->summary,
		    commands[i]->name);
	fputs("\n"
	      "  --version  say which klamm this is, and which Kafka it is "
	      "like\n"
	      "  --help     this text\n",
	    out);
}

static int
usage(void)
{
	print_help(stderr);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	char program[] = "klamm";

	if (argc < 2)
		return usage();
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(argv[1], commands[i]->name) == 0) {
			argv[1] = program;
			return commands[i]->run(argc - 1, argv + 1);
		}
	if (strcmp(argv[1], "--version") == 0) {
		puts("klamm " PACKAGE_VERSION " (Apache Kafka 4.3)");
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	fprintf(stderr, "klamm: there is no command %s\n", argv[1]);
	return usage();
}
