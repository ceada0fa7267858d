/*
 * The command line: exit codes, texts, configuration from all its sources,
 * readiness and stopping.
 */
#include "unit/unit.h"
#include "unit/temp_dir.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "config.h"
#include "e2e/broker_process.h"
#include "e2e/program.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/error.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/fetch.h"
#include "wire/generated/metadata.h"
#include "wire/generated/produce.h"

#define RUNNING "Transitioning from RECOVERY to RUNNING"
#define STARTED "Kafka Server started"

/* --- Runs that end by themselves ----------------------------------------- */

/* The texts on both outputs, on the heap. */
struct ended {
	int code;
	char *out;
	char *err;
};

static struct ended
ended(struct program *program)
{
	struct ended ended;

	ended.code = program_wait(program);
	ended.out = program_out(program);
	ended.err = program_err(program);
	program_fini(program);
	return ended;
}

static void
ended_fini(struct ended *ended)
{
	free(ended->out);
	free(ended->err);
}

static struct ended
run(const char *const *arguments)
{
	struct program program;

	program_start(&program, NULL, arguments);
	return ended(&program);
}

#define RUN(...) run(PROGRAM_ARGUMENTS(__VA_ARGS__))

static void
expect_help(struct ended help, const char *text)
{
	assert_int_equal(help.code, 0);
	assert_non_null(strstr(help.out, text));
	assert_string_equal(help.err, "");
	ended_fini(&help);
}

static void
test_help(void **state UNUSED)
{
	expect_help(RUN("--help"), "usage: klamm COMMAND");
	expect_help(RUN("-h"), "usage: klamm COMMAND");
	expect_help(RUN("serve", "--help"), "--port-file FILE");
	expect_help(RUN("serve", "-h"), "usage: klamm serve");
	expect_help(RUN("dump-log", "--help"), "--deep DIR");
	expect_help(RUN("storage", "--help"), "random-uuid");
	expect_help(RUN("storage", "format", "-h"), "usage: klamm storage");
}

static void
test_version(void **state UNUSED)
{
	struct ended version = RUN("--version");

	assert_int_equal(version.code, 0);
	assert_string_equal(version.out,
	    "klamm " PACKAGE_VERSION " (Apache Kafka 4.3)\n");
	assert_string_equal(version.err, "");
	ended_fini(&version);
}

static void
expect_usage(struct ended usage, const char *text)
{
	assert_int_equal(usage.code, 2);
	assert_non_null(strstr(usage.err, text));
	assert_string_equal(usage.out, "");
	ended_fini(&usage);
}

static void
test_usage(void **state UNUSED)
{
	const char *const nothing[] = { NULL };

	expect_usage(run(nothing), "usage: klamm COMMAND");
	expect_usage(RUN("fly"), "fly");
	expect_usage(RUN("serve", "--fly"), "klamm: unrecognized option");
	expect_usage(RUN("serve", "--port"), "--port");
	expect_usage(RUN("serve", "--port", "x"), "--port x");
	expect_usage(RUN("serve", "--port", "65536"), "--port 65536");
	expect_usage(RUN("serve", "--port", "-1"), "--port -1");
	expect_usage(RUN("serve", "--override", "x"), "--override x");
	expect_usage(RUN("serve", "--override", "=x"), "--override =x");
	expect_usage(RUN("serve", "--log-format", "xml"), "xml");
	expect_usage(RUN("serve", "one", "two"), "one properties file");
	expect_usage(RUN("dump-log"), "--files");
	expect_usage(RUN("storage", "format", "--fly"), "klamm: unrecog");
	expect_usage(RUN("dump-log", "--files", "x", "--fly"), "--fly");
	expect_usage(RUN("dump-log", "--files", "x", "y"), "y");
	expect_usage(RUN("dump-log", "--files", "x", "--max-bytes", "y"),
	    "y");
	expect_usage(RUN("dump-log", "--deep"), "--deep");
	expect_usage(RUN("dump-log", "--deep", "x", "--files", "y"),
	    "--files");
}

/* --- Configuration ------------------------------------------------------- */

/* What --check-config says to a file that holds the line. */
static struct ended
check_config(const char *line)
{
	char *dir = temp_dir_make();
	char *path = xasprintf("%s/server.properties", dir);
	struct ended result;

	temp_dir_put(dir, "server.properties", line);
	result = RUN("serve", path, "--check-config");
	free(path);
	temp_dir_remove(dir);
	return result;
}

