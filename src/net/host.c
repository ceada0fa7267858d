#include "net/host.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

static void
format_ipv6(const struct sockaddr_in6 *address, char host[INET6_ADDRSTRLEN])
{
	const uint8_t *bytes = address->sin6_addr.s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr))
		(void)inet_ntop(AF_INET, bytes + 12, host, INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(AF_INET6, bytes, host, INET6_ADDRSTRLEN);
}

void
host_format(const struct sockaddr_storage *address,
    char host[INET6_ADDRSTRLEN], uint16_t *port)
{
	const void *any = address;
	const struct sockaddr_in *in = any;
	const struct sockaddr_in6 *in6 = any;

	switch (address->ss_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &in->sin_addr, host,
		    INET6_ADDRSTRLEN);
		*port = ntohs(in->sin_port);
		break;
	case AF_INET6:
		format_ipv6(in6, host);
		*port = ntohs(in6->sin6_port);
		break;
	default:
		(void)snprintf(host, INET6_ADDRSTRLEN, "local");
		*port = 0;
	}
}

static bool
listed(const struct host_address *list, size_t count,
    const struct host_address *address)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].text, address->text) == 0)
			return true;
	return false;
}

static size_t
add(struct host_address **list, size_t count, const struct addrinfo *info)
{
	struct sockaddr_storage storage = { 0 };
	struct host_address address;
	uint16_t port;

	memcpy(&storage, info->ai_addr,
	    MIN(sizeof(storage), (size_t)info->ai_addrlen));
	host_format(&storage, address.text, &port);
	if (listed(*list, count, &address))
		return count;
	*list = xrealloc(*list, (count + 1) * sizeof(**list));
	(*list)[count] = address;
	return count + 1;
}

size_t
host_addresses(struct slice host, bool numeric, struct host_address **list)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = numeric ? AI_NUMERICHOST : 0,
	};
	char *name = slice_dup(host);
	struct addrinfo *all;
	size_t count = 0;

	*list = NULL;
	/*
	 * A text with a zero in it is not what C would take it for; with a zone
	 * it is no address that a connection comes from.
	 */
	if (strlen(name) == host.len && strchr(name, '%') == NULL &&
	    getaddrinfo(name, NULL, &hints, &all) == 0) {
		for (const struct addrinfo *i = all; i != NULL; i = i->ai_next)
			count = add(list, count, i);
		freeaddrinfo(all);
	}
	free(name);
	return count;
}
