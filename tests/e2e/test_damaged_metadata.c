/*
 * Records about security in the metadata log that are cut, changed or of a kind
 * that nobody knows, in batches that are whole: each start either serves, or
 * is refused with a line that names the file.  None ends in a crash.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "cli/whole_file.h"
#include "e2e/broker_process.h"
#include "meta/metadata_record.h"
#include "wire/batch_builder.h"
#include "wire/generated/metadata_access_control_entry_record.h"
#include "wire/generated/metadata_client_quota_record.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_delegation_token_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

#include <fcntl.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG "data/__cluster_metadata-0/00000000000000000000.log"
#define LOG_LEN_MAX ((size_t)16 << 20)

/* Where the version and the body of a framed record begin. */
#define VERSION_AT 2
#define BODY_AT 3

/* One that has run and was stopped; each test goes on from its files. */
static struct broker_process before;

static void
configure(struct broker_process *broker)
{
	static const char *const settings[] = {
		"listeners=SASL_PLAINTEXT://127.0.0.1:0",
		"sasl.enabled.mechanisms=SCRAM-SHA-256",
		"listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config="
		"org.apache.kafka.common.security.scram.ScramLoginModule "
		"required;",
		("authorizer.class.name=org.apache.kafka.metadata.authorizer."
		 "StandardAuthorizer"),
		"delegation.token.secret.key=secret",
	};

	broker_process_init(broker);
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		broker_process_argument(broker, "--override");
		broker_process_argument(broker, settings[i]);
	}
}

static int
set_up(void **state UNUSED)
{
	configure(&before);
	broker_process_restart(&before);
	broker_process_stop(&before);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	broker_process_fini(&before);
	return 0;
}

/* --- The log -------------------------------------------------------------- */

/* Offset and epoch that a batch behind those of the log has. */
static struct batch_options
options_behind(const uint8_t *bytes, size_t len)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	while (len > BATCH_HEADER_LEN) {
		size_t batch_len = 12 + (size_t)be32_get(bytes + 8);

		options.base_offset = (int64_t)be64_get(bytes) +
		    (int32_t)be32_get(bytes + 23) + 1;
		options.leader_epoch = (int32_t)be32_get(bytes + 12);
		assert_true(batch_len <= len);
		bytes += batch_len;
		len -= batch_len;
	}
	return options;
}

static void
append(const struct broker_process *broker, struct slice value)
{
	char *path = xasprintf("%s/" LOG, broker->directory);
	struct batch_builder builder;
	struct batch_options options;
	struct buf batch;
	uint8_t *bytes;
	size_t len;
	int fd;

	bytes = whole_file_read(NULL, path, LOG_LEN_MAX, &len);
	assert_non_null(bytes);
	options = options_behind(bytes, len);
	buf_init(&batch, LOG_LEN_MAX);
	batch_builder_init(&builder, &options, &batch);
	assert_int_equal(
	    batch_builder_add(&builder, 1, SLICE_NULL, value), 0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, batch.data, batch.len), batch.len);
	close(fd);
	buf_fini(&batch);
	free(bytes);
	free(path);
}

enum outcome { SERVED, REFUSED };

static bool
await(struct broker_process *broker)
{
	char *port = xasprintf("%s/port", broker->directory);
	bool serves = false;
	int status = 0;

	while (!serves && waitpid(broker->pid, &status, WNOHANG) == 0) {
		serves = access(port, F_OK) == 0;
		usleep(1000);
	}
	free(port);
	if (serves)
		return true;
	broker->pid = 0;
	/* It has ended by itself, and knows why. */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	return false;
}

/* A start with the record, which says line, or says nothing of it. */
static void
expect(const char *what, struct slice value, enum outcome outcome,
    const char *line)
{
	struct broker_process broker;
	bool serves;
	char *copy;

	configure(&broker);
	copy = xasprintf("cp -r %s/data %s/", before.directory,
	    broker.directory);
	assert_int_equal(system(copy), 0);
	append(&broker, value);
	broker_process_launch(&broker);
	serves = await(&broker);
	if (serves != (outcome == SERVED))
		fail_msg("%s: %s", what, serves ? "served" : "refused");
	if (line != NULL && !broker_process_logged(&broker, line))
		fail_msg("%s: it does not say: %s", what, line);
	broker_process_fini(&broker);
	free(copy);
}