static void
expect_line(const char *line, const char *text)
{
	assert_int_equal(program_count(line, "\n"), 1);
	if (strstr(line, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, line);
}

/* A configuration that is no good: one line, which says why. */
static void
expect_refused(struct ended refused, const char *text)
{
	assert_int_equal(refused.code, 1);
	assert_string_equal(refused.out, "");
	assert_int_equal(strncmp(refused.err, "klamm: ", 7), 0);
	expect_line(refused.err, text);
	ended_fini(&refused);
}

/* What it cannot do with a good configuration is said in the log. */
static void
expect_failed(struct ended failed, const char *text)
{
	assert_int_equal(failed.code, 1);
	assert_string_equal(failed.err, "");
	expect_line(failed.out, text);
	ended_fini(&failed);
}

static void
test_bad_values_are_refused(void **state UNUSED)
{
	expect_refused(check_config("num.partitions=x"), "num.partitions");
	expect_refused(check_config("num.partitions=0"), "num.partitions");
	expect_refused(check_config("log.retention.hours=1.5"),
	    "log.retention.hours");
	expect_refused(check_config("auto.create.topics.enable=maybe"),
	    "auto.create.topics.enable");
	expect_refused(check_config("klamm.flush=never"), "klamm.flush");
	expect_refused(check_config("log.dirs="), "log.dirs");
	expect_refused(check_config("node.id=-3"), "node.id");
	expect_refused(check_config("node.id=1\nbroker.id=2"),
	    "node.id is 1, but broker.id is 2");
	expect_refused(check_config("broker.id=x"), "klamm: broker.id:");
	expect_refused(check_config("listeners=9092"), "9092");
	expect_refused(check_config("listeners=A://h:1"), "A");
	expect_refused(check_config("listeners=PLAINTEXT://h:x"), "h:x");
	expect_refused(check_config("listeners=PLAINTEXT://h:1,"
				    "PLAINTEXT://h:2"), "PLAINTEXT");
	expect_refused(check_config("advertised.listeners="
				    "PLAINTEXT://0.0.0.0:1"), "0.0.0.0");
	expect_refused(check_config("a\\u00zz=b"),
	    "server.properties:1: a malformed \\u escape");
	expect_refused(RUN("serve", "/nowhere/x", "--check-config"),
	    "/nowhere/x");
	expect_refused(RUN("serve", "/", "--check-config"),
	    "/: Is a directory");
}

/* Nobody who means to join a cluster gets one of his own instead. */
static void
test_other_roles_are_refused(void **state UNUSED)
{
	expect_refused(check_config("process.roles=broker"), "process.roles");
	expect_refused(check_config("process.roles=controller"),
	    "process.roles");
	expect_refused(check_config("node.id=1\n"
				    "controller.quorum.voters="
				    "1@a:9093,2@b:9093"),
	    "controller.quorum.voters");
}

/* What would weaken security by being ignored is refused until it is there. */
static void
test_security_is_not_ignored(void **state UNUSED)
{
	expect_refused(check_config("listeners=SSL://localhost:9093"),
	    "ssl.keystore.location");
	expect_refused(check_config("listeners=SASL_SSL://:9093"),
	    "listener.name.sasl_ssl.sasl.enabled.mechanisms");
	expect_refused(check_config("listeners=SASL_PLAINTEXT://:9093"),
	    "listener.name.sasl_plaintext.sasl.enabled.mechanisms");
	expect_refused(check_config("listeners=SASL_PLAINTEXT://:9093\n"
				    "sasl.enabled.mechanisms=PLAIN,GSSAPI"),
	    "GSSAPI");
	expect_refused(check_config("listeners=SASL_PLAINTEXT://:9093\n"
				    "sasl.enabled.mechanisms=PLAIN"),
	    "listener.name.sasl_plaintext.plain.sasl.jaas.config");
	/* Without the listener's name it is of nobody, for Kafka, too. */
	expect_refused(
	    check_config("listeners=SASL_PLAINTEXT://:9093\n"
			 "sasl.enabled.mechanisms=PLAIN\n"
			 "plain.sasl.jaas.config="
			 "org.apache.kafka.common.security.plain."
			 "PlainLoginModule required user_a=\"hush\";"),
	    "listener.name.sasl_plaintext.plain.sasl.jaas.config is not set. "
	    "Could not find a 'KafkaServer'");
	expect_refused(
	    check_config("listeners=SASL_PLAINTEXT://:9093\n"
			 "sasl.enabled.mechanisms=PLAIN\n"
			 "listener.name.sasl_plaintext.plain.sasl.jaas.config="
			 "org.apache.kafka.common.security.plain."
			 "PlainLoginModule required user_a=\"hush\""),
	    "semi-colon");
	expect_refused(check_config("authorizer.class.name="
	    "kafka.security.authorizer.AclAuthorizer"),
	    "authorizer.class.name");
	expect_refused(check_config("authorizer.class.name="
	    "org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
	    "super.users=admin"),
	    "super.users");
}

#define STORES SRCDIR "/tests/unit/tls/"
#define WITH_TLS "listeners=SSL://127.0.0.1:0\n"
#define WITH_STORE                                                         \
	WITH_TLS "ssl.keystore.type=PEM\n"                                 \
		 "ssl.keystore.location=" STORES "ec.all.pem\n"

/* What is wrong with a listener's TLS is said before the broker starts. */
static void
test_bad_tls_is_refused(void **state UNUSED)
{
	static const struct {
		const char *config;
		const char *text;
	} rows[] = {
		{ WITH_TLS "ssl.keystore.type=PEM\n"
			   "ssl.keystore.location=/nowhere/broker.pem",
		    "/nowhere/broker.pem" },
		{ WITH_TLS "ssl.keystore.type=PEM\n"
			   "ssl.keystore.location=" STORES "make.sh",
		    STORES "make.sh" },
		{ WITH_TLS "ssl.keystore.location=" STORES "keytool.jks\n"
			   "ssl.keystore.password=hush",
		    STORES "keytool.jks" },
		{ WITH_TLS "ssl.keystore.type=PKCS12\n"
			   "ssl.keystore.location=" STORES "keytool.p12\n"
			   "ssl.keystore.password=hush",
		    STORES "keytool.p12" },
		{ WITH_STORE "ssl.cipher.suites=TLS_AES_128_GCM_SHA256,TLS_X",
		    "ssl.cipher.suites: TLS_X" },
		{ WITH_STORE "ssl.enabled.protocols=TLSv1.2,TLSv9",
		    "ssl.enabled.protocols: TLSv9" },
		{ WITH_STORE "ssl.protocol=TLSv9", "ssl.protocol: TLSv9" },
		{ WITH_STORE "ssl.client.auth=maybe",
		    "ssl.client.auth: maybe" },
		{ WITH_STORE "listener.name.ssl.ssl.client.auth=maybe",
		    "listener.name.ssl.ssl.client.auth: maybe" },
		{ WITH_STORE "ssl.principal.mapping.rules=RULE:^CN=(.*$/x",
		    "ssl.principal.mapping.rules" },
		{ WITH_STORE "ssl.provider=BC", "ssl.provider: BC" },
		{ WITH_STORE "ssl.engine.factory.class=x.Y",
		    "ssl.engine.factory.class: x.Y" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ended refused = check_config(rows[i].config);

		assert_null(strstr(refused.err, "hush"));
		expect_refused(refused, rows[i].text);
	}
}

static void
expect_accepted(struct ended accepted)
{
	assert_int_equal(accepted.code, 0);
	assert_string_equal(accepted.out, "");
	assert_string_equal(accepted.err, "");
	ended_fini(&accepted);
}

/* A file with the text; its path, for KAFKA_OPTS, is in the environment. */
static void
set_jaas_file(const char *path, const char *text)
{
	char *options = xasprintf("-Xmx1g -Djava.security.auth.login.config="
				  "/nowhere -Djava.security.auth.login.config="
				  "%s -Da=b", path);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	setenv("KAFKA_OPTS", options, 1);
	free(options);
}

#define JAAS_PLAIN "org.apache.kafka.common.security.plain.PlainLoginModule"
#define JAAS_SCRAM "org.apache.kafka.common.security.scram.ScramLoginModule"

static void
test_login_modules_may_be_in_a_file(void **state UNUSED)
{
	static const char config[] =
	    "listeners=SASL_PLAINTEXT://:9093\n"
	    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256";
	static const struct {
		const char *text;
		const char *fault; /* NULL: none */
	} files[] = {
		{ "KafkaServer { " JAAS_PLAIN " required user_a=\"hush\";\n"
		  JAAS_SCRAM " required; };\nClient { x.Y required; };",
		    NULL },
		{ "sasl_plaintext.KafkaServer { " JAAS_PLAIN " required;\n"
		  JAAS_SCRAM " required; };\nKafkaServer { x.Y required; };",
		    NULL },
		{ "KafkaServer { " JAAS_PLAIN " required; };",
		    "KafkaServer: has no login module for SCRAM-SHA-256" },
		{ "KafkaServer { x.Y required; };", "x.Y is not supported" },
		{ "sasl_ssl.KafkaServer { " JAAS_PLAIN " required; };",
		    "Could not find a 'KafkaServer' or "
		    "'sasl_plaintext.KafkaServer' entry" },
		{ "KafkaServer {\n" JAAS_PLAIN " required user_a=\"hush\"\n};",
		    ":3: JAAS config entry not terminated by semi-colon" },
	};
	char path[] = "/tmp/klamm-jaas-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		set_jaas_file(path, files[i].text);
		if (files[i].fault == NULL)
			expect_accepted(check_config(config));
		else
			expect_refused(check_config(config), files[i].fault);
	}
	unlink(path);
	expect_refused(check_config(config), path);
	unsetenv("KAFKA_OPTS");
	expect_refused(check_config(config),
	    "'java.security.auth.login.config' is not set");
}

static void
test_what_others_configure_is_accepted(void **state UNUSED)
{
	expect_accepted(RUN("serve", "--check-config"));
	expect_accepted(check_config("zookeeper.connect=localhost:2181"));
	expect_accepted(check_config("confluent.metrics.enable=true"));
	expect_accepted(check_config("metric.reporters=a.B"));
	expect_accepted(check_config("num.network.threads=3"));
	expect_accepted(check_config("process.roles=broker,controller\n"
	    "node.id=1\n"
	    "controller.quorum.bootstrap.servers=localhost:9093\n"
	    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
	    "inter.broker.listener.name=PLAINTEXT\n"
	    "advertised.listeners=PLAINTEXT://localhost:9092,"
	    "CONTROLLER://localhost:9093\n"
	    "controller.listener.names=CONTROLLER\n"
	    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,"
	    "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT\n"
	    "num.io.threads=8\n"
	    "log.dirs=/tmp/kraft-combined-logs\n"));
}

/* What nobody knows may be a slip. */
static void
test_unknown_keys_are_warned_about(void **state UNUSED)
{
	struct ended warned = check_config("num.partitons=1");

	assert_int_equal(warned.code, 0);
	expect_line(warned.err, "klamm: num.partitons: nobody knows");
	ended_fini(&warned);

	/* Whoever writes a variable does not know the key. */
	setenv("KAFKA_BROKERS", "3", 1);
	warned = RUN("serve", "--check-config");
	unsetenv("KAFKA_BROKERS");
	assert_int_equal(warned.code, 0);
	expect_line(warned.err, "klamm: KAFKA_BROKERS: nobody knows");
	ended_fini(&warned);
}

/* How many partitions does a topic get that asks for the default? */
static int32_t
default_partitions(const struct broker_process *broker)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str("default"),
		.num_partitions = -1,
		.replication_factor = -1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 30000,
		.validate_only = true,
	};
	const struct kp_create_topics_response *response;
	struct raw_client client;
	int32_t partitions;

	raw_client_init(&client, broker);
	response = raw_client_call(&client, KP_CREATE_TOPICS_KEY, 5, &request);
	assert_int_equal(response->topics[0].error_code, KP_NONE);
	partitions = response->topics[0].num_partitions;
	raw_client_fini(&client);
	return partitions;
}

