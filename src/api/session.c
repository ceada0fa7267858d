#include "api/session.h"

#include "api/audit.h"
#include "auth/distinguished_name.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/timer.h"
#include "wire/codec.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#define LOGGER "auth"

/* Tokens are small: enough for what a step makes of the largest frame. */
#define STEP_ARENA_BYTES (4 << 20)

/* A client may begin to say again who it is once in so many milliseconds. */
#define REAUTHENTICATION_MS_MIN 1000

/* As good as for ever, and still a number of nanoseconds to clients. */
#define SESSION_MS_MAX (INT64_MAX / 1000000)

enum state {
	STATE_BEGIN,
	STATE_TOKENS, /* in SaslAuthenticate */
	STATE_BARE,   /* as frames */
	STATE_DONE,
	STATE_OVER, /* it has failed */
};

/* A token that came as a frame, and its answer. */
struct bare {
	struct exchange exchange;
	struct arena arena;
	uint8_t len[4];
};

struct session {
	struct connection *connection;
	const struct server *server;
	const struct sasl_settings *sasl; /* NULL: it has a certificate */
	enum state state;
	bool authenticated;   /* once; this is about doing it again */
	bool other_mechanism; /* than the one it was done with */
	enum sasl_mechanism mechanism;
	struct sasl_exchange *exchange;
	char *principal;  /* "User:alice"; stays for ever */
	bool with_token;  /* he has no password, but a delegation token */
	int64_t lifetime_ms; /* of the session; 0 where it has no end, too */
	int64_t end_ms;      /* on the monotonic clock; INT64_MAX: none */
	int64_t begun_ms; /* the last time; INT64_MIN: never */

	/* A failure that waits to be told. */
	struct timer delay;
	struct request *failed; /* NULL: nobody is told */
	void (*tell)(struct request *request, struct slice message);
	struct slice message; /* owned */
	struct bare *bare;    /* that is not answered yet */
};

static struct session *
session_of(const struct connection *connection)
{
	return connection_session(connection);
}

/* --- Life ----------------------------------------------------------------- */

static void on_delay(struct timer *timer);

static const struct session_settings *
settings_of(const struct connection *connection)
{
	return connection_listener(connection)->handler_context;
}

static struct session *
session_new(
    struct connection_handler *handler, struct connection *connection)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->connection = connection;
	session->server = CONTAINER_OF(handler, struct server, connections);
	session->sasl = settings_of(connection)->sasl;
	session->end_ms = INT64_MAX;
	session->begun_ms = INT64_MIN;
	timer_init(&session->delay, on_delay);
	connection_set_session(connection, session);
	return session;
}

void
session_opened(
    struct connection_handler *handler, struct connection *connection)
{
	const struct session *session;

	if (settings_of(connection)->sasl == NULL)
		return;
	session = session_new(handler, connection);
	connection_expect_login(connection);
	connection_set_frame_len_max(
	    connection, session->server->settings->sasl_bytes_max);
}

/* "User:name" by the rules, on the heap; NULL where none fits. */
static char *
certified_principal(
    const struct principal_rules *rules, const X509 *certificate)
{
	struct arena arena;
	struct slice name;
	char *principal = NULL;

	arena_init(&arena, STEP_ARENA_BYTES);
	name = distinguished_name_text(
	    X509_get_subject_name(certificate), &arena);
	if (!slice_is_null(name))
		name = principal_rules_apply(rules, name, &arena);
	if (!slice_is_null(name))
		principal = xasprintf("User:%.*s", SLICE_ARG(name));
	arena_reset(&arena);
	return principal;
}

void
session_shaken(
    struct connection_handler *handler, struct connection *connection)
{
	const struct session_settings *settings = settings_of(connection);
	const X509 *certificate = connection_certificate(connection);
	struct session *session;
	char *principal;

	if (settings->sasl != NULL || certificate == NULL)
		return;
	principal = certified_principal(settings->rules, certificate);
	if (principal == NULL) {
		session_unshaken(handler, connection,
		    "no rule of ssl.principal.mapping.rules fits the "
		    "certificate");
		connection_abort(connection, "its certificate names nobody");
		return;
	}
	session = session_new(handler, connection);
	session->state = STATE_DONE;
	session->authenticated = true;
	session->principal = principal;
	log_debug(LOGGER, "%s: is %s", connection_id(connection),
	    session->principal);
}

