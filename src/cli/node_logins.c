#include "cli/node_inner.h"

#include "auth/delegation_tokens.h"
#include "auth/jwk_source.h"
#include "auth/oauth.h"
#include "auth/scram_users.h"
#include "cli/settings.h"

/* The settings of one listener with its keys, which may have to be fetched. */
static int
open_keys(struct node *node, struct sasl_settings *sasl,
    struct oauth_settings *oauth)
{
	if (sasl->oauth == NULL)
		return 0;
	*oauth = *sasl->oauth;
	sasl->oauth = oauth;
	if (oauth->source == NULL)
		return 0;
	oauth->keys = jwk_source_open(oauth->source, node->disk);
	return oauth->keys == NULL ? -1 : 0;
}

int
node_open_logins(struct node *node, const struct node_settings *settings)
{
	size_t count = node->addresses->count;
	struct delegation_token_settings tokens;

	node->scram_users = scram_users_new();
	settings_delegation_tokens(node->configs, &tokens);
	node->tokens = delegation_tokens_new(&tokens);
	node->sasl = xcalloc(count, sizeof(*node->sasl));
	node->oauth = xcalloc(count, sizeof(*node->oauth));
	node->sessions = xcalloc(count, sizeof(*node->sessions));
	for (size_t i = 0; i < count; i++) {
		node->sasl[i] = settings->sasl[i];
		node->sasl[i].scram_users = node->scram_users;
		node->sasl[i].tokens = node->tokens;
		node->sessions[i].sasl =
		    security_has_sasl(node->addresses->items[i].protocol) ?
		    &node->sasl[i] :
		    NULL;
		node->sessions[i].rules = settings->rules[i];
		if (open_keys(node, &node->sasl[i], &node->oauth[i]) != 0)
			return -1;
	}
	node->tls = settings->tls;
	return 0;
}

void
node_close_logins(struct node *node)
{
	for (size_t i = 0;
	     node->oauth != NULL && i < node->addresses->count; i++)
		jwk_source_close(node->oauth[i].keys);
	free(node->oauth);
	free(node->sessions);
	free(node->sasl);
	scram_users_free(node->scram_users);
}
