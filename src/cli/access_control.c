#include "cli/access_control.h"

#include <stdio.h>
#include <strings.h>

#include "auth/authorizer.h"
#include "meta/config_set.h"

#define CLASS_KEY "authorizer.class.name"
#define SUPER_USERS_KEY "super.users"
#define ALLOW_EVERYONE_KEY "allow.everyone.if.no.acl.found"

static struct slice
setting(const char *text)
{
	return text == NULL ? SLICE_NULL : slice_str(text);
}

int
access_control_check(const struct properties *properties)
{
	const char *class = properties_get(properties, CLASS_KEY);

	if (class == NULL || *class == '\0')
		return 0;
	if (strcmp(class, AUTHORIZER_CLASS) != 0) {
		fprintf(stderr,
		    "klamm: " CLASS_KEY ": there is no authorizer but " //
		    AUTHORIZER_CLASS "\n");
		return -1;
	}
	if (!authorizer_super_users_valid(
		setting(properties_get(properties, SUPER_USERS_KEY)))) {
		fprintf(stderr,
		    "klamm: " SUPER_USERS_KEY ": each has to be "
		    "Type:name, and semicolons part them\n");
		return -1;
	}
	return 0;
}

static bool
is_true(struct slice text)
{
	return text.len == 4 &&
	    strncasecmp((const char *)text.data, "true", text.len) == 0;
}

struct authorizer *
access_control_authorizer(const struct config_set *file)
{
	struct slice class = config_set_get(file, slice_str(CLASS_KEY));
	struct slice users;

	if (class.len == 0)
		return NULL;
	users = config_set_get(file, slice_str(SUPER_USERS_KEY));
	return authorizer_new(users,
	    is_true(config_set_get(file, slice_str(ALLOW_EVERYONE_KEY))));
}
