#include "auth/oauth.h"

const char *
oauth_check(const struct oauth_settings *settings, struct slice text,
    int64_t now_ms, struct arena *arena, struct oauth_token *token)
{
	*token = (struct oauth_token){ .principal = SLICE_NULL };
	return settings->source == NULL ?
	    oauth_check_unsecured(settings, text, now_ms, arena, token) :
	    oauth_check_signed(settings, text, now_ms, arena, token);
}

bool
oauth_scope_valid(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < 0x21 || name.data[i] > 0x7e ||
		    name.data[i] == '"' || name.data[i] == '\\')
			return false;
	return name.len > 0;
}
