#include "auth/plain_users.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/map.h"

#define DIGEST_LEN 32

struct row {
	uint32_t hash; /* of the name */
	struct slice name;
	uint8_t digest[DIGEST_LEN]; /* of the password */
};

struct plain_users {
	size_t count;
	struct row rows[]; /* by hash */
};

static void
digest(struct slice text, uint8_t out[DIGEST_LEN])
{
	int ok = EVP_Digest(text.data, text.len, out, NULL, EVP_sha256(), NULL);

	assert(ok == 1);
}

static int
compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	return (a->hash > b->hash) - (a->hash < b->hash);
}

struct plain_users *
plain_users_new(
    struct arena *arena, const struct plain_user *users, size_t count)
{
	struct plain_users *all = arena_xcalloc(
	    arena, 1, sizeof(*all) + count * sizeof(all->rows[0]));

	all->count = count;
	for (size_t i = 0; i < count; i++) {
		struct row *row = &all->rows[i];

		row->name = arena_copy(arena, users[i].name);
		row->hash = map_hash(row->name);
		digest(users[i].password, row->digest);
	}
	if (count > 0)
		qsort(all->rows, count, sizeof(all->rows[0]), compare);
	return all;
}

/* How many rows stand before those with that hash. */
static size_t
rows_before(const struct plain_users *users, uint32_t hash)
{
	size_t low = 0, high = users->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (users->rows[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct row *
find(const struct plain_users *users, struct slice name)
{
	uint32_t hash = map_hash(name);

	if (users == NULL)
		return NULL;
	for (size_t i = rows_before(users, hash);
	    i < users->count && users->rows[i].hash == hash; i++)
		if (slice_equal(users->rows[i].name, name))
			return &users->rows[i];
	return NULL;
}

bool
plain_users_know(
    const struct plain_users *users, struct slice name, struct slice password)
{
	/* No password has this digest. */
	static const struct row nobody;
	const struct row *row = find(users, name);
	uint8_t given[DIGEST_LEN];
	bool same;

	digest(password, given);
	same = CRYPTO_memcmp(given, (row == NULL ? &nobody : row)->digest,
		   DIGEST_LEN) == 0;
	OPENSSL_cleanse(given, sizeof(given));
	return same && row != NULL;
}