void
session_unshaken(struct connection_handler *handler,
    struct connection *connection, const char *reason)
{
	const struct server *server =
	    CONTAINER_OF_CONST(handler, struct server, connections);
	char *message = xasprintf("SSL handshake failed: %s", reason);

	audit_failed_login(server->audit, connection, slice_str(message));
	free(message);
}

void
session_freed(
    struct connection_handler *handler UNUSED, struct connection *connection)
{
	struct session *session = session_of(connection);

	if (session == NULL)
		return;
	assert(!timer_running(&session->delay));
	sasl_exchange_free(session->exchange);
	free((void *)(uintptr_t)session->message.data);
	free(session->principal);
	free(session);
}

struct principal
session_principal(const struct connection *connection)
{
	const struct session *session = session_of(connection);
	struct principal principal = PRINCIPAL_ANONYMOUS;

	if (session != NULL && session->principal != NULL)
		principal.name = slice_str(session->principal);
	principal.host = slice_str(connection_peer_host(connection));
	return principal;
}

bool
session_allows_tokens(const struct request *request)
{
	const struct session *session =
	    session_of(request->exchange.connection);

	return session != NULL && !session->with_token;
}

/* --- Failing -------------------------------------------------------------- */

static void
bare_end(struct bare *bare, bool reply)
{
	exchange_complete(&bare->exchange, reply);
}

static void
on_delay(struct timer *timer)
{
	struct session *session = CONTAINER_OF(timer, struct session, delay);
	struct connection *connection = session->connection;
	struct request *failed = session->failed;
	struct bare *bare = session->bare;

	session->failed = NULL;
	session->bare = NULL;
	connection_close(connection, "the authentication has failed");
	/* The last thing: the session may go with it. */
	if (failed != NULL)
		session->tell(failed, session->message);
	else if (bare != NULL)
		bare_end(bare, false);
}

/* The client is gone: nobody is to be told. */
static void
on_cancelled(struct request *request)
{
	struct session *session = session_of(request->exchange.connection);

	if (session->failed != request)
		return;
	session->failed = NULL;
	timer_stop(&session->delay);
	request_reply_none(request);
}

static void
begin_delay(struct session *session)
{
	session->state = STATE_OVER;
	sasl_exchange_free(session->exchange);
	session->exchange = NULL;
	timer_start(connection_loop(session->connection), &session->delay,
	    session->server->settings->failed_authentication_delay_ms);
}

/* Log the reason, tell the request's client the message, later, and close. */
static void
fail(struct session *session, struct request *request, struct slice reason,
    struct slice message,
    void (*tell)(struct request *request, struct slice message))
{
	audit_failed_login(session->server->audit, session->connection, reason);
	session->failed = request;
	session->tell = tell;
	session->message = slice_of(slice_dup(message), message.len);
	request_park(request, on_cancelled);
	begin_delay(session);
}

/* --- Steps ---------------------------------------------------------------- */

/* What is said of a failure that says nothing itself. */
static struct slice
generic_message(const struct session *session, struct arena *arena)
{
	return arena_printf(arena,
	    "Authentication failed during %s due to invalid credentials with "
	    "SASL mechanism %s",
	    session->authenticated ? "re-authentication" : "authentication",
	    sasl_mechanism_name(session->mechanism));
}

/* What is shorter: what the listener allows, or what the client showed. */
static void
set_end(struct session *session, const struct sasl_result *result)
{
	int64_t limit_ms = session->sasl->reauth_ms[session->mechanism];
	int64_t left_ms = INT64_MAX;

	if (limit_ms > 0)
		left_ms = limit_ms;
	if (result->expiry_ms != INT64_MAX)
		left_ms = MIN(
		    left_ms, MAX(result->expiry_ms - clock_wall_ms(), 0));
	session->lifetime_ms =
	    left_ms == INT64_MAX ? 0 : MIN(left_ms, SESSION_MS_MAX);
	session->end_ms = left_ms == INT64_MAX ?
	    INT64_MAX :
	    clock_monotonic_ms() + session->lifetime_ms;
}

