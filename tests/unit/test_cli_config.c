/*
 * The configuration of the process: arguments, environment, file, and what is
 * made of listeners, directories and roles.
 */
#include "unit/unit.h"

#include "cli/cluster_role.h"
#include "cli/configuration.h"
#include "cli/data_directories.h"
#include "cli/environment.h"
#include "cli/listener_addresses.h"
#include "cli/serve_options.h"
#include "cli/static_config.h"
#include "unit/temp_dir.h"

/* --- Environment ---------------------------------------------------------- */

static void
expect_key(const char *variable, const char *expected)
{
	char *key = environment_key(variable);

	if (expected == NULL)
		assert_null(key);
	else
		assert_string_equal(key, expected);
	free(key);
}

static void
variables_stand_for_keys(void **state UNUSED)
{
	expect_key("KAFKA_LOG_DIRS", "log.dirs");
	expect_key("KAFKA_CFG_LOG_DIRS", "log.dirs");
	expect_key("KAFKA_NUM_PARTITIONS", "num.partitions");
	expect_key("KAFKA_LISTENER_NAME_A__B_SSL", "listener.name.a_b.ssl");
	expect_key("KAFKA_X___Y", "x-y");
	expect_key("KAFKA_X____Y", "x-.y");
	expect_key("KAFKA_CFG_CFG_X", "cfg.x");
	expect_key("KAFKA_", NULL);
	expect_key("KAFKA_CFG_", NULL);
	expect_key("KAFKA", NULL);
	expect_key("PATH", NULL);
	expect_key("CLUSTER_ID", NULL);
}

static void
variables_of_the_scripts_are_not_keys(void **state UNUSED)
{
	expect_key("KAFKA_HOME", NULL);
	expect_key("KAFKA_HEAP_OPTS", NULL);
	expect_key("KAFKA_OPTS", NULL);
	expect_key("KAFKA_JMX_PORT", NULL);
	expect_key("KAFKA_LOG4J_ROOT_LOGLEVEL", NULL);
	expect_key("KAFKA_LOG4J_OPTS", NULL);
	expect_key("KAFKA_TOOLS_LOG4J_LOGLEVEL", NULL);
	expect_key("KAFKA_CLUSTER_ID", NULL);
	expect_key("KAFKA_KRAFT_CLUSTER_ID", NULL);
}

/* As main gets its texts, which nobody writes to. */
static char *
text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

/* --- Arguments ------------------------------------------------------------ */

static int
parse(struct serve_options *options, const char *a, const char *b,
    const char *c)
{
	char *argv[] = { text("serve"), text(a), text(b), text(c), NULL };
	int argc = 1;

	while (argc < 4 && argv[argc] != NULL)
		argc++;
	return serve_options_parse(options, argc, argv);
}

static void
arguments_are_understood(void **state UNUSED)
{
	struct serve_options options;

	assert_int_equal(parse(&options, NULL, NULL, NULL), 0);
	assert_null(options.properties_path);
	assert_int_equal(options.port, -1);
	serve_options_fini(&options);
	assert_int_equal(parse(&options, "--port", "0", "a.properties"), 0);
	assert_int_equal(options.port, 0);
	assert_string_equal(options.properties_path, "a.properties");
	serve_options_fini(&options);
	assert_int_equal(parse(&options, "a.properties", "--override",
			     "a=b=c"),
	    0);
	assert_int_equal(options.overrides_count, 1);
	assert_string_equal(options.overrides[0], "a=b=c");
	serve_options_fini(&options);
	assert_int_equal(parse(&options, "--dev", "--check-config",
			     "--log-format=json"),
	    0);
	assert_true(options.dev && options.check_config);
	assert_int_equal(options.log_format, LOG_FORMAT_JSON);
	serve_options_fini(&options);
}

static void
other_arguments_are_refused(void **state UNUSED)
{
	static const char *const bad[][2] = { { "--port", "x" },
		{ "--port", "65536" }, { "--port", "-1" }, { "--port", "" },
		{ "--override", "novalue" }, { "--override", "=value" },
		{ "--log-format", "xml" }, { "a.properties", "b.properties" },
		{ "--no-such-option", NULL }, { "--override", NULL } };
	struct serve_options options;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(parse(&options, bad[i][0], bad[i][1], NULL),
		    -1);
		serve_options_fini(&options);
	}
}

