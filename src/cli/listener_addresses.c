#include "cli/listener_addresses.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/slice.h"
#include "cli/port.h"

struct url {
	char *name;
	char *host;
	int port;
};

static void
complain(const char *key, const char *item, const char *what)
{
	fprintf(stderr, "klamm: %s: %s: %s\n", key, item, what);
}

static char *
trimmed(struct slice text)
{
	return slice_dup(slice_trim(text));
}

static void
to_upper(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)toupper((unsigned char)*text);
}

static void
url_fini(struct url *url)
{
	free(url->name);
	free(url->host);
	memset(url, 0, sizeof(*url));
}

/* NAME://HOST:PORT, where an IPv6 host stands in brackets. */
static int
url_parse(struct url *url, const char *key, const char *item)
{
	const char *separator = strstr(item, "://"), *host, *colon;
	size_t len;

	memset(url, 0, sizeof(*url));
	if (separator == NULL || separator == item ||
	    (colon = strrchr(separator + 3, ':')) == NULL ||
	    port_parse(colon + 1, &url->port) != 0) {
		complain(key, item, "not NAME://HOST:PORT");
		return -1;
	}
	host = separator + 3;
	len = (size_t)(colon - host);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']')
		host++, len -= 2;
	url->name = slice_dup(slice_of(item, (size_t)(separator - item)));
	to_upper(url->name);
	url->host = slice_dup(slice_of(host, len));
	return 0;
}

static bool
list_contains(const char *text, const char *name)
{
	struct slice list = slice_str(text), item;

	while (slice_next_word(&list, &item))
		if (item.len == strlen(name) &&
		    strncasecmp((const char *)item.data, name, item.len) == 0)
			return true;
	return false;
}

/* The protocol that the map gives to name, on the heap, or NULL. */
static char *
mapped_protocol(const char *map, const char *name)
{
	struct slice list = slice_str(map), item;
	char *protocol = NULL;

	while (protocol == NULL && slice_next_word(&list, &item)) {
		const uint8_t *colon = memrchr(item.data, ':', item.len);
		char *left;

		if (colon == NULL)
			continue;
		left = trimmed(
		    slice_of(item.data, (size_t)(colon - item.data)));
		item = slice_of(colon + 1,
		    item.len - (size_t)(colon + 1 - item.data));
		if (strcasecmp(left, name) == 0)
			protocol = trimmed(item);
		free(left);
	}
	return protocol;
}

static const char *const protocols[] = {
	[SECURITY_PLAINTEXT] = "PLAINTEXT",
	[SECURITY_SSL] = "SSL",
	[SECURITY_SASL_PLAINTEXT] = "SASL_PLAINTEXT",
	[SECURITY_SASL_SSL] = "SASL_SSL",
};

static int
protocol_of(const char *name, enum security_protocol *protocol)
{
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		if (strcasecmp(protocols[i], name) == 0) {
			*protocol = (enum security_protocol)i;
			return 0;
		}
	return -1;
}

/* Without a map a listener's name says it. */
static int
find_protocol(const struct properties *properties, const char *name,
    enum security_protocol *protocol)
{
	static const char key[] = "listener.security.protocol.map";
	const char *map = properties_get(properties, key);
	char *mapped =
	    map == NULL ? xstrdup(name) : mapped_protocol(map, name);
	int result = -1;

	if (mapped != NULL && protocol_of(mapped, protocol) == 0)
		result = 0;
	else if (mapped == NULL || map == NULL)
		fprintf(stderr,
		    "klamm: %s: No security protocol defined for listener "
		    "%s\n",
		    key, name);
	else
		fprintf(stderr,
		    "klamm: %s: listener %s: there is no security protocol "
		    "%s\n",
		    key, name, mapped);
	free(mapped);
	return result;
}

static struct listener_address *
find(struct listener_addresses *addresses, const char *name)
{
	for (size_t i = 0; i < addresses->count; i++)
		if (strcmp(addresses->items[i].name, name) == 0)
			return &addresses->items[i];
	return NULL;
}

/* Clients cannot connect to "all addresses": they are told our host name. */
static char *
advertisable(const char *host)
{
	char name[256] = "";

	if (*host != '\0' && strcmp(host, "0.0.0.0") != 0 &&
	    strcmp(host, "::") != 0)
		return xstrdup(host);
	if (gethostname(name, sizeof(name) - 1) != 0)
		return xstrdup("localhost");
	return xstrdup(name);
}

static int
add(struct listener_addresses *addresses, struct url *url,
    enum security_protocol protocol)
{
	struct listener_address *address;

	if (find(addresses, url->name) != NULL) {
		complain("listeners", url->name, "a listener name twice");
		return -1;
	}
	addresses->items = xrealloc(addresses->items,
	    (addresses->count + 1) * sizeof(*addresses->items));
	address = &addresses->items[addresses->count++];
	*address = (struct listener_address){
		.name = url->name,
		.host = url->host,
		.port = url->port,
		.advertised_host = advertisable(url->host),
		.protocol = protocol,
	};
	memset(url, 0, sizeof(*url));
	return 0;
}

/* Kafka takes what stands in a list twice once. */
static bool
came_before(struct slice list, struct slice word)
{
	size_t before = (size_t)(word.data - list.data);

	return slice_list_has(slice_of(list.data, before), word);
}