/* -1 and a message where the client is not who it was. */
static int
become(struct session *session, struct arena *arena, struct sasl_result *result)
{
	char *principal = xasprintf("User:%.*s", SLICE_ARG(result->name));

	if (session->principal == NULL) {
		session->principal = principal;
	} else {
		bool same = strcmp(session->principal, principal) == 0;

		free(principal);
		if (!same) {
			result->message = arena_printf(arena,
			    "Cannot change principals during "
			    "re-authentication from User.%s: User.%.*s",
			    session->principal + strlen("User:"),
			    SLICE_ARG(result->name));
			return -1;
		}
	}
	connection_logged_in(session->connection);
	session->state = STATE_DONE;
	session->authenticated = true;
	session->with_token = result->with_token;
	set_end(session, result);
	sasl_exchange_free(session->exchange);
	session->exchange = NULL;
	connection_set_frame_len_max(
	    session->connection, session->server->settings->request_bytes_max);
	log_debug(LOGGER, "%s: is %s", connection_id(session->connection),
	    session->principal);
	return 0;
}

static enum sasl_status
step(struct session *session, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	enum sasl_status status =
	    sasl_exchange_step(session->exchange, token, arena, result);

	if (status == SASL_DONE && become(session, arena, result) != 0)
		status = SASL_FAILED;
	if (status == SASL_FAILED && slice_is_null(result->message))
		result->message = generic_message(session, arena);
	return status;
}

/* --- Tokens as frames ----------------------------------------------------- */

static void
on_bare_cancel(struct exchange *exchange)
{
	struct bare *bare = CONTAINER_OF(exchange, struct bare, exchange);
	struct session *session = session_of(exchange->connection);

	if (session->bare != bare)
		return;
	session->bare = NULL;
	timer_stop(&session->delay);
	bare_end(bare, false);
}

static void
on_bare_release(struct exchange *exchange)
{
	struct bare *bare = CONTAINER_OF(exchange, struct bare, exchange);

	arena_reset(&bare->arena);
	free(bare);
}

static struct bare *
bare_new(struct connection *connection)
{
	struct bare *bare = xcalloc(1, sizeof(*bare));

	arena_init(&bare->arena, STEP_ARENA_BYTES);
	arena_charge(&bare->arena, connection_budget(connection));
	output_init(&bare->exchange.output, &bare->arena);
	bare->exchange.cancel = on_bare_cancel;
	bare->exchange.release = on_bare_release;
	bare->exchange.exclusive = true;
	exchange_begin(connection, &bare->exchange);
	return bare;
}

static bool
bare_fill(struct bare *bare, struct slice token)
{
	be32_put(bare->len, (uint32_t)token.len);
	return output_bytes(
		   &bare->exchange.output, bare->len, sizeof(bare->len)) == 0 &&
	    output_bytes(&bare->exchange.output, token.data, token.len) == 0;
}

static void
take_bare(struct session *session, struct slice frame)
{
	struct bare *bare = bare_new(session->connection);
	struct sasl_result result;

	if (session->other_mechanism ||
	    step(session, frame, &bare->arena, &result) == SASL_FAILED) {
		audit_failed_login(session->server->audit, session->connection,
		    session->other_mechanism ?
			slice_str("another mechanism than before") :
			result.message);
		session->bare = bare;
		begin_delay(session);
		return;
	}
	bare_end(bare, bare_fill(bare, result.token));
}

/* --- Requests ------------------------------------------------------------- */

bool
session_admits(struct connection *connection, int16_t key, struct slice frame)
{
	struct session *session = session_of(connection);

	if (session == NULL)
		return true;
	switch (session->state) {
	case STATE_BEGIN:
		if (key == KP_API_VERSIONS_KEY || key == KP_SASL_HANDSHAKE_KEY)
			return true;
		connection_close(
		    connection, "a request before the authentication");
		return false;
	case STATE_TOKENS:
		return true;
	case STATE_BARE:
		take_bare(session, frame);
		return false;
	case STATE_DONE:
		if (key == KP_SASL_HANDSHAKE_KEY ||
		    clock_monotonic_ms() < session->end_ms)
			return true;
		connection_close(connection, "the session is over");
		return false;
	case STATE_OVER:
		break;
	}
	connection_close(connection, "the authentication has failed");
	return false;
}

