/*
 * Passwords and keys are told to nobody: not by the log, by messages about a
 * configuration that is wrong, by answers, or by the tools that read what is on
 * disk; and neither files nor memory are for everybody on the machine.
 *
 * Every secret here ends in MARK, and nothing else does.
 */
#include "unit/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/scram.h"
#include "e2e/program.h"
#include "e2e/raw_login.h"
#include "meta/config_keys.h"
#include "wire/codec.h"
#include "wire/generated/alter_configs.h"
#include "wire/generated/alter_user_scram_credentials.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/describe_user_scram_credentials.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#define MARK "-secret"
#define LISTENER "listener.name.sasl_plaintext."
#define PLAIN_JAAS LISTENER "plain.sasl.jaas.config"
#define PLAIN_MODULE "org.apache.kafka.common.security.plain.PlainLoginModule"

enum { RESOURCE_BROKER = 4 };

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	static const char *const settings[] = {
		"delegation.token.secret.key=token" MARK,
		"sasl.jaas.config=" PLAIN_MODULE
		" required user_eve=\"eve" MARK "\";",
		"some.other.password=other" MARK,
		LISTENER "some.other.password=other" MARK,
	};

	raw_login_broker(&broker);
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		broker_process_argument(&broker, "--override");
		broker_process_argument(&broker, settings[i]);
	}
	broker_process_restart(&broker);
	return 0;
}

static void
expect_no_secret(struct slice text, const char *where)
{
	if (text.len > 0 &&
	    memmem(text.data, text.len, MARK, strlen(MARK)) != NULL)
		fail_msg("%s tells a secret: %.*s", where, SLICE_ARG(text));
}

/* --- Configurations ------------------------------------------------------- */

/* What it says of a setting, whether it takes it or not. */
static void
check_setting(const char *setting)
{
	struct program program;
	char *text;

	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("serve", "--check-config", "--override",
		"listeners=SASL_PLAINTEXT://127.0.0.1:0", "--override",
		LISTENER "sasl.enabled.mechanisms=PLAIN", "--override",
		PLAIN_JAAS "=" PLAIN_MODULE " required;", "--override",
		setting));
	(void)program_wait(&program);
	text = program_out(&program);
	expect_no_secret(slice_str(text), setting);
	free(text);
	text = program_err(&program);
	expect_no_secret(slice_str(text), "standard error");
	free(text);
	program_fini(&program);
}

static void
no_setting_is_told(void **state UNUSED)
{
	size_t count;
	const struct config_key *keys =
	    config_keys(CONFIG_TABLE_BROKER, &count);
	static const char *const prefixes[] = { "", LISTENER,
		LISTENER "plain." };
	int sensitive = 0;

	for (size_t i = 0; i < count; i++) {
		if ((keys[i].flags & CONFIG_SENSITIVE) == 0)
			continue;
		sensitive++;
		for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
			char *setting = xasprintf(
			    "%s%s=x" MARK, prefixes[p], keys[i].name);

			check_setting(setting);
			free(setting);
		}
	}
	assert_true(sensitive >= 10);
}

static void
no_user_is_told_by_what_is_wrong_with_them(void **state UNUSED)
{
	static const char *const wrong[] = {
		"user_a=\"a" MARK "\";",
		PLAIN_MODULE " required user_a=\"a" MARK "\"",
		PLAIN_MODULE " required user_a=\"a" MARK,
		PLAIN_MODULE " required user_a=\"a" MARK "\" b" MARK ";",
		PLAIN_MODULE " maybe user_a=\"a" MARK "\";",
		PLAIN_MODULE " required user_a=1" MARK ";",
		PLAIN_MODULE " required user_a=\"a" MARK "\"; x required;",
		"x.y.Module required user_a=\"a" MARK "\";",
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		char *setting = xasprintf(PLAIN_JAAS "=%s", wrong[i]);

		check_setting(setting);
		free(setting);
	}
}

/* --- Answers -------------------------------------------------------------- */

static void
ask(struct raw_client *client, int16_t key, int16_t version, const void *body)
{
	raw_client_request(client, key, version, 1, body);
	expect_no_secret(
	    raw_client_receive(client), kp_api_find(key)->name);
}

static void
log_in(struct raw_client *client)
{
	raw_client_init(client, &broker);
	assert_int_equal(
	    raw_login(client, "admin", "admin" MARK), KP_NONE);
}

static void
describe(struct raw_client *client)
{
	struct kp_describe_configs_request_resource resource = {
		.resource_type = RESOURCE_BROKER,
		.resource_name = slice_str("1"),
		.configuration_keys_count = -1,
	};
	const struct kp_describe_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
		.include_synonyms = true,
		.include_documentation = true,
	};

	ask(client, KP_DESCRIBE_CONFIGS_KEY, 4, &request);
	resource.resource_name = slice_str("");
	ask(client, KP_DESCRIBE_CONFIGS_KEY, 4, &request);
}

static void
alter(struct raw_client *client, const char *node, const char *name,
    bool only_check)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(name),
		.value = slice_str("altered" MARK),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = RESOURCE_BROKER,
		.resource_name = slice_str(node),
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
		.validate_only = only_check,
	};

	ask(client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1, &request);
}

static void
alter_all(struct raw_client *client)
{
	size_t count;
	const struct config_key *keys =
	    config_keys(CONFIG_TABLE_BROKER, &count);
	static const char *const prefixes[] = { "", LISTENER,
		LISTENER "plain." };

	for (size_t i = 0; i < count; i++) {
		if ((keys[i].flags & CONFIG_SENSITIVE) == 0)
			continue;
		for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
			char *name =
			    xasprintf("%s%s", prefixes[p], keys[i].name);

			alter(client, "1", name, true);
			alter(client, "1", name, false);
			alter(client, "", name, false);
			free(name);
		}
	}
}