/* --- Records -------------------------------------------------------------- */

static const struct kp_access_control_entry_record entry = {
	.id.bytes = { 1 },
	.resource_type = 2,
	.resource_name = { (const uint8_t *)"topic", 5 },
	.pattern_type = 3,
	.principal = { (const uint8_t *)"User:a", 6 },
	.host = { (const uint8_t *)"*", 1 },
	.operation = 3,
	.permission_type = 3,
};

static const struct kp_user_scram_credential_record credential = {
	.name = { (const uint8_t *)"alice", 5 },
	.mechanism = 1,
	.salt = { (const uint8_t *)"salt", 4 },
	.stored_key = { (const uint8_t *)"0123456789abcdef0123456789abcdef",
	    32 },
	.server_key = { (const uint8_t *)"0123456789abcdef0123456789abcdef",
	    32 },
	.iterations = 4096,
};

static struct kp_client_quota_record_entity user = {
	.entity_type = { (const uint8_t *)"user", 4 },
	.entity_name = { (const uint8_t *)"alice", 5 },
};

static const struct kp_client_quota_record quota = {
	.entity = &user,
	.entity_count = 1,
	.key = { (const uint8_t *)"producer_byte_rate", 18 },
	.value = 1000,
};

static const struct kp_delegation_token_record token = {
	.owner = { (const uint8_t *)"User:alice", 10 },
	.requester = { (const uint8_t *)"User:alice", 10 },
	.issue_timestamp = 1,
	.max_timestamp = INT64_MAX,
	.expiration_timestamp = INT64_MAX,
	.token_id = { (const uint8_t *)"id", 2 },
};

static const struct {
	enum metadata_record_type type;
	const char *what;
	const void *body;
} whole[] = {
	{ METADATA_RECORD_ACCESS_CONTROL_ENTRY, "an ACL", &entry },
	{ METADATA_RECORD_USER_SCRAM_CREDENTIAL, "a user", &credential },
	{ METADATA_RECORD_CLIENT_QUOTA, "a quota", &quota },
	{ METADATA_RECORD_DELEGATION_TOKEN, "a token", &token },
};

static void
encode(struct buf *buf, enum metadata_record_type type, const void *body)
{
	buf_init(buf, 4096);
	assert_int_equal(metadata_record_encode(buf, type, 0, body), 0);
}

/* --- Tests ---------------------------------------------------------------- */

static void
whole_records_are_served(void **state UNUSED)
{
	struct buf buf;

	for (size_t i = 0; i < COUNT_OF(whole); i++) {
		encode(&buf, whole[i].type, whole[i].body);
		expect(whole[i].what, buf_slice(&buf), SERVED, NULL);
		buf_fini(&buf);
	}
}

static void
what_is_no_record_is_refused(void **state UNUSED)
{
	static const uint8_t unknown[] = { 1, 99, 0, 0 };
	static const uint8_t framed_otherwise[] = { 2, 20, 0, 0 };
	struct buf buf;

	for (size_t i = 0; i < COUNT_OF(whole); i++) {
		encode(&buf, whole[i].type, whole[i].body);
		expect(whole[i].what, slice_of(buf.data, buf.len - 3), REFUSED,
		    "__cluster_metadata-0");
		expect(whole[i].what, slice_of(buf.data, BODY_AT), REFUSED,
		    "__cluster_metadata-0");
		buf.data[VERSION_AT] = 9;
		expect(whole[i].what, buf_slice(&buf), REFUSED,
		    "__cluster_metadata-0");
		buf_fini(&buf);
	}
	expect("an unknown kind", slice_of(unknown, sizeof(unknown)), REFUSED,
	    "__cluster_metadata-0");
	expect("another frame",
	    slice_of(framed_otherwise, sizeof(framed_otherwise)), REFUSED,
	    "__cluster_metadata-0");
	expect("no bytes", slice_of("", 0), REFUSED, "__cluster_metadata-0");
	expect("a null", SLICE_NULL, REFUSED, "__cluster_metadata-0");
}