bool
session_allows(const struct request *request)
{
	const struct session *session =
	    session_of(request->exchange.connection);

	return session == NULL || session->state != STATE_TOKENS ||
	    request->messages->request->key == KP_SASL_AUTHENTICATE_KEY;
}

/* --- SaslHandshake -------------------------------------------------------- */

static void
answer_handshake(struct request *request, enum kp_error error, bool listed)
{
	const struct session *session =
	    session_of(request->exchange.connection);
	struct kp_sasl_handshake_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->mechanisms = arena_xcalloc(&request->arena,
	    SASL_MECHANISMS_COUNT, sizeof(*response->mechanisms));
	for (int i = 0; listed && i < SASL_MECHANISMS_COUNT; i++)
		if (session->sasl->enabled[i])
			response->mechanisms[response->mechanisms_count++] =
			    slice_str(
				sasl_mechanism_name((enum sasl_mechanism)i));
	request_reply(request, response);
}

static void
tell_handshake(struct request *request, struct slice message UNUSED)
{
	answer_handshake(request, KP_UNSUPPORTED_SASL_MECHANISM, true);
}

/* May a session that is done begin anew? */
static bool
may_begin_again(const struct session *session)
{
	return session->end_ms != INT64_MAX &&
	    (session->begun_ms == INT64_MIN ||
		clock_monotonic_ms() - session->begun_ms >=
		    REAUTHENTICATION_MS_MIN);
}

static void
begin(struct session *session, enum sasl_mechanism mechanism, bool bare)
{
	session->other_mechanism =
	    session->authenticated && mechanism != session->mechanism;
	session->state = bare ? STATE_BARE : STATE_TOKENS;
	session->begun_ms =
	    session->authenticated ? clock_monotonic_ms() : INT64_MIN;
	if (!session->other_mechanism)
		session->mechanism = mechanism;
	session->exchange =
	    sasl_exchange_new(session->sasl, session->mechanism);
}

void
session_handshake(struct request *request)
{
	const struct kp_sasl_handshake_request *body = request->body;
	struct session *session = session_of(request->exchange.connection);
	enum sasl_mechanism mechanism;
	bool enabled;

	if (session == NULL ||
	    (session->state == STATE_DONE && !may_begin_again(session))) {
		answer_handshake(request, KP_ILLEGAL_SASL_STATE, false);
		return;
	}
	enabled = sasl_mechanism_find(body->mechanism, &mechanism) == 0 &&
	    session->sasl->enabled[mechanism];
	if (enabled) {
		begin(session, mechanism, request->version == 0);
		answer_handshake(request, KP_NONE, true);
	} else if (session->authenticated) {
		request_close(request, "a mechanism that is not enabled");
	} else {
		fail(session, request,
		    slice_str("a mechanism that is not enabled"), SLICE_NULL,
		    tell_handshake);
	}
}

/* --- SaslAuthenticate ----------------------------------------------------- */

static void
answer_authenticate(struct request *request, enum kp_error error,
    struct slice message, struct slice token, int64_t lifetime_ms)
{
	struct kp_sasl_authenticate_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = message;
	response->auth_bytes = token;
	response->session_lifetime_ms = lifetime_ms;
	request_reply(request, response);
}

static void
tell_authenticate(struct request *request, struct slice message)
{
	answer_authenticate(
	    request, KP_SASL_AUTHENTICATION_FAILED, message, slice_str(""), 0);
}

void
session_authenticate(struct request *request)
{
	const struct kp_sasl_authenticate_request *body = request->body;
	struct session *session = session_of(request->exchange.connection);
	struct sasl_result result;
	enum sasl_status status;

	if (session == NULL || session->state != STATE_TOKENS) {
		answer_authenticate(request, KP_ILLEGAL_SASL_STATE,
		    slice_str("SaslAuthenticate request received after "
			      "successful authentication"),
		    slice_str(""), 0);
		return;
	}
	if (session->other_mechanism) {
		request_close(request, "another mechanism than before");
		return;
	}
	status = step(session, body->auth_bytes, &request->arena, &result);
	if (status == SASL_FAILED)
		fail(session, request,
		    slice_is_null(result.reason) ? result.message :
						   result.reason,
		    result.message, tell_authenticate);
	else
		answer_authenticate(request, KP_NONE, slice_str(""),
		    result.token,
		    status == SASL_DONE ? session->lifetime_ms : 0);
}