static void
test_sources_of_configuration(void **state UNUSED)
{
	char *dir = temp_dir_make();
	char *path = xasprintf("%s/server.properties", dir);
	struct broker_process broker;

	temp_dir_put(dir, "server.properties", "num.partitions = 2\n");
	broker_process_start(&broker, path, NULL);
	assert_int_equal(default_partitions(&broker), 2);
	broker_process_stop(&broker);

	/* The environment beats the file, the command line both. */
	setenv("KAFKA_NUM_PARTITIONS", "3", 1);
	broker_process_restart(&broker);
	assert_int_equal(default_partitions(&broker), 3);
	broker_process_stop(&broker);
	unsetenv("KAFKA_NUM_PARTITIONS");

	setenv("KAFKA_CFG_NUM_PARTITIONS", "4", 1);
	broker_process_restart(&broker);
	assert_int_equal(default_partitions(&broker), 4);
	broker_process_stop(&broker);

	broker.arguments[broker.arguments_count++] = "--override";
	broker.arguments[broker.arguments_count++] = "num.partitions=5";
	broker_process_restart(&broker);
	assert_int_equal(default_partitions(&broker), 5);
	unsetenv("KAFKA_CFG_NUM_PARTITIONS");

	broker_process_fini(&broker);
	free(path);
	temp_dir_remove(dir);
}

