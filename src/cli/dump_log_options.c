#include "cli/dump_log_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define MESSAGE_SIZE_MAX_DEFAULT (5 * 1024 * 1024)
#define DECODER_PACKAGE "org.apache.kafka.tools.api."

enum {
	OPTION_FILES = 256,
	OPTION_PRINT_DATA_LOG,
	OPTION_DEEP_ITERATION,
	OPTION_VERIFY_INDEX_ONLY,
	OPTION_INDEX_SANITY_CHECK,
	OPTION_MAX_MESSAGE_SIZE,
	OPTION_MAX_BYTES,
	OPTION_SKIP_RECORD_METADATA,
	OPTION_KEY_DECODER_CLASS,
	OPTION_VALUE_DECODER_CLASS,
	OPTION_OFFSETS_DECODER,
	OPTION_TRANSACTION_LOG_DECODER,
	OPTION_CLUSTER_METADATA_DECODER,
	OPTION_REMOTE_LOG_METADATA_DECODER,
	OPTION_SHARE_GROUP_STATE_DECODER,
	OPTION_DEEP,
};

static const struct option long_options[] = {
	{ "files", required_argument, NULL, OPTION_FILES },
	{ "print-data-log", no_argument, NULL, OPTION_PRINT_DATA_LOG },
	{ "deep-iteration", no_argument, NULL, OPTION_DEEP_ITERATION },
	{ "verify-index-only", no_argument, NULL, OPTION_VERIFY_INDEX_ONLY },
	{ "index-sanity-check", no_argument, NULL, OPTION_INDEX_SANITY_CHECK },
	{ "max-message-size", required_argument, NULL,
	    OPTION_MAX_MESSAGE_SIZE },
	{ "max-bytes", required_argument, NULL, OPTION_MAX_BYTES },
	{ "skip-record-metadata", no_argument, NULL,
	    OPTION_SKIP_RECORD_METADATA },
	{ "key-decoder-class", required_argument, NULL,
	    OPTION_KEY_DECODER_CLASS },
	{ "value-decoder-class", required_argument, NULL,
	    OPTION_VALUE_DECODER_CLASS },
	{ "offsets-decoder", no_argument, NULL, OPTION_OFFSETS_DECODER },
	{ "transaction-log-decoder", no_argument, NULL,
	    OPTION_TRANSACTION_LOG_DECODER },
	{ "cluster-metadata-decoder", no_argument, NULL,
	    OPTION_CLUSTER_METADATA_DECODER },
	{ "remote-log-metadata-decoder", no_argument, NULL,
	    OPTION_REMOTE_LOG_METADATA_DECODER },
	{ "share-group-state-decoder", no_argument, NULL,
	    OPTION_SHARE_GROUP_STATE_DECODER },
	{ "deep", no_argument, NULL, OPTION_DEEP },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char *
dump_log_options_help(void)
{
	return "usage: klamm dump-log --files FILE,... [options]\n"
	       "       klamm dump-log --deep DIR...\n"
	       "\n"
	       "  --files FILE,...             .log, .checkpoint, .index, "
	       ".timeindex, .txnindex\n"
	       "                               and .snapshot files to print\n"
	       "  --deep-iteration             the records of batches, too\n"
	       "  --print-data-log             with their keys and values\n"
	       "  --skip-record-metadata       keys and values alone\n"
	       "  --key-decoder-class CLASS    keys are not text: "
	       DECODER_PACKAGE "\n"
	       "  --value-decoder-class CLASS  IntegerDecoder or LongDecoder\n"
	       "  --offsets-decoder            records are those of "
	       "__consumer_offsets\n"
	       "  --transaction-log-decoder    of __transaction_state\n"
	       "  --cluster-metadata-decoder   of __cluster_metadata\n"
	       "  --remote-log-metadata-decoder of __remote_log_metadata\n"
	       "  --share-group-state-decoder  of __share_group_state\n"
	       "  --max-bytes N                of each log file\n"
	       "  --max-message-size N         largest batch that an index may "
	       "point to\n"
	       "  --verify-index-only          verify indexes, do not print "
	       "them\n"
	       "  --index-sanity-check         only what a start would check "
	       "of indexes\n"
	       "  --deep DIR...                verify whole data directories\n"
	       "  -h, --help                   this text\n"
	       "\n"
	       "Options and output are those of Apache Kafka's "
	       "kafka-dump-log.sh.  Files are only\n"
	       "read.  --deep prints a line for each problem and their number, "
	       "and exits with 1\n"
	       "where there is one.\n";
}

static int
parse_number(const char *text, int32_t *number)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 0 ||
	    value > INT32_MAX) {
		fprintf(stderr, "klamm: %s: not a size\n", text);
		return -1;
	}
	*number = (int32_t)value;
	return 0;
}

