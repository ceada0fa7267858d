/*
 * The command line of `klamm dump-log`: that of Kafka's kafka-dump-log.sh,
 * and --deep.
 */
#ifndef CLI_DUMP_LOG_OPTIONS_H
#define CLI_DUMP_LOG_OPTIONS_H

#include "base/base.h"

/* How keys and values are printed. */
enum dump_log_decoder {
	DUMP_LOG_DECODER_TEXT,		/* as UTF-8 */
	DUMP_LOG_DECODER_OFFSETS,	/* of __consumer_offsets */
	DUMP_LOG_DECODER_TRANSACTION,	/* of __transaction_state */
	DUMP_LOG_DECODER_METADATA,	/* of __cluster_metadata */
	DUMP_LOG_DECODER_REMOTE,	/* of __remote_log_metadata */
	DUMP_LOG_DECODER_SHARE,		/* of __share_group_state */
};

/* What keys or values are where no decoder is for all of the record. */
enum dump_log_type {
	DUMP_LOG_TYPE_TEXT,		/* UTF-8 */
	DUMP_LOG_TYPE_INTEGER,		/* 4 bytes, big-endian */
	DUMP_LOG_TYPE_LONG,		/* 8 bytes */
};

struct dump_log_options {
	const char *files;		/* separated by commas; NULL: none */
	enum dump_log_decoder decoder;
	enum dump_log_type key_type;
	enum dump_log_type value_type;
	bool print_data;
	bool deep_iteration;		/* also with print_data */
	bool skip_record_metadata;
	bool verify_index_only;
	bool index_sanity_check;
	int32_t max_message_size;
	int32_t max_bytes;
	/* --deep: verify whole data directories instead, borrowed from argv. */
	bool deep;
	char **directories;
	int directories_count;
	bool help;
};

/*
 * Read the arguments behind "dump-log", which are borrowed.  -1 with a line on
 * standard error where they are not understood.
 */
int dump_log_options_parse(struct dump_log_options *options, int argc,
    char **argv) WARN_UNUSED;

/* What --help prints. */
const char *dump_log_options_help(void);

#endif