static void
expect_cluster(const struct broker_process *broker, const char *id)
{
	const struct kp_metadata_response *response;
	struct raw_client client;

	raw_client_init(&client, broker);
	response = raw_client_call(&client, KP_METADATA_KEY, 9, NULL);
	assert_true(slice_equal_str(response->cluster_id, id));
	raw_client_fini(&client);
}

static void
test_cluster_id(void **state UNUSED)
{
	static const char id[] = "MkU3OEVBNTcwNTJENDM2Qk";
	struct broker_process broker;
	char *data;

	setenv("CLUSTER_ID", id, 1);
	broker_process_start(&broker, NULL);
	expect_cluster(&broker, id);
	broker_process_stop(&broker);
	unsetenv("CLUSTER_ID");

	/* The directory remembers it, and is not taken by another cluster. */
	broker_process_restart(&broker);
	expect_cluster(&broker, id);
	broker_process_stop(&broker);
	setenv("KAFKA_CLUSTER_ID", "AAAAAAAAAAAAAAAAAAAAAA", 1);
	data = xasprintf("%s/data", broker.directory);
	expect_failed(RUN("serve", "--data-dir", data, "--port", "0"), id);
	unsetenv("KAFKA_CLUSTER_ID");

	broker_process_fini(&broker);
	free(data);
}

