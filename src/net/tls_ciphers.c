#include "net/tls_ciphers.h"

#include <openssl/ssl.h>

#include "base/slice.h"

/* With this in a list a client says that it renegotiates safely. */
#define SIGNAL "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"

/* Nobody is known by these, nothing is hidden, or keys are shared. */
static bool
is_refused(const char *name)
{
	static const char *const parts[] = { "_anon_", "_NULL_", "_PSK_",
		"_SRP_" };

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (strstr(name, parts[i]) != NULL)
			return true;
	return false;
}

/* Those of TLS 1.3 have no exchange of keys in their names. */
static bool
is_of_tls13(const char *name)
{
	return strstr(name, "_WITH_") == NULL;
}

static char *
room_for(struct arena *arena, struct slice list)
{
	/* OpenSSL's names are the shorter ones. */
	char *text = arena_xalloc(arena, 2 * list.len + 2);

	text[0] = '\0';
	return text;
}

static void
add(char *list, const char *name)
{
	size_t len = strlen(list);

	if (len > 0)
		list[len++] = ':';
	memcpy(list + len, name, strlen(name) + 1);
}

static bool
read_suite(const char *name, char *ciphers, char *cipher_suites)
{
	const char *own;

	if (strcmp(name, SIGNAL) == 0)
		return true;
	if (strncmp(name, "TLS_", 4) != 0 || is_refused(name))
		return false;
	own = OPENSSL_cipher_name(name);
	if (strcmp(own, "(NONE)") == 0 || strlen(own) > strlen(name))
		return false;
	add(is_of_tls13(name) ? cipher_suites : ciphers, own);
	return true;
}

int
tls_ciphers_read(struct slice list, struct arena *arena,
    struct tls_ciphers *ciphers, struct slice *unknown)
{
	char *older = room_for(arena, list), *suites = room_for(arena, list);

	ciphers->ciphers = older;
	ciphers->cipher_suites = suites;
	while (slice_next_item(&list, unknown)) {
		char *name = slice_dup(*unknown);
		bool known = read_suite(name, older, suites);

		free(name);
		if (!known)
			return -1;
	}
	return 0;
}
