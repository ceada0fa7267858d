/*
 * Access control: authorizer.class.name, super.users and
 * allow.everyone.if.no.acl.found, which belong to Kafka's authorizer and so
 * stand in no table of keys.
 */
#ifndef CLI_ACCESS_CONTROL_H
#define CLI_ACCESS_CONTROL_H

#include "base/base.h"
#include "base/properties.h"

struct authorizer;
struct config_set;

/*
 * -1 with a line on standard error where they ask for what we are not: nobody
 * who wants access control may get a broker with another one, or without.
 */
int access_control_check(const struct properties *properties) WARN_UNUSED;

/* The authorizer of a checked file; NULL where it asks for none. */
struct authorizer *access_control_authorizer(const struct config_set *file);

#endif