/* --- Where it cannot serve ----------------------------------------------- */

static int64_t
produce_and_find_end(const struct broker_process *broker, bool produce)
{
	struct raw_client client;
	int64_t end;

	raw_client_init(&client, broker);
	if (produce) {
		raw_topic_create(&client, "kept", 1);
		raw_client_call(&client, KP_PRODUCE_KEY,
		    RAW_TOPIC_PRODUCE_VERSION,
		    raw_topic_produce(&client, "kept", -1, slice_str("v")));
	}
	end = raw_topic_end(&client, "kept");
	raw_client_fini(&client);
	return end;
}

/*
 * Without its metadata a directory is not taken for a new one, and a start
 * that is refused leaves it as clean as it was.
 */
static void
test_records_without_metadata_are_refused(void **state UNUSED)
{
	struct broker_process broker;
	char *data, *metadata, *away;

	broker_process_start(&broker, NULL);
	assert_int_equal(produce_and_find_end(&broker, true), 1);
	broker_process_stop(&broker);
	data = xasprintf("%s/data", broker.directory);
	metadata = xasprintf("%s/__cluster_metadata-0", data);
	away = xasprintf("%s/away", broker.directory);
	assert_int_equal(rename(metadata, away), 0);
	for (int i = 0; i < 2; i++)
		expect_failed(
		    RUN("serve", "--data-dir", data, "--port", "0"), "kept-0");
	assert_true(temp_dir_has(data, "kept-0/partition.metadata"));
	assert_true(temp_dir_has(data, ".kafka_cleanshutdown"));
	temp_dir_remove(xstrdup(metadata));
	assert_int_equal(rename(away, metadata), 0);
	broker_process_restart(&broker);
	assert_int_equal(produce_and_find_end(&broker, false), 1);
	broker_process_stop(&broker);
	broker_process_fini(&broker);
	free(data);
	free(metadata);
	free(away);
}

static void
test_a_second_broker_is_refused(void **state UNUSED)
{
	struct broker_process broker;
	struct ended second;
	char *data, *port;

	broker_process_start(&broker, NULL);
	data = xasprintf("%s/data", broker.directory);
	expect_failed(RUN("serve", "--data-dir", data, "--port", "0"), data);
	free(data);

	/* Another directory, but the same port. */
	data = xasprintf("%s/other", broker.directory);
	port = xasprintf("%d", broker.port);
	second = RUN("serve", "--data-dir", data, "--port", port);
	assert_int_equal(second.code, 1);
	assert_non_null(strstr(second.out, "in use"));
	assert_null(strstr(second.out, STARTED));
	ended_fini(&second);
	assert_int_equal(default_partitions(&broker), 1);
	broker_process_fini(&broker);
	free(data);
	free(port);
}

