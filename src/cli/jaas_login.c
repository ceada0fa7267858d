#include "cli/jaas_login.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "cli/environment.h"
#include "cli/whole_file.h"

#define PROPERTY "java.security.auth.login.config"
#define SECTION "KafkaServer"

/* Far above any real file. */
#define FILE_LEN_MAX (1024 * 1024)

/* A second = in front says that no other file counts, which none does here. */
static const char *
path_of(const char *value)
{
	value += *value == '=';
	if (strncmp(value, "file:", 5) != 0)
		return value;
	value += 5;
	return strncmp(value, "///", 3) == 0 ? value + 2 : value;
}

void
jaas_login_init(struct jaas_login *login, char **environ, struct arena *arena)
{
	char *value = environment_jvm_property(environ, PROPERTY);

	memset(login, 0, sizeof(*login));
	login->arena = arena;
	login->path = value == NULL ? NULL : xstrdup(path_of(value));
	free(value);
}

void
jaas_login_fini(struct jaas_login *login)
{
	free(login->path);
	login->path = NULL;
}

static int
read_file(struct jaas_login *login)
{
	size_t len, line;
	uint8_t *bytes =
	    whole_file_read(NULL, login->path, FILE_LEN_MAX, &len);
	const char *reason;
	struct slice text;

	if (bytes == NULL) {
		fprintf(stderr, "klamm: %s: %s\n", login->path,
		    strerror(errno));
		return -1;
	}
	text = arena_copy(login->arena, slice_of(bytes, len));
	free(bytes);
	if (jaas_file_parse(text, login->arena, &login->file, &reason, &line) !=
	    0) {
		fprintf(stderr, "klamm: %s:%zu: %s\n", login->path, line,
		    reason);
		return -1;
	}
	login->read = true;
	return 0;
}

static char *
section_of(const char *listener)
{
	char *name = xasprintf("%s." SECTION, listener);

	for (size_t i = 0; listener[i] != '\0'; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return name;
}

const struct jaas_section *
jaas_login_find(
    struct jaas_login *login, const char *listener, const char *key)
{
	const struct jaas_section *section = NULL;
	char *name = section_of(listener);

	if (login->path != NULL && !login->read && read_file(login) != 0) {
		free(name);
		return NULL;
	}
	if (login->path != NULL)
		section = jaas_file_find(&login->file, name);
	if (login->path != NULL && section == NULL)
		section = jaas_file_find(&login->file, SECTION);
	if (section == NULL)
		fprintf(stderr,
		    "klamm: %s is not set. Could not find a '" SECTION
		    "' or '%s' entry in the JAAS configuration. System "
		    "property '" PROPERTY "' is %s\n",
		    key, name, login->path == NULL ? "not set" : login->path);
	free(name);
	return section;
}