/* Those of Kafka's classes that print what is in the record. */
static int
set_type(struct dump_log_options *options, enum dump_log_type *type,
    const char *name)
{
	static const char *const classes[] = {
		[DUMP_LOG_TYPE_TEXT] = DECODER_PACKAGE "StringDecoder",
		[DUMP_LOG_TYPE_INTEGER] = DECODER_PACKAGE "IntegerDecoder",
		[DUMP_LOG_TYPE_LONG] = DECODER_PACKAGE "LongDecoder",
	};

	options->print_data = true;
	for (size_t i = 0; i < COUNT_OF(classes); i++)
		if (strcmp(name, classes[i]) == 0) {
			*type = (enum dump_log_type)i;
			return 0;
		}
	fprintf(stderr, "klamm: %s: only StringDecoder, IntegerDecoder and "
	    "LongDecoder of " DECODER_PACKAGE "* are there\n", name);
	return -1;
}

/*
 * Of several decoders Kafka takes the first of its own list, which is the
 * order of the enumeration.
 */
static int
set_decoder(struct dump_log_options *options, enum dump_log_decoder decoder)
{
	if (options->decoder == DUMP_LOG_DECODER_TEXT ||
	    decoder < options->decoder)
		options->decoder = decoder;
	options->print_data = true;
	return 0;
}

static int
take_option(struct dump_log_options *options, int option,
    const char *argument)
{
	switch (option) {
	case OPTION_FILES:
		options->files = argument;
		return 0;
	case OPTION_PRINT_DATA_LOG:
		options->print_data = true;
		return 0;
	case OPTION_DEEP_ITERATION:
		options->deep_iteration = true;
		return 0;
	case OPTION_VERIFY_INDEX_ONLY:
		options->verify_index_only = true;
		return 0;
	case OPTION_INDEX_SANITY_CHECK:
		options->index_sanity_check = true;
		return 0;
	case OPTION_MAX_MESSAGE_SIZE:
		return parse_number(argument, &options->max_message_size);
	case OPTION_MAX_BYTES:
		return parse_number(argument, &options->max_bytes);
	case OPTION_SKIP_RECORD_METADATA:
		options->skip_record_metadata = true;
		return 0;
	case OPTION_KEY_DECODER_CLASS:
		return set_type(options, &options->key_type, argument);
	case OPTION_VALUE_DECODER_CLASS:
		return set_type(options, &options->value_type, argument);
	case OPTION_OFFSETS_DECODER:
		return set_decoder(options, DUMP_LOG_DECODER_OFFSETS);
	case OPTION_TRANSACTION_LOG_DECODER:
		return set_decoder(options, DUMP_LOG_DECODER_TRANSACTION);
	case OPTION_CLUSTER_METADATA_DECODER:
		return set_decoder(options, DUMP_LOG_DECODER_METADATA);
	case OPTION_REMOTE_LOG_METADATA_DECODER:
		return set_decoder(options, DUMP_LOG_DECODER_REMOTE);
	case OPTION_SHARE_GROUP_STATE_DECODER:
		return set_decoder(options, DUMP_LOG_DECODER_SHARE);
	case OPTION_DEEP:
		options->deep = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	default:
		return -1;	/* getopt has said why */
	}
}

static int
check(const struct dump_log_options *options)
{
	if (options->help)
		return 0;
	if (options->deep && options->files != NULL)
		fprintf(stderr, "klamm: --deep takes directories, not "
		    "--files\n");
	else if (options->deep && options->directories_count == 0)
		fprintf(stderr, "klamm: --deep: which directory?\n");
	else if (!options->deep && options->files == NULL)
		fprintf(stderr, "klamm: --files is missing (klamm dump-log "
		    "--help)\n");
	else if (!options->deep && options->directories_count > 0)
		fprintf(stderr, "klamm: %s: files are listed behind --files\n",
		    options->directories[0]);
	else
		return 0;
	return -1;
}

int
dump_log_options_parse(struct dump_log_options *options, int argc, char **argv)
{
	int option;

	*options = (struct dump_log_options){
		.max_message_size = MESSAGE_SIZE_MAX_DEFAULT,
		.max_bytes = INT32_MAX,
	};
	optind = 1;
	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) !=
	    -1)
		if (take_option(options, option, optarg) != 0)
			return -1;
	options->directories = argv + optind;
	options->directories_count = argc - optind;
	if (options->print_data)
		options->deep_iteration = true;
	return check(options);
}
