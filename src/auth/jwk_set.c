#include "auth/jwk_set.h"

#include "auth/jwk.h"
#include "base/log.h"

#define LOGGER "auth"

struct jwk_set {
	size_t count;
	struct jwk *keys[]; /* owned */
};

static struct jwk_set *
set_of(const json_t *list)
{
	size_t count = MIN(json_array_size(list), (size_t)JWK_KEYS_MAX);
	struct jwk_set *set =
	    xcalloc(1, sizeof(*set) + count * sizeof(set->keys[0]));

	for (size_t i = 0; i < count; i++) {
		const char *reason;
		struct jwk *jwk = jwk_new(json_array_get(list, i), &reason);

		if (jwk != NULL)
			set->keys[set->count++] = jwk;
		else
			log_info(LOGGER, "key %zu of a set is left out: %s", i,
			    reason);
	}
	return set;
}

struct jwk_set *
jwk_set_parse(struct slice text, const char **reason)
{
	struct jwk_set *set = NULL;
	const json_t *list;
	json_t *json;

	*reason = "it is larger than a set of keys may be";
	if (text.len > JWK_SET_BYTES_MAX)
		return NULL;
	json = json_loadb((const char *)text.data, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	list = json_object_get(json, "keys");
	*reason = "it is no JSON object with a list of keys";
	if (json_is_array(list)) {
		*reason = NULL;
		set = set_of(list);
	}
	json_decref(json);
	return set;
}

void
jwk_set_free(struct jwk_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		jwk_free(set->keys[i]);
	free(set);
}

size_t
jwk_set_count(const struct jwk_set *set)
{
	return set->count;
}

/* The keys that pass one more test, or NULL where none does. */
struct narrowing {
	const struct jwk *first;
	size_t count;
};

static bool
passes(const struct jwk *jwk, const json_t *header, int tests)
{
	return jwk_fits(jwk, header) &&
	    (tests < 1 || jwk_fits_algorithm(jwk, header)) &&
	    (tests < 2 || jwk_fits_curve(jwk, header));
}

static struct narrowing
narrow(const struct jwk_set *set, const json_t *header, int tests)
{
	struct narrowing found = { NULL, 0 };

	for (size_t i = 0; i < set->count; i++)
		if (passes(set->keys[i], header, tests) && found.count++ == 0)
			found.first = set->keys[i];
	return found;
}

/* The tests are for choosing among several: a single key need not pass. */
const struct jwk *
jwk_set_select(const struct jwk_set *set, const json_t *header)
{
	struct narrowing found = narrow(set, header, 0);

	for (int tests = 1; tests <= 2 && found.count > 1; tests++)
		found = narrow(set, header, tests);
	return found.first;
}
