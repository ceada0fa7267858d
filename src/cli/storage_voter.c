#include "cli/storage_voter.h"

#include "base/slice.h"
#include "cli/exit_code.h"
#include "cli/storage.h"
#include "meta/config_keys.h"

/* --- From the configuration ----------------------------------------------- */

/* HOST:PORT in NAME://HOST:PORT where the name is this one, or NULL. */
static char *
address_in(char *text, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(text, name, len) != 0 ||
	    strncmp(text + len, "://", 3) != 0)
		return NULL;
	return text + len + 3;
}

/* Take the listener of this name from a list of them. */
static bool
find_listener(const char *list, const char *name, struct storage_voter *voter)
{
	struct slice left = slice_str(list), item;
	bool found = false;

	while (!found && slice_next_word(&left, &item)) {
		char *text = slice_dup(item);
		char *host = address_in(text, name);
		char *colon = host == NULL ? NULL : strrchr(host, ':');

		if (colon != NULL) {
			*colon = '\0';
			voter->port =
			    (uint16_t)strtoul(colon + 1, NULL, 10);
			voter->host =
			    xstrdup(*host == '\0' ? "localhost" : host);
			found = true;
		}
		free(text);
	}
	return found;
}

void
storage_voter_configured(struct storage_voter *voter,
    const struct properties *properties)
{
	struct slice names = slice_str(properties_get(properties,
	    "controller.listener.names"));
	struct slice name;

	if (!slice_next_word(&names, &name))
		name = SLICE_LITERAL("CONTROLLER");
	*voter = (struct storage_voter){ .listener = slice_dup(name) };
	if (find_listener(properties_get(properties, "advertised.listeners"),
		voter->listener, voter) ||
	    find_listener(properties_get(properties, "listeners"),
		voter->listener, voter))
		return;
	voter->host = xstrdup("localhost");
	voter->port = 9093;
}

void
storage_voter_fini(struct storage_voter *voter)
{
	free(voter->listener);
	free(voter->host);
}

/* --- From the arguments --------------------------------------------------- */

/* Take what stands before the first mark off text; null where there is none. */
static struct slice
take_until(struct slice *text, char mark)
{
	const uint8_t *found =
	    text->len == 0 ? NULL : memchr(text->data, mark, text->len);
	struct slice before;

	if (found == NULL)
		return SLICE_NULL;
	before = slice_of(text->data, (size_t)(found - text->data));
	*text = slice_of(found + 1, text->len - before.len - 1);
	return before;
}

/* A number from 0 to max in digits; -1 where it is none. */
static int64_t
number_of(struct slice text, int64_t max)
{
	int64_t number;

	if (config_key_int64(text, &number) != 0 || number < 0 ||
	    number > max)
		return -1;
	return number;
}

static int
take_node(struct slice *text, int32_t node_id)
{
	struct slice id = take_until(text, '@');
	int64_t number;

	if (slice_is_null(id))
		return storage_fail("No @ found in dynamic voter string.");
	if (id.len == 0)
		return storage_fail("Invalid @ at beginning of dynamic voter "
		    "string.");
	number = number_of(id, INT32_MAX);
	if (number < 0)
		return storage_fail("Failed to parse node id in dynamic voter "
		    "string.");
	if (number != node_id)
		return storage_fail("--initial-controllers: a cluster without "
		    "this node, %d, is not supported yet", node_id);
	return EXIT_OK;
}

static int
take_host(struct slice *text, struct storage_voter *voter)
{
	struct slice host;

	if (text->len == 0)
		return storage_fail("No hostname found after node id.");
	if (text->data[0] == '[') {
		*text = slice_of(text->data + 1, text->len - 1);
		host = take_until(text, ']');
		if (slice_is_null(host))
			return storage_fail("Hostname began with left "
			    "bracket, but no right bracket was found.");
		if (text->len == 0 || text->data[0] != ':')
			return storage_fail("Port section must start with a "
			    "colon.");
		*text = slice_of(text->data + 1, text->len - 1);
	} else {
		host = take_until(text, ':');
		if (slice_is_null(host))
			return storage_fail("No colon following hostname "
			    "could be found.");
	}
	free(voter->host);
	voter->host = slice_dup(host);
	return EXIT_OK;
}

static int
take_port(struct slice *text, struct storage_voter *voter)
{
	struct slice port = take_until(text, ':');
	int64_t number;

	if (slice_is_null(port))
		return storage_fail("No colon following port could be found.");
	number = number_of(port, UINT16_MAX);
	if (number < 0)
		return storage_fail("Failed to parse port in dynamic voter "
		    "string.");
	voter->port = (uint16_t)number;
	return EXIT_OK;
}

int
storage_voter_parse(struct storage_voter *voter, const char *text,
    int32_t node_id)
{
	struct slice left = slice_trim(slice_str(text));
	int result;

	if (strchr(text, ',') != NULL)
		return storage_fail("--initial-controllers: a quorum of "
		    "several is not supported yet");
	result = take_node(&left, node_id);
	if (result == EXIT_OK)
		result = take_host(&left, voter);
	if (result == EXIT_OK)
		result = take_port(&left, voter);
	if (result == EXIT_OK && uuid_parse(left, &voter->directory_id) != 0)
		result = storage_fail("Failed to parse directory ID in "
		    "dynamic voter string.");
	return result;
}
