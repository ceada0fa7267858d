/*
 * JWK source: where the keys that tokens are signed with come from, and those
 * that it had last.
 *
 *	file:/path	read when it has changed, which is looked at with every
 *			token (one stat; a file is small and local); while it
 *			cannot be read there are no keys
 *	http:, https:	fetched by a thread of its own, at the start, every
 *			refresh_ms, and once early where a token names a key
 *			that is not there; while that fails the keys stay
 *
 * The token with the unknown key is refused meanwhile, as in Kafka
 * (RefreshingHttpsJwks).  The same unknown key is asked for once a minute, and
 * early fetches are a second apart, however many keys tokens name.
 *
 * Any thread may verify.
 */
#ifndef AUTH_JWK_SOURCE_H
#define AUTH_JWK_SOURCE_H

#include "auth/jwt.h"
#include "base/base.h"

struct disk;
struct jwk_source;
struct tls_store_settings;

/* What it is made with stays its owner's, and outlives it. */
struct jwk_source_settings {
	const char *url;
	int64_t refresh_ms;	/* above 0 */
	int64_t backoff_ms;	/* before a fetch is tried again, doubled */
	int64_t backoff_max_ms; /* that all tries together may take */
	/* Of a trust store, for https:; NULL: the system's is trusted. */
	const struct tls_store_settings *stores;
};

/* -1 with *reason (static) where a URL is none that keys may come from. */
int jwk_source_url_check(const char *url, const char **reason) WARN_UNUSED;

/*
 * Get the keys for the first time, which may block, and begin to refresh them.
 * The URL was checked; files are read from disk.  NULL where there are none,
 * after a line in the log.
 */
struct jwk_source *jwk_source_open(const struct jwk_source_settings *settings,
    struct disk *disk) WARN_UNUSED;

/* Nobody may verify any more.  NULL is allowed. */
void jwk_source_close(struct jwk_source *source);

/*
 * Is the token signed with one of the keys?  NULL, or why not (static, for
 * logs).  Its header has an algorithm that is known.
 */
const char *jwk_source_verify(
    struct jwk_source *source, const struct jwt *jwt) WARN_UNUSED;

#endif