static void
test_foreign_directories_are_refused(void **state UNUSED)
{
	char *dir = temp_dir_make();
	char *file = xasprintf("%s/letters", dir);

	temp_dir_put(dir, "letters", "Dear Milena");
	expect_failed(RUN("serve", "--data-dir", dir, "--port", "0"), dir);
	expect_failed(RUN("serve", "--data-dir", file, "--port", "0"), file);
	assert_true(temp_dir_has(dir, "letters"));
	assert_false(temp_dir_has(dir, "meta.properties"));
	free(file);
	temp_dir_remove(dir);
}

/* --- Serving ------------------------------------------------------------- */

/* With nothing said about data and where: ./klamm-data. */
static void
test_readiness_is_said_once(void **state UNUSED)
{
	char *dir = temp_dir_make(), *out, *err;
	struct program program;

	setenv("KAFKA_LISTENERS", "PLAINTEXT://localhost:0", 1);
	program_start(&program, dir, PROGRAM_ARGUMENTS("serve"));
	unsetenv("KAFKA_LISTENERS");
	program_await(&program, STARTED);
	assert_true(temp_dir_has(dir, "klamm-data/meta.properties"));
	kill(program.pid, SIGTERM);
	assert_int_equal(program_wait(&program), 0);
	out = program_out(&program);
	err = program_err(&program);
	assert_int_equal(program_count(out, RUNNING), 1);
	assert_int_equal(program_count(out, STARTED), 1);
	assert_true(strstr(out, RUNNING) < strstr(out, STARTED));
	assert_int_equal(out[0], '[');
	assert_non_null(strstr(out,
	    "] INFO [KafkaRaftServer nodeId=1] Kafka Server started "
	    "(kafka.server.KafkaRaftServer)\n"));
	assert_string_equal(err, "");
	program_fini(&program);
	free(out);
	free(err);
	temp_dir_remove(dir);
}

static void
test_log_lines_as_json(void **state UNUSED)
{
	char *dir = temp_dir_make(), *out, *line;
	struct program program;

	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("serve", "--data-dir", dir, "--port", "0",
		"--log-format", "json"));
	program_await(&program, STARTED);
	kill(program.pid, SIGINT);
	assert_int_equal(program_wait(&program), 0);
	out = program_out(&program);
	for (line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
		assert_true(line[0] == '{' && line[strlen(line) - 1] == '}');
	program_fini(&program);
	free(out);
	temp_dir_remove(dir);
}

/* The port file is there when, and only when, the port is served. */
static void
test_port_file(void **state UNUSED)
{
	struct broker_process broker;
	char *port, *text;

	broker_process_start(&broker, NULL);
	while (!broker_process_logged(&broker, STARTED))
		usleep(1000);
	text = temp_dir_get(broker.directory, "port");
	port = xasprintf("%d\n", broker.port);
	assert_string_equal(text, port);
	free(text);
	free(port);
	broker_process_fini(&broker);
}

static void
test_a_port_file_that_cannot_be_written(void **state UNUSED)
{
	char *dir = temp_dir_make();
	struct ended failed = RUN("serve", "--data-dir", dir, "--port", "0",
	    "--port-file", "/nowhere/port");

	assert_int_equal(failed.code, 1);
	assert_non_null(strstr(failed.out, "/nowhere/port"));
	assert_null(strstr(failed.out, STARTED));
	ended_fini(&failed);
	temp_dir_remove(dir);
}

/* One of an earlier run would send others to a port that nobody serves. */
static void
test_an_old_port_file_goes(void **state UNUSED)
{
	char *dir = temp_dir_make(), *file = xasprintf("%s/port", dir);
	char *data = xasprintf("%s/data", dir);

	temp_dir_put(dir, "port", "9092\n");
	temp_dir_put(dir, "data", "This is no directory.");
	expect_failed(RUN("serve", "--data-dir", data, "--port", "0",
			  "--port-file", file), data);
	assert_false(temp_dir_has(dir, "port"));
	free(file);
	free(data);
	temp_dir_remove(dir);
}

