/*
 * DescribeDelegationToken, versions 1-3: the tokens that somebody may see, with
 * their HMACs, oldest first.
 */
#include "api/api.h"
#include "api/session.h"
#include "auth/delegation_tokens.h"
#include "wire/generated/describe_delegation_token.h"

static bool
is_about(const struct kp_delegation_token_record *token, struct slice principal)
{
	if (slice_equal(token->owner, principal) ||
	    slice_equal(token->requester, principal))
		return true;
	for (int32_t i = 0; i < token->renewers_count; i++)
		if (slice_equal(token->renewers[i], principal))
			return true;
	return false;
}

/* Those that the request names; NULL with none: whoever. */
struct owners {
	struct slice *names;
	int32_t count;
};

static struct owners
owners_of(struct request *request)
{
	const struct kp_describe_delegation_token_request *body = request->body;
	struct owners owners = { NULL, MAX(body->owners_count, 0) };

	owners.names = arena_xcalloc(&request->arena, (size_t)owners.count,
	    sizeof(*owners.names));
	for (int32_t i = 0; i < owners.count; i++)
		owners.names[i] = principal_join(&request->arena,
		    body->owners[i].principal_type,
		    body->owners[i].principal_name);
	return owners;
}

static bool
is_asked_for(const struct owners *owners,
    const struct kp_delegation_token_record *token)
{
	for (int32_t i = 0; i < owners->count; i++)
		if (is_about(token, owners->names[i]))
			return true;
	return owners->count == 0;
}

static bool
may_see(const struct request *request,
    const struct kp_delegation_token_record *token)
{
	return is_about(token, request->principal.name) ||
	    request_allows(request, ACL_DESCRIBE,
		ACL_RESOURCE_DELEGATION_TOKEN, token->token_id) ||
	    request_allows(request, ACL_DESCRIBE_TOKENS, ACL_RESOURCE_USER,
		token->owner);
}

static void
fill_renewers(struct request *request,
    const struct kp_delegation_token_record *record,
    struct kp_describe_delegation_token_response_token *token)
{
	token->renewers_count = record->renewers_count;
	token->renewers = arena_xcalloc(&request->arena,
	    (size_t)token->renewers_count, sizeof(*token->renewers));
	for (int32_t i = 0; i < token->renewers_count; i++)
		(void)principal_split(record->renewers[i],
		    &token->renewers[i].principal_type,
		    &token->renewers[i].principal_name);
}

static void
fill(struct request *request, const struct delegation_token *from,
    struct kp_describe_delegation_token_response_token *token)
{
	const struct kp_delegation_token_record *record = from->record;

	(void)principal_split(record->owner, &token->principal_type,
	    &token->principal_name);
	(void)principal_split(record->requester,
	    &token->token_requester_principal_type,
	    &token->token_requester_principal_name);
	token->issue_timestamp = record->issue_timestamp;
	token->expiry_timestamp = record->expiration_timestamp;
	token->max_timestamp = record->max_timestamp;
	token->token_id = record->token_id;
	token->hmac = from->hmac;
	fill_renewers(request, record, token);
}

static int
compare(const void *a, const void *b)
{
	const struct delegation_token *left = a, *right = b;
	int64_t l = left->record->issue_timestamp;
	int64_t r = right->record->issue_timestamp;

	if (l != r)
		return l < r ? -1 : 1;
	return slice_compare(left->record->token_id, right->record->token_id);
}

static void
fill_all(struct request *request,
    struct kp_describe_delegation_token_response *response)
{
	struct owners owners = owners_of(request);
	size_t count;
	struct delegation_token *tokens = delegation_tokens_list(
	    request->server->tokens, &request->arena, &count);

	if (count > 1)
		qsort(tokens, count, sizeof(*tokens), compare);
	response->tokens = kp_array(&request->arena,
	    &kp_describe_delegation_token_response_token_struct,
	    (int32_t)count);
	response->tokens_count = 0;
	for (size_t i = 0; i < count; i++)
		if (is_asked_for(&owners, tokens[i].record) &&
		    may_see(request, tokens[i].record))
			fill(request, &tokens[i],
			    &response->tokens[response->tokens_count++]);
}

/* An empty list of owners asks for nothing, and none asks for all. */
static void
handle_describe_delegation_token(struct request *request)
{
	const struct kp_describe_delegation_token_request *body = request->body;
	struct kp_describe_delegation_token_response *response =
	    request_response_new(request);

	if (!session_allows_tokens(request))
		response->error_code = KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
	else if (!delegation_tokens_enabled(request->server->tokens))
		response->error_code = KP_DELEGATION_TOKEN_AUTH_DISABLED;
	else if (body->owners_count != 0)
		fill_all(request, response);
	request_reply(request, response);
}

const struct api api_describe_delegation_token =
    API_ROW(describe_delegation_token, API_ENTRIES);