/* --- The static configuration --------------------------------------------- */

static void
expect_property(const struct properties *properties, const char *key,
    const char *expected)
{
	const char *value = properties_get(properties, key);

	if (expected == NULL)
		assert_null(value);
	else
		assert_string_equal(value, expected);
}

static void
command_line_beats_environment_beats_file(void **state UNUSED)
{
	char *dir = temp_dir_make();
	char *path = xasprintf("%s/s.properties", dir);
	const char *overrides[] = { "a=1", "a=2", "d=" };
	char *environment[] = { text("KAFKA_A=3"), text("KAFKA_B=4"),
		text("OTHER=5"), text("NOEQUALS"), NULL };
	struct serve_options options = {
		.properties_path = path,
		.overrides = overrides,
		.overrides_count = 3,
		.port = -1,
	};
	struct properties properties;

	temp_dir_put(dir, "s.properties", "a=6\nb=7\nc=8\nd=9\n");
	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), 0);
	expect_property(&properties, "a", "2");
	expect_property(&properties, "b", "4");
	expect_property(&properties, "c", "8");
	expect_property(&properties, "d", "");
	/* A file without listeners has Kafka's. */
	expect_property(&properties, "listeners", "PLAINTEXT://:9092");
	properties_fini(&properties);
	options.properties_path = "/no/such/file";
	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), -1);
	properties_fini(&properties);
	options.properties_path = dir;
	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), -1);
	properties_fini(&properties);
	free(path);
	temp_dir_remove(dir);
}

static void
without_anything_there_are_defaults(void **state UNUSED)
{
	char *environment[] = { NULL };
	struct serve_options options = { .port = -1 };
	struct properties properties;

	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), 0);
	expect_property(&properties, "listeners", "PLAINTEXT://localhost:9092");
	expect_property(&properties, "log.dirs", "klamm-data");
	expect_property(&properties, "klamm.flush", NULL);
	properties_fini(&properties);
	options.port = 0;
	options.data_dir = "elsewhere";
	options.dev = true;
	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), 0);
	expect_property(&properties, "listeners", "PLAINTEXT://localhost:0");
	expect_property(&properties, "log.dirs", "elsewhere");
	expect_property(&properties, "klamm.flush", "os");
	expect_property(&properties, "group.initial.rebalance.delay.ms", "0");
	properties_fini(&properties);
}

static void
what_is_advertised_is_listened_to(void **state UNUSED)
{
	char *environment[] = {
		text("KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://broker:9092"),
		NULL
	};
	const struct serve_options options = { .port = -1 };
	struct properties properties;

	properties_init(&properties);
	assert_int_equal(
	    static_config_load(&properties, &options, environment), 0);
	expect_property(&properties, "listeners", "PLAINTEXT://:9092");
	properties_fini(&properties);
}

/* Load properties with --port 9; an override may be NULL. */
static void
load_with_port(struct properties *properties, const char *const *environment,
    const char *override)
{
	const struct serve_options options = {
		.port = 9,
		.overrides = &override,
		.overrides_count = override != NULL,
	};

	properties_init(properties);
	assert_int_equal(static_config_load(properties, &options,
			     (char **)(uintptr_t)environment),
	    0);
}

#define ENVIRONMENT(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
a_port_moves_one_listener(void **state UNUSED)
{
	const char *const *environment = ENVIRONMENT(
	    "KAFKA_LISTENERS=CTL://:1, Internal://:2,EXTERNAL://:3",
	    "KAFKA_CONTROLLER_LISTENER_NAMES=CTL",
	    "KAFKA_INTER_BROKER_LISTENER_NAME=INTERNAL",
	    "KAFKA_ADVERTISED_LISTENERS=EXTERNAL://e:3,INTERNAL://i:2",
	    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CTL:PLAINTEXT,"
	    "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT");
	struct listener_addresses addresses;
	struct properties properties;

	load_with_port(&properties, environment, NULL);
	expect_property(&properties, "listeners",
	    "CTL://:1,Internal://localhost:9,EXTERNAL://:3");
	expect_property(&properties, "advertised.listeners",
	    "EXTERNAL://e:3");
	assert_int_equal(listener_addresses_parse(&addresses, &properties),
	    0);
	assert_string_equal(addresses.items[0].name, "INTERNAL");
	assert_string_equal(addresses.items[0].advertised_host, "localhost");
	listener_addresses_fini(&addresses);
	properties_fini(&properties);

	load_with_port(&properties,
	    ENVIRONMENT("KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://a:1"), NULL);
	expect_property(&properties, "listeners", "PLAINTEXT://localhost:9");
	expect_property(&properties, "advertised.listeners", NULL);
	properties_fini(&properties);
}