static int
parse_listeners(struct listener_addresses *addresses,
    const struct properties *properties)
{
	const struct slice list =
	    slice_str(properties_get(properties, "listeners"));
	const char *controllers =
	    properties_get(properties, "controller.listener.names");
	struct slice left = list, word;
	int result = 0;

	while (result == 0 && slice_next_word(&left, &word)) {
		char *item;
		struct url url;

		if (came_before(list, word))
			continue;
		item = slice_dup(word);
		result = url_parse(&url, "listeners", item);
		free(item);
		if (result == 0 && !list_contains(controllers, url.name)) {
			enum security_protocol protocol;

			result = find_protocol(
			    properties, url.name, &protocol);
			if (result == 0)
				result = add(addresses, &url, protocol);
		}
		url_fini(&url);
	}
	if (result == 0 && addresses->count == 0) {
		fprintf(stderr, "klamm: listeners: none for clients\n");
		result = -1;
	}
	return result;
}

static int
advertise(struct listener_addresses *addresses, struct url *url)
{
	struct listener_address *address = find(addresses, url->name);

	if (address == NULL) {
		complain("advertised.listeners", url->name,
		    "not among the listeners");
		return -1;
	}
	if (address->advertised) {
		complain("advertised.listeners", url->name,
		    "a listener name twice");
		return -1;
	}
	address->advertised = true;
	if (strcmp(url->host, "0.0.0.0") == 0) {
		complain("advertised.listeners", url->name,
		    "0.0.0.0 is not an address to connect to");
		return -1;
	}
	free(address->advertised_host);
	address->advertised_host = advertisable(url->host);
	address->advertised_port = url->port;
	return 0;
}

static int
parse_advertised(struct listener_addresses *addresses,
    const struct properties *properties)
{
	const struct slice list =
	    slice_str(properties_get(properties, "advertised.listeners"));
	const char *controllers =
	    properties_get(properties, "controller.listener.names");
	struct slice left = list, word;
	int result = 0;

	while (result == 0 && slice_next_word(&left, &word)) {
		char *item;
		struct url url;

		if (came_before(list, word))
			continue;
		item = slice_dup(word);
		result = url_parse(&url, "advertised.listeners", item);
		free(item);
		if (result == 0 && !list_contains(controllers, url.name))
			result = advertise(addresses, &url);
		url_fini(&url);
	}
	return result;
}

/* Nobody else is there to talk to; what Kafka refuses is refused. */
static int
check_inter_broker(struct listener_addresses *addresses,
    const struct properties *properties)
{
	static const char key[] = "inter.broker.listener.name";
	const char *value = properties_get(properties, key);
	char *name;
	int result = 0;

	if (value == NULL || *value == '\0')
		return 0;
	name = trimmed(slice_str(value));
	to_upper(name);
	if (properties_get(properties, "security.inter.broker.protocol") !=
	    NULL) {
		complain(key, name,
		    "security.inter.broker.protocol is set as well");
		result = -1;
	} else if (find(addresses, name) == NULL) {
		complain(key, name, "not among the listeners");
		result = -1;
	}
	free(name);
	return result;
}

/* --- --port -------------------------------------------------------------- */

/* The listener's name, on the heap, of NAME://HOST:PORT. */
static char *
name_of(struct slice item)
{
	const void *separator = memmem(item.data, item.len, "://", 3);

	if (separator != NULL)
		item.len = (size_t)((const uint8_t *)separator - item.data);
	return slice_dup(item);
}

static void
append(char **list, struct slice item)
{
	char *longer = *list == NULL ?
	    slice_dup(item) :
	    xasprintf("%s,%.*s", *list, SLICE_ARG(item));

	free(*list);
	*list = longer;
}

/* The list with its first listener for clients moved, which *name gets. */
static char *
move_first(const char *text, const char *controllers, int port, char **name)
{
	struct slice list = slice_str(text), item;
	char *moved = NULL, *own, *place;

	*name = NULL;
	while (slice_next_word(&list, &item)) {
		own = name_of(item);
		if (*name != NULL || list_contains(controllers, own)) {
			append(&moved, item);
			free(own);
			continue;
		}
		place = xasprintf("%s://localhost:%d", own, port);
		append(&moved, slice_str(place));
		free(place);
		*name = own;
	}
	return moved;
}

static char *
without(const char *text, const char *name)
{
	struct slice list = slice_str(text), item;
	char *rest = NULL, *own;

	while (slice_next_word(&list, &item)) {
		own = name_of(item);
		if (strcasecmp(own, name) != 0)
			append(&rest, item);
		free(own);
	}
	return rest;
}

static void
set_or_remove(struct properties *properties, const char *key, char *value)
{
	if (value == NULL)
		properties_remove(properties, key);
	else
		properties_set(properties, key, value);
	free(value);
}

void
listener_addresses_move(struct properties *properties, int port,
    bool keep_advertised)
{
	char *name;
	char *listeners =
	    move_first(properties_get(properties, "listeners"),
		properties_get(properties, "controller.listener.names"), port,
		&name);

	if (name != NULL && !keep_advertised)
		set_or_remove(properties, "advertised.listeners",
		    without(properties_get(properties, "advertised.listeners"),
			name));
	set_or_remove(properties, "listeners", listeners);
	free(name);
}

/* --- the whole ----------------------------------------------------------- */

int
listener_addresses_parse(struct listener_addresses *addresses,
    const struct properties *properties)
{
	memset(addresses, 0, sizeof(*addresses));
	if (parse_listeners(addresses, properties) == 0 &&
	    parse_advertised(addresses, properties) == 0 &&
	    check_inter_broker(addresses, properties) == 0)
		return 0;
	listener_addresses_fini(addresses);
	return -1;
}

void
listener_addresses_fini(struct listener_addresses *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		free(addresses->items[i].name);
		free(addresses->items[i].host);
		free(addresses->items[i].advertised_host);
	}
	free(addresses->items);
	memset(addresses, 0, sizeof(*addresses));
}
