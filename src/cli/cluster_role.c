#include "cli/cluster_role.h"

#include <stdio.h>

#include "base/slice.h"

static int
complain(const char *key, struct slice value, const char *what)
{
	fprintf(stderr, "klamm: %s: %.*s: %s\n", key, SLICE_ARG(value), what);
	return -1;
}

static int
check_roles(const struct properties *properties)
{
	static const char key[] = "process.roles";
	struct slice value = slice_str(properties_get(properties, key));
	struct slice list = value, item;
	bool broker = false, controller = false;

	while (slice_next_word(&list, &item)) {
		if (slice_equal_str(item, "broker"))
			broker = true;
		else if (slice_equal_str(item, "controller"))
			controller = true;
		else
			return complain(key, item, "no such role");
	}
	if (broker == controller)
		return 0;
	return complain(key, value,
	    controller ? "a controller alone is not supported" :
			 "a broker of a cluster is not supported yet; a "
			 "single node is broker,controller");
}

/* ID@HOST:PORT: is it us? */
static bool
is_voter(struct slice item, int32_t node_id)
{
	const uint8_t *at = memchr(item.data, '@', item.len);
	char own[12];

	snprintf(own, sizeof(own), "%d", node_id);
	return at != NULL &&
	    slice_equal_str(
		slice_trim(slice_of(item.data, (size_t)(at - item.data))),
		own);
}

static int
check_voters(const struct properties *properties, int32_t node_id)
{
	static const char key[] = "controller.quorum.voters";
	struct slice value = slice_str(properties_get(properties, key));
	struct slice list = value, item;
	size_t count = 0;

	while (slice_next_word(&list, &item)) {
		if (!is_voter(item, node_id))
			return complain(key, item,
			    "the only voter can be this node");
		count++;
	}
	return count <= 1 ? 0 : complain(key, value, "a voter twice");
}

static int
check_servers(const struct properties *properties)
{
	static const char key[] = "controller.quorum.bootstrap.servers";
	struct slice value = slice_str(properties_get(properties, key));
	struct slice list = value, item;
	size_t count = 0;

	while (slice_next_word(&list, &item))
		count++;
	return count <= 1 ? 0 :
			    complain(key, value,
				"a quorum of several is not supported yet");
}

int
cluster_role_check(const struct properties *properties, int32_t node_id)
{
	if (check_roles(properties) != 0 ||
	    check_voters(properties, node_id) != 0)
		return -1;
	return check_servers(properties);
}