static void
no_setting_is_answered(void **state UNUSED)
{
	struct raw_client client;

	log_in(&client);
	describe(&client);
	alter_all(&client);
	describe(&client);
	raw_client_fini(&client);
}

static void
no_password_is_answered(void **state UNUSED)
{
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = slice_str("carol"),
		.mechanism = SCRAM_SHA_256,
		.iterations = 4096,
		.salt = slice_str("salt"),
		.salted_password = slice_str("carol" MARK),
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};
	const struct kp_describe_user_scram_credentials_request all = {
		.users_count = -1,
	};
	struct raw_client client;

	log_in(&client);
	ask(&client, KP_ALTER_USER_SCRAM_CREDENTIALS_KEY, 0, &request);
	ask(&client, KP_DESCRIBE_USER_SCRAM_CREDENTIALS_KEY, 0, &all);
	upsertion.iterations = 1;
	ask(&client, KP_ALTER_USER_SCRAM_CREDENTIALS_KEY, 0, &request);
	raw_client_fini(&client);
}

/* Also where a password stands for the user, or where a token is cut. */
static void
no_login_is_told(void **state UNUSED)
{
	const struct kp_sasl_handshake_request handshake = {
		.mechanism = slice_str("PLAIN"),
	};
	static const struct {
		const char *token;
		size_t len;
	} tokens[] = {
#define TOKEN(text) { text, sizeof(text) - 1 }
		TOKEN("\0admin\0wrong" MARK),
		TOKEN("\0wrong" MARK "\0x"),
		TOKEN("wrong" MARK),
		TOKEN("\0wrong" MARK),
		TOKEN("wrong" MARK "\0admin\0admin" MARK),
		TOKEN("\0admin\0admin" MARK "\0more"),
#undef TOKEN
	};

	for (size_t i = 0; i < COUNT_OF(tokens); i++) {
		const struct kp_sasl_authenticate_request request = {
			.auth_bytes = slice_of(tokens[i].token, tokens[i].len),
		};
		struct raw_client client;

		raw_client_init(&client, &broker);
		(void)raw_client_call(
		    &client, KP_SASL_HANDSHAKE_KEY, 1, &handshake);
		ask(&client, KP_SASL_AUTHENTICATE_KEY, 2, &request);
		raw_client_fini(&client);
	}
}

/* --- What is left behind -------------------------------------------------- */

static void
dump_metadata(void)
{
	char *path = xasprintf(
	    "%s/data/__cluster_metadata-0/00000000000000000000.log",
	    broker.directory);
	struct program program;
	char *text;

	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("dump-log", "--cluster-metadata-decoder",
		"--skip-record-metadata", "--files", path));
	assert_int_equal(program_wait(&program), 0);
	text = program_out(&program);
	assert_non_null(strstr(text, "carol"));
	expect_no_secret(slice_str(text), "dump-log");
	free(text);
	program_fini(&program);
	free(path);
}

static int not_for_all;

static int
look_at(const char *path, const struct stat *status, int kind UNUSED,
    struct FTW *place UNUSED)
{
	if ((status->st_mode & 027) == 0)
		return 0;
	fprintf(stderr, "%s has the mode %o\n", path, status->st_mode & 0777);
	not_for_all++;
	return 0;
}

static void
nothing_on_disk_is_for_everybody(void **state UNUSED)
{
	char *path = xasprintf("%s/data", broker.directory);

	assert_int_equal(nftw(path, look_at, 16, FTW_PHYS), 0);
	assert_int_equal(not_for_all, 0);
	free(path);
}

/* The last but one: after all of the above. */
static void
nothing_is_logged_or_dumped(void **state UNUSED)
{
	broker_process_stop(&broker);
	assert_true(broker_process_logged(&broker, "Kafka Server started"));
	assert_false(broker_process_logged(&broker, MARK));
	dump_metadata();
}

/* --- Memory --------------------------------------------------------------- */

/*
 * What belongs to root in /proc, whoever runs the broker, is closed to all
 * others.  Root itself runs it with a group that is not root's.
 */
static bool
is_seen(const char *setting)
{
	struct stat status;
	char path[32];

	broker_process_init(&broker);
	broker_process_argument(&broker, "--override");
	broker_process_argument(&broker, setting);
	broker_process_restart(&broker);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)broker.pid);
	assert_int_equal(stat(path, &status), 0);
	broker_process_fini(&broker);
	return status.st_uid == getuid() && status.st_gid == getgid();
}

static void
memory_is_not_seen(void **state UNUSED)
{
	broker_process_fini(&broker);
	if (getgid() == 0)
		assert_int_equal(setgid(1), 0);
	assert_true(is_seen("klamm.core.dumps=true"));
	assert_false(is_seen("klamm.core.dumps=false"));
	assert_false(is_seen("auto.create.topics.enable=true"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_setting_is_told),
		cmocka_unit_test(no_user_is_told_by_what_is_wrong_with_them),
		cmocka_unit_test(no_setting_is_answered),
		cmocka_unit_test(no_password_is_answered),
		cmocka_unit_test(no_login_is_told),
		cmocka_unit_test(nothing_on_disk_is_for_everybody),
		cmocka_unit_test(nothing_is_logged_or_dumped),
		cmocka_unit_test(memory_is_not_seen),
	};

	return cmocka_run_group_tests(tests, start_broker, NULL);
}
