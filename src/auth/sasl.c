#include "auth/sasl.h"

#include "auth/sasl_oauthbearer.h"
#include "auth/sasl_plain.h"
#include "auth/sasl_scram.h"

static const char *const names[SASL_MECHANISMS_COUNT] = {
	[SASL_PLAIN] = "PLAIN",
	[SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[SASL_SCRAM_SHA_512] = "SCRAM-SHA-512",
	[SASL_OAUTHBEARER] = "OAUTHBEARER",
};

const char *
sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	return names[mechanism];
}

int
sasl_mechanism_find(struct slice name, enum sasl_mechanism *mechanism)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!slice_equal_str(name, names[i]))
			continue;
		*mechanism = (enum sasl_mechanism)i;
		return 0;
	}
	return -1;
}

struct sasl_exchange *
sasl_exchange_new(
    const struct sasl_settings *settings, enum sasl_mechanism mechanism)
{
	struct sasl_exchange *exchange = NULL;

	switch (mechanism) {
	case SASL_PLAIN:
		exchange = sasl_plain_new();
		break;
	case SASL_SCRAM_SHA_256:
		exchange = sasl_scram_new(SCRAM_SHA_256);
		break;
	case SASL_SCRAM_SHA_512:
		exchange = sasl_scram_new(SCRAM_SHA_512);
		break;
	case SASL_OAUTHBEARER:
		exchange = sasl_oauthbearer_new();
		break;
	}
	assert(exchange != NULL);
	exchange->settings = settings;
	return exchange;
}

void
sasl_exchange_free(struct sasl_exchange *exchange)
{
	if (exchange != NULL)
		exchange->ops->free(exchange);
}

enum sasl_status
sasl_exchange_step(struct sasl_exchange *exchange, struct slice token,
    struct arena *arena, struct sasl_result *result)
{
	result->token = slice_str("");
	result->name = SLICE_NULL;
	result->message = SLICE_NULL;
	result->expiry_ms = INT64_MAX;
	result->with_token = false;
	result->reason = SLICE_NULL;
	return exchange->ops->step(exchange, token, arena, result);
}