/* Opening one blocks until the other side opens it, too. */
static char *
fifo_make(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(mkfifo(path, 0600), 0);
	return path;
}

/* The set of signals that a line of /proc/PID/status shows. */
static unsigned long long
signal_set(pid_t pid, const char *line)
{
	char dir[32], *status, *at;
	unsigned long long set;

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	status = temp_dir_get(dir, "status");
	at = strstr(status, line);
	assert_non_null(at);
	set = strtoull(at + strlen(line), NULL, 16);
	free(status);
	return set;
}

static bool
in_set(unsigned long long set, int number)
{
	return (set & 1ull << (number - 1)) != 0;
}

/* A start may be long: here it waits for a file for ever. */
static void
test_a_start_can_be_ended(void **state UNUSED)
{
	char *dir = temp_dir_make();
	char *fifo = fifo_make(dir, "meta.properties");
	struct program program;
	char *out;

	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("serve", "--data-dir", dir, "--port", "0"));
	/* It has set its signals up. */
	while (!in_set(signal_set(program.pid, "\nSigIgn:"), SIGPIPE))
		usleep(1000);
	kill(program.pid, SIGTERM);
	assert_int_equal(program_wait(&program), 128 + SIGTERM);
	out = program_out(&program);
	assert_string_equal(out, "");
	program_fini(&program);
	free(out);
	free(fifo);
	temp_dir_remove(dir);
}

/* For a moment, while it starts a thread, it holds all signals back. */
static bool
holds_stops(pid_t pid)
{
	unsigned long long blocked = signal_set(pid, "\nSigBlk:");

	return in_set(blocked, SIGTERM) && !in_set(blocked, SIGUSR1);
}

/* Who was told to stop on the way does not say that it serves. */
static void
test_a_stop_while_starting(void **state UNUSED)
{
	char *dir = temp_dir_make(), *file = xasprintf("%s/port", dir);
	char *fifo = fifo_make(dir, "port.tmp");
	char *data = xasprintf("%s/data", dir), *out;
	struct program program;
	int fd;

	program_start(&program, NULL,
	    PROGRAM_ARGUMENTS("serve", "--data-dir", data, "--port", "0",
		"--port-file", file));
	while (!holds_stops(program.pid))
		usleep(1000);
	/* It cannot write the port file before somebody reads it. */
	kill(program.pid, SIGTERM);
	fd = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(program_wait(&program), 0);
	out = program_out(&program);
	assert_non_null(strstr(out, "stopping: "));
	assert_null(strstr(out, STARTED));
	close(fd);
	program_fini(&program);
	free(out);
	free(data);
	free(fifo);
	free(file);
	temp_dir_remove(dir);
}

static void
expect_notification(int fd, const char *expected)
{
	char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static void
test_the_service_manager_is_told(void **state UNUSED)
{
	char *dir = temp_dir_make(), *out;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = 60 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct program program;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", dir);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
			     sizeof(limit)),
	    0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address,
			     sizeof(address)),
	    0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("KAFKA_LISTENERS", "PLAINTEXT://localhost:0", 1);
	program_start(&program, dir, PROGRAM_ARGUMENTS("serve"));
	unsetenv("KAFKA_LISTENERS");
	unsetenv("NOTIFY_SOCKET");
	expect_notification(fd, "READY=1");
	out = program_out(&program);
	assert_non_null(strstr(out, STARTED));
	kill(program.pid, SIGTERM);
	expect_notification(fd, "STOPPING=1");
	assert_int_equal(program_wait(&program), 0);
	program_fini(&program);
	close(fd);
	free(out);
	temp_dir_remove(dir);
}

static void
test_hangup_is_survived(void **state UNUSED)
{
	struct broker_process broker;

	broker_process_start(&broker, NULL);
	kill(broker.pid, SIGHUP);
	assert_int_equal(default_partitions(&broker), 1);
	/* It still ends as it should, which fini checks. */
	broker_process_fini(&broker);
}

