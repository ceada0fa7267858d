/*
 * Host: the addresses that a name, or the text of an address, stands for, in
 * the form in which connections say where they come from.
 */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <netinet/in.h>

#include "base/base.h"

struct sockaddr_storage;

/* The text of an address. */
struct host_address {
	char text[INET6_ADDRSTRLEN];
};

/*
 * The addresses of host, without repetition; the caller frees them.  Their
 * count, 0 where it has none.  Looking up a name blocks; where numeric only
 * the text of an address counts as one, and it never does.
 */
size_t host_addresses(struct slice host, bool numeric,
    struct host_address **addresses) WARN_UNUSED;

/*
 * The address as text and its port.  An IPv4 address in IPv6 form is written
 * as IPv4, as Java does.
 */
void host_format(const struct sockaddr_storage *address,
    char host[INET6_ADDRSTRLEN], uint16_t *port);

#endif