static void
an_override_beats_the_port(void **state UNUSED)
{
	struct properties properties;

	load_with_port(&properties, ENVIRONMENT(NULL),
	    "advertised.listeners=PLAINTEXT://a:1");
	expect_property(&properties, "listeners", "PLAINTEXT://localhost:9");
	expect_property(&properties, "advertised.listeners",
	    "PLAINTEXT://a:1");
	properties_fini(&properties);
	load_with_port(&properties, ENVIRONMENT(NULL),
	    "listeners=PLAINTEXT://a:1");
	expect_property(&properties, "listeners", "PLAINTEXT://a:1");
	properties_fini(&properties);
}

/* --- The whole configuration ---------------------------------------------- */

static int
configure(struct configuration *configuration,
    const char *const *environment)
{
	const struct serve_options options = { .port = -1 };

	return configuration_load(configuration, &options,
	    (char **)(uintptr_t)environment);
}

static void
expect_node_id(int32_t id, const char *const *environment)
{
	struct configuration configuration;
	char *text = xasprintf("%d", id);

	assert_int_equal(configure(&configuration, environment), 0);
	assert_int_equal(configuration.node_id, id);
	expect_property(&configuration.properties, "node.id", text);
	expect_property(&configuration.properties, "broker.id", text);
	configuration_fini(&configuration);
	free(text);
}

static void
expect_no_node_id(const char *const *environment)
{
	struct configuration configuration;

	assert_int_equal(configure(&configuration, environment), -1);
	configuration_fini(&configuration);
}

static void
a_node_has_one_id(void **state UNUSED)
{
	expect_node_id(1, ENVIRONMENT(NULL));
	expect_node_id(4, ENVIRONMENT("KAFKA_NODE_ID=4"));
	expect_node_id(5, ENVIRONMENT("KAFKA_BROKER_ID=5"));
	expect_node_id(6,
	    ENVIRONMENT("KAFKA_NODE_ID=6 ", "KAFKA_BROKER_ID=06"));
	expect_no_node_id(ENVIRONMENT("KAFKA_NODE_ID=1", "KAFKA_BROKER_ID=2"));
	expect_no_node_id(ENVIRONMENT("KAFKA_NODE_ID=-1"));
	expect_no_node_id(ENVIRONMENT("KAFKA_BROKER_ID=2147483648"));
	expect_no_node_id(ENVIRONMENT("KAFKA_BROKER_ID="));
}

/* --- Listeners ------------------------------------------------------------ */

/* Up to five pairs of key and value; -1 where they are refused. */
struct listening {
	struct properties properties;
	struct listener_addresses addresses;
};

static int
listen_to(struct listening *l, const char *const (*pairs)[2])
{
	properties_init(&l->properties);
	for (; (*pairs)[0] != NULL; pairs++)
		properties_set(&l->properties, (*pairs)[0], (*pairs)[1]);
	return listener_addresses_parse(&l->addresses, &l->properties);
}

static void
stop_listening(struct listening *l)
{
	listener_addresses_fini(&l->addresses);
	properties_fini(&l->properties);
}

#define PAIRS(...) \
	((const char *const[][2]){ __VA_ARGS__, { NULL, NULL } })