/* A client that is deaf to its answers holds the stop up for a while. */
static void
make_deaf_client(struct raw_client *client,
    const struct broker_process *broker)
{
	enum { REQUESTS = 64, VALUE_LEN = 900000 };
	struct kp_fetch_request_partition partition = {
		.current_leader_epoch = -1,
		.log_start_offset = -1,
		.partition_max_bytes = 1 << 20,
	};
	struct kp_fetch_request_topic topic = {
		.topic = slice_str("deaf"),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_fetch_request request = {
		.replica_id = -1,
		.max_bytes = 1 << 20,
		.session_epoch = -1,
		.topics = &topic,
		.topics_count = 1,
		.rack_id = slice_str(""),
	};
	char *value = xmalloc(VALUE_LEN);

	memset(value, 'v', VALUE_LEN);
	raw_client_init(client, broker);
	raw_topic_create(client, "deaf", 1);
	(void)raw_client_call(client, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION,
	    raw_topic_produce(client, "deaf", -1,
		slice_of(value, VALUE_LEN)));
	for (int i = 0; i < REQUESTS; i++)
		raw_client_request(client, KP_FETCH_KEY, 11, i, &request);
	free(value);
}

/* The second signal is for those who cannot wait; nothing acked is lost. */
static void
test_a_second_signal_is_quick(void **state UNUSED)
{
	struct broker_process broker;
	struct raw_client client;
	int status;

	broker_process_start(&broker, NULL);
	make_deaf_client(&client, &broker);
	kill(broker.pid, SIGTERM);
	while (!broker_process_logged(&broker, "stopping: "))
		usleep(1000);
	kill(broker.pid, SIGTERM);
	status = broker_process_wait(&broker);
	assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) ||
	    (WIFEXITED(status) &&
		(WEXITSTATUS(status) == 0 ||
		    WEXITSTATUS(status) == 128 + SIGTERM)));
	raw_client_fini(&client);

	broker_process_restart(&broker);
	raw_client_init(&client, &broker);
	assert_int_equal(raw_topic_end(&client, "deaf"), 1);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

/* A terminal that closes meanwhile does not spoil an orderly stop. */
static void
test_a_hangup_does_not_hurry_a_stop(void **state UNUSED)
{
	struct broker_process broker;
	struct raw_client client;
	int status;

	broker_process_start(&broker, NULL);
	make_deaf_client(&client, &broker);
	kill(broker.pid, SIGTERM);
	while (!broker_process_logged(&broker, "stopping: "))
		usleep(1000);
	kill(broker.pid, SIGHUP);
	status = broker_process_wait(&broker);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(broker_process_logged(&broker, " stopped"));
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

/* One signal ends it, whatever its clients wait for. */
static void
test_a_stop_does_not_wait_for_clients(void **state UNUSED)
{
	struct broker_process broker;
	struct raw_client client;
	int64_t begin;

	broker_process_start(&broker, NULL);
	make_deaf_client(&client, &broker);
	begin = clock_monotonic_ms();
	broker_process_stop(&broker);
	assert_true(clock_monotonic_ms() - begin < 10000);
	raw_client_fini(&client);
	broker_process_fini(&broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_bad_values_are_refused),
		cmocka_unit_test(test_other_roles_are_refused),
		cmocka_unit_test(test_security_is_not_ignored),
		cmocka_unit_test(test_bad_tls_is_refused),
		cmocka_unit_test(test_login_modules_may_be_in_a_file),
		cmocka_unit_test(test_what_others_configure_is_accepted),
		cmocka_unit_test(test_unknown_keys_are_warned_about),
		cmocka_unit_test(test_sources_of_configuration),
		cmocka_unit_test(test_cluster_id),
		cmocka_unit_test(test_records_without_metadata_are_refused),
		cmocka_unit_test(test_a_second_broker_is_refused),
		cmocka_unit_test(test_foreign_directories_are_refused),
		cmocka_unit_test(test_readiness_is_said_once),
		cmocka_unit_test(test_log_lines_as_json),
		cmocka_unit_test(test_port_file),
		cmocka_unit_test(test_a_port_file_that_cannot_be_written),
		cmocka_unit_test(test_an_old_port_file_goes),
		cmocka_unit_test(test_a_start_can_be_ended),
		cmocka_unit_test(test_a_stop_while_starting),
		cmocka_unit_test(test_the_service_manager_is_told),
		cmocka_unit_test(test_hangup_is_survived),
		cmocka_unit_test(test_a_second_signal_is_quick),
		cmocka_unit_test(test_a_hangup_does_not_hurry_a_stop),
		cmocka_unit_test(test_a_stop_does_not_wait_for_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