static void
entries_of_unknown_kinds_are_served(void **state UNUSED)
{
	struct kp_access_control_entry_record odd[6];
	struct buf buf;

	for (size_t i = 0; i < COUNT_OF(odd); i++)
		odd[i] = entry;
	odd[0].resource_type = 99;
	odd[1].pattern_type = 99;
	odd[2].operation = 99;
	odd[3].permission_type = 99;
	odd[4].principal = slice_str("nobody");
	odd[5].host = slice_str("");
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		char *what = xasprintf("an odd ACL, %zu", i);

		encode(&buf, METADATA_RECORD_ACCESS_CONTROL_ENTRY, &odd[i]);
		/* A host that nobody has is one nevertheless. */
		expect(what, buf_slice(&buf), SERVED,
		    i < 5 ? "an access control entry is skipped: " : NULL);
		buf_fini(&buf);
		free(what);
	}
}

static void
users_who_cannot_be_are_served(void **state UNUSED)
{
	struct kp_user_scram_credential_record odd[6];
	struct buf buf;

	for (size_t i = 0; i < COUNT_OF(odd); i++)
		odd[i] = credential;
	odd[0].mechanism = 9;
	odd[1].iterations = 0;
	odd[2].iterations = -1;
	odd[3].salt = slice_str("");
	odd[4].stored_key = slice_str("short");
	odd[5].name = slice_str("");
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		char *what = xasprintf("an odd user, %zu", i);

		encode(&buf, METADATA_RECORD_USER_SCRAM_CREDENTIAL, &odd[i]);
		expect(what, buf_slice(&buf), SERVED, NULL);
		buf_fini(&buf);
		free(what);
	}
}

static void
quotas_that_mean_nothing_are_skipped(void **state UNUSED)
{
	struct kp_client_quota_record_entity planet = {
		.entity_type = slice_str("planet"),
		.entity_name = slice_str("mars"),
	};
	struct kp_client_quota_record odd[5];
	struct buf buf;

	for (size_t i = 0; i < COUNT_OF(odd); i++)
		odd[i] = quota;
	odd[0].key = slice_str("no_such_rate");
	odd[1].entity = &planet;
	odd[2].entity_count = 0;
	odd[3].value = (double)NAN;
	odd[4].value = -1;
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		char *what = xasprintf("an odd quota, %zu", i);

		encode(&buf, METADATA_RECORD_CLIENT_QUOTA, &odd[i]);
		expect(what, buf_slice(&buf), SERVED,
		    i < 3 ? "the quota " : NULL);
		buf_fini(&buf);
		free(what);
	}
}

static void
tokens_and_configs_that_are_odd_are_served(void **state UNUSED)
{
	struct kp_delegation_token_record odd = token;
	struct kp_config_record config = {
		.resource_type = 99,
		.resource_name = slice_str("1"),
		.name = slice_str("num.io.threads"),
		.value = slice_str("many"),
	};
	struct buf buf;

	odd.owner = slice_str("nobody");
	odd.expiration_timestamp = -1;
	encode(&buf, METADATA_RECORD_DELEGATION_TOKEN, &odd);
	expect("an odd token", buf_slice(&buf), SERVED, NULL);
	buf_fini(&buf);
	encode(&buf, METADATA_RECORD_CONFIG, &config);
	expect("an odd config", buf_slice(&buf), SERVED, NULL);
	buf_fini(&buf);
	config.resource_type = 4;
	encode(&buf, METADATA_RECORD_CONFIG, &config);
	expect("a config of the broker", buf_slice(&buf), SERVED, NULL);
	buf_fini(&buf);
	config.name =
	    slice_str("listener.name.sasl_plaintext.ssl.keystore.key");
	encode(&buf, METADATA_RECORD_CONFIG, &config);
	expect("a config of a store", buf_slice(&buf), SERVED, NULL);
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_records_are_served),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(entries_of_unknown_kinds_are_served),
		cmocka_unit_test(users_who_cannot_be_are_served),
		cmocka_unit_test(quotas_that_mean_nothing_are_skipped),
		cmocka_unit_test(tokens_and_configs_that_are_odd_are_served),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