static void
listeners_have_hosts_of_all_kinds(void **state UNUSED)
{
	struct listening l;
	const struct listener_address *a;

	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners", "PLAINTEXT://:9092" })),
	    0);
	a = &l.addresses.items[0];
	assert_string_equal(a->name, "PLAINTEXT");
	assert_string_equal(a->host, "");
	assert_int_equal(a->port, 9092);
	assert_true(*a->advertised_host != '\0');
	stop_listening(&l);
	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners", "PLAINTEXT://[::1]:9092" })),
	    0);
	assert_string_equal(l.addresses.items[0].host, "::1");
	assert_string_equal(l.addresses.items[0].advertised_host, "::1");
	stop_listening(&l);
	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners", "PLAINTEXT://0.0.0.0:0" },
		    { "advertised.listeners", "PLAINTEXT://h:1" })),
	    0);
	a = &l.addresses.items[0];
	assert_string_equal(a->host, "0.0.0.0");
	assert_string_equal(a->advertised_host, "h");
	assert_int_equal(a->advertised_port, 1);
	stop_listening(&l);
	assert_int_equal(
	    listen_to(&l, PAIRS({ "listeners", "PLAINTEXT://[::]:9092" })),
	    0);
	assert_string_not_equal(l.addresses.items[0].advertised_host, "::");
	stop_listening(&l);
}

static void
several_listeners_have_names_and_protocols(void **state UNUSED)
{
	struct listening l;

	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners",
			  " internal://a:1 , EXTERNAL://b:2,CTL://c:3" },
		    { "advertised.listeners",
			"EXTERNAL://x:22,INTERNAL://y:11,CTL://c:3" },
		    { "listener.security.protocol.map",
			"INTERNAL:PLAINTEXT, external : plaintext "
			",CTL:SSL" },
		    { "controller.listener.names", "CTL" },
		    { "inter.broker.listener.name", "Internal" })),
	    0);
	assert_int_equal(l.addresses.count, 2);
	assert_string_equal(l.addresses.items[0].name, "INTERNAL");
	assert_string_equal(l.addresses.items[0].advertised_host, "y");
	assert_string_equal(l.addresses.items[1].name, "EXTERNAL");
	assert_int_equal(l.addresses.items[1].advertised_port, 22);
	stop_listening(&l);
}

static void
every_protocol_is_known(void **state UNUSED)
{
	struct listening l;

	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners",
		    "SASL_SSL://:1,SSL://:2,SASL_PLAINTEXT://:3,"
		    "PLAINTEXT://:4" })),
	    0);
	assert_int_equal(l.addresses.items[0].protocol, SECURITY_SASL_SSL);
	assert_int_equal(l.addresses.items[1].protocol, SECURITY_SSL);
	assert_int_equal(
	    l.addresses.items[2].protocol, SECURITY_SASL_PLAINTEXT);
	assert_int_equal(l.addresses.items[3].protocol, SECURITY_PLAINTEXT);
	stop_listening(&l);
}

static void
listeners_that_contradict_are_refused(void **state UNUSED)
{
	static const char *const bad[][5][2] = {
		{ { "listeners", "" } },
		{ { "listeners", "localhost:9092" } },
		{ { "listeners", "PLAINTEXT://localhost" } },
		{ { "listeners", "PLAINTEXT://localhost:x" } },
		{ { "listeners", "PLAINTEXT://localhost:65536" } },
		{ { "listeners", "://localhost:9092" } },
		{ { "listeners", "PLAINTEXT://a:1,PLAINTEXT://b:2" } },
		{ { "listeners", "OWN://a:1" } },
		{ { "listeners", "SSL://a:1" },
		    { "listener.security.protocol.map", "SSL:TLS" } },
		{ { "listeners", "CONTROLLER://a:1" },
		    { "controller.listener.names", "CONTROLLER" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "advertised.listeners", "OTHER://a:1" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "advertised.listeners", "PLAINTEXT://0.0.0.0:1" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "advertised.listeners",
			"PLAINTEXT://a:1,PLAINTEXT://b:1" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "inter.broker.listener.name", "OTHER" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "inter.broker.listener.name", "PLAINTEXT" },
		    { "security.inter.broker.protocol", "PLAINTEXT" } },
		{ { "listeners", "PLAINTEXT://a:1" },
		    { "listener.security.protocol.map", "X:PLAINTEXT" } },
	};
	struct listening l;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(listen_to(&l, bad[i]), -1);
		stop_listening(&l);
	}
}

/* --- Directories ---------------------------------------------------------- */

static int
directories(struct data_directories *d, const char *const (*pairs)[2])
{
	struct properties properties;
	int result;

	properties_init(&properties);
	for (; (*pairs)[0] != NULL; pairs++)
		properties_set(&properties, (*pairs)[0], (*pairs)[1]);
	result = data_directories_read(d, &properties);
	properties_fini(&properties);
	return result;
}

