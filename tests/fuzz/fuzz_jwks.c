/* Sets of keys, and a header behind a newline that asks for one of them. */
#include "auth/jwk.h"
#include "auth/jwk_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No signature is right by chance. */
static void
ask(const struct jwk_set *set, struct slice header)
{
	static const uint8_t signature[132] = { 1 };
	static const size_t lens[] = { 0, 32, 64, 96, 114, 132 };
	json_t *json =
	    json_loadb((const char *)header.data, header.len, 0, NULL);
	const struct jwk *jwk = jwk_set_select(set, json);

	for (size_t i = 0; jwk != NULL && i < COUNT_OF(lens); i++)
		assert(!jwk_verify(jwk, json, slice_str("text"),
		    slice_of(signature, lens[i])));
	json_decref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = end == NULL ? size : (size_t)(end - data);
	const char *reason;
	struct jwk_set *set = jwk_set_parse(slice_of(data, len), &reason);

	assert((set == NULL) == (reason != NULL));
	if (set != NULL && end != NULL)
		ask(set, slice_of(end + 1, size - len - 1));
	jwk_set_free(set);
	return 0;
}
