/*
 * Port: of TCP, as people write it.
 */
#ifndef CLI_PORT_H
#define CLI_PORT_H

#include "base/base.h"

/* The number that text is, 0 to 65535; -1 where it is none. */
int port_parse(const char *text, int *port) WARN_UNUSED;

#endif