static void
metadata_may_live_elsewhere(void **state UNUSED)
{
	struct data_directories d;

	assert_int_equal(
	    directories(&d, PAIRS({ "log.dirs", " /a/ , /b,," })), 0);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.logs_count, 2);
	assert_string_equal(d.paths[0], "/a");
	assert_int_equal(d.metadata, 0);
	data_directories_fini(&d);
	assert_int_equal(
	    directories(&d,
		PAIRS({ "log.dirs", "/a,/b" },
		    { "metadata.log.dir", "/b/" })),
	    0);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.metadata, 1);
	data_directories_fini(&d);
	assert_int_equal(
	    directories(&d,
		PAIRS({ "log.dir", "/a" }, { "metadata.log.dir", "/m" })),
	    0);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.logs_count, 1);
	assert_int_equal(d.metadata, 1);
	assert_string_equal(d.paths[1], "/m");
	data_directories_fini(&d);
	assert_int_equal(directories(&d, PAIRS({ "log.dirs", " , " })), -1);
	data_directories_fini(&d);
}

/* Kafka takes what stands in a list twice once. */
static void
what_comes_twice_counts_once(void **state UNUSED)
{
	struct listening l;
	struct data_directories d;

	assert_int_equal(
	    directories(&d, PAIRS({ "log.dirs", "/a, /b,/a" })), 0);
	assert_int_equal(d.count, 2);
	data_directories_fini(&d);
	assert_int_equal(
	    listen_to(&l,
		PAIRS({ "listeners", "A://h:1, A://h:1" },
		    { "advertised.listeners", "A://k:2,A://k:2" },
		    { "listener.security.protocol.map", "A:PLAINTEXT" })),
	    0);
	assert_int_equal(l.addresses.count, 1);
	stop_listening(&l);
}

/* --- Roles ---------------------------------------------------------------- */

static int
role(const char *const (*pairs)[2])
{
	struct properties properties;
	int result;

	properties_init(&properties);
	for (; (*pairs)[0] != NULL; pairs++)
		properties_set(&properties, (*pairs)[0], (*pairs)[1]);
	result = cluster_role_check(&properties, 1);
	properties_fini(&properties);
	return result;
}

static void
nobody_gets_a_second_cluster(void **state UNUSED)
{
	assert_int_equal(role(PAIRS({ "zookeeper.connect", "z" })), 0);
	assert_int_equal(
	    role(PAIRS({ "process.roles", "broker, controller" },
		{ "controller.quorum.voters", "1@localhost:9093" },
		{ "controller.quorum.bootstrap.servers", "a:9093" })),
	    0);
	assert_int_equal(role(PAIRS({ "process.roles", "broker" })), -1);
	assert_int_equal(role(PAIRS({ "process.roles", "controller" })), -1);
	assert_int_equal(role(PAIRS({ "process.roles", "boss" })), -1);
	assert_int_equal(
	    role(PAIRS({ "controller.quorum.voters", "2@localhost:9093" })),
	    -1);
	assert_int_equal(
	    role(PAIRS({ "controller.quorum.voters", "1@a:1,2@b:1" })), -1);
	assert_int_equal(
	    role(PAIRS({ "controller.quorum.bootstrap.servers",
		"a:1,b:1" })),
	    -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_stand_for_keys),
		cmocka_unit_test(variables_of_the_scripts_are_not_keys),
		cmocka_unit_test(arguments_are_understood),
		cmocka_unit_test(other_arguments_are_refused),
		cmocka_unit_test(command_line_beats_environment_beats_file),
		cmocka_unit_test(without_anything_there_are_defaults),
		cmocka_unit_test(what_is_advertised_is_listened_to),
		cmocka_unit_test(a_port_moves_one_listener),
		cmocka_unit_test(an_override_beats_the_port),
		cmocka_unit_test(a_node_has_one_id),
		cmocka_unit_test(listeners_have_hosts_of_all_kinds),
		cmocka_unit_test(several_listeners_have_names_and_protocols),
		cmocka_unit_test(every_protocol_is_known),
		cmocka_unit_test(listeners_that_contradict_are_refused),
		cmocka_unit_test(metadata_may_live_elsewhere),
		cmocka_unit_test(what_comes_twice_counts_once),
		cmocka_unit_test(nobody_gets_a_second_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
