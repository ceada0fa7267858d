/*
 * Bearer tokens: the conversation that they come in, what is wrong with those
 * that are refused, and which key verifies which signature.  What each case
 * comes to is what Apache Kafka 4.3.1 answers, but where a comment says so.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "auth/jwk_source.h"
#include "auth/oauth.h"
#include "auth/sasl.h"
#include "base/buf.h"
#include "base/clock.h"
#include "store/disk_posix.h"
#include "unit/temp_dir.h"
#include "unit/token_issuer.h"

#define NOW 1800000000

#define INVALID "{\"status\":\"invalid_token\"}"

/* What every good token says. */
#define TIMES "\"iat\":1800000000,\"exp\":1800000600"
#define ME "\"sub\":\"alice\","
#define FOR_US "\"aud\":\"us\",\"iss\":\"them\","
#define GOOD "{" ME FOR_US TIMES "}"
#define NONE "{\"alg\":\"none\"}"

static const struct slice audiences[] = {
	SLICE_LITERAL("us"),
	SLICE_LITERAL("we"),
};

static const struct slice scopes[] = { SLICE_LITERAL("a"),
	SLICE_LITERAL("b") };

/* The keys of the issuer; they take a while to make. */
enum key {
	KEY_RSA,
	KEY_OTHER_RSA,
	KEY_SMALL_RSA,
	KEY_P256,
	KEY_P384,
	KEY_P521,
	KEY_ED,
	KEY_SECRET,
	KEY_SMALL_SECRET,
	KEYS_COUNT,
};

static struct {
	struct token_key *keys[KEYS_COUNT];
	char *directory;
	char *path;
	char *url;
	struct jwk_source_settings source;
	struct jwk_source *keys_source;
	struct oauth_settings signed_ones;
	struct oauth_settings unsecured;
	struct arena arena;
} world;

static int64_t
wall_ms(void *context UNUSED)
{
	return NOW * (int64_t)1000;
}

static int64_t
monotonic_us(void *context UNUSED)
{
	return 0;
}

static const struct clock_source clock_source = { wall_ms, monotonic_us,
	NULL };

/* --- The world ------------------------------------------------------------ */

static void
write_keys(const char *text)
{
	char *other = xasprintf("%s.new", world.path);
	FILE *file = fopen(other, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	/* Another file, so that it differs however coarse clocks are. */
	assert_int_equal(rename(other, world.path), 0);
	free(other);
}

static void
make_keys(void)
{
	static const struct {
		const char *algorithm;
		const char *id;
		unsigned int bits;
	} wanted[KEYS_COUNT] = {
		[KEY_RSA] = { "RS256", "rsa", 0 },
		[KEY_OTHER_RSA] = { "RS256", "other", 0 },
		[KEY_SMALL_RSA] = { "RS256", "small", 1024 },
		[KEY_P256] = { "ES256", "p256", 0 },
		[KEY_P384] = { "ES384", "p384", 0 },
		[KEY_P521] = { "ES512", "p521", 0 },
		[KEY_ED] = { "EdDSA", "ed", 0 },
		[KEY_SECRET] = { "HS256", "secret", 0 },
		[KEY_SMALL_SECRET] = { "HS256", "weak", 128 },
	};

	for (int i = 0; i < KEYS_COUNT; i++)
		world.keys[i] = token_key_new(
		    wanted[i].algorithm, wanted[i].id, wanted[i].bits);
}

static int
set_up(void **state UNUSED)
{
	char *set;

	make_keys();
	world.directory = temp_dir_make();
	world.path = xasprintf("%s/keys.json", world.directory);
	world.url = xasprintf("file:%s", world.path);
	set = token_key_set(world.keys[KEY_RSA], world.keys[KEY_SMALL_RSA],
	    world.keys[KEY_P256], world.keys[KEY_P384], world.keys[KEY_P521],
	    world.keys[KEY_ED], world.keys[KEY_SECRET],
	    world.keys[KEY_SMALL_SECRET], NULL);
	write_keys(set);
	free(set);
	world.source.url = world.url;
	world.keys_source = jwk_source_open(&world.source, disk_posix());
	assert_non_null(world.keys_source);
	world.signed_ones = (struct oauth_settings){
		.source = &world.source,
		.keys = world.keys_source,
		.principal_claim = "sub",
		.scope_claim = "scope",
		.skew_ms = 30000,
		.audiences = audiences,
		.audiences_count = COUNT_OF(audiences),
		.issuer = slice_str("them"),
	};
	world.unsecured = (struct oauth_settings){
		.principal_claim = "sub",
		.scope_claim = "scope",
	};
	arena_init(&world.arena, SIZE_MAX);
	clock_install(&clock_source);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	clock_install(NULL);
	arena_reset(&world.arena);
	jwk_source_close(world.keys_source);
	for (int i = 0; i < KEYS_COUNT; i++)
		token_key_free(world.keys[i]);
	temp_dir_remove(world.directory);
	free(world.path);
	free(world.url);
	return 0;
}

/* --- Tokens --------------------------------------------------------------- */

static const char *
reason_of(const struct oauth_settings *settings, char *token,
    struct oauth_token *result)
{
	const char *reason = oauth_check(settings, slice_str(token),
	    NOW * (int64_t)1000, &world.arena, result);

	free(token);
	return reason;
}

static void
accept(const struct oauth_settings *settings, char *token)
{
	struct oauth_token result;
	const char *reason = reason_of(settings, token, &result);

	if (reason != NULL)
		fail_msg("refused: %s", reason);
	assert_true(slice_equal_str(result.principal, "alice"));
}

static void
refuse(const struct oauth_settings *settings, char *token, const char *why)
{
	struct oauth_token result;
	const char *reason = reason_of(settings, token, &result);

	if (reason == NULL)
		fail_msg("accepted, although %s", why);
	else
		assert_string_equal(reason, why);
}

/* With claims that are signed well. */
#define accept_claims(claims) \
	accept(&world.signed_ones, token_of(world.keys[KEY_RSA], claims))
#define refuse_claims(claims, why) \
	refuse(&world.signed_ones, token_of(world.keys[KEY_RSA], claims), why)

static char *
with_header(const char *header)
{
	return token_sign(world.keys[KEY_RSA], "RS256", header, GOOD);
}

static void
algorithms_have_their_keys(void **state UNUSED)
{
	static const struct {
		enum key key;
		const char *algorithm;
		const char *id;
	} good[] = {
		{ KEY_RSA, "RS256", "rsa" },
		{ KEY_RSA, "RS384", "rsa" },
		{ KEY_RSA, "RS512", "rsa" },
		{ KEY_RSA, "PS256", "rsa" },
		{ KEY_RSA, "PS384", "rsa" },
		{ KEY_RSA, "PS512", "rsa" },
		{ KEY_P256, "ES256", "p256" },
		{ KEY_P384, "ES384", "p384" },
		{ KEY_P521, "ES512", "p521" },
		{ KEY_ED, "EdDSA", "ed" },
		{ KEY_SECRET, "HS256", "secret" },
		{ KEY_SECRET, "HS384", "secret" },
		{ KEY_SECRET, "HS512", "secret" },
	};

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		char *header =
		    xasprintf("{\"alg\":\"%s\",\"kid\":\"%s\"}",
			good[i].algorithm, good[i].id);

		accept(&world.signed_ones,
		    token_sign(world.keys[good[i].key], good[i].algorithm,
			header, GOOD));
		free(header);
	}
}

#define NO_KEY "there is no key for it"
#define WRONG "its signature is not that of the key"

static void
other_keys_do_not_do(void **state UNUSED)
{
	const struct oauth_settings *settings = &world.signed_ones;

	refuse(settings, token_of(world.keys[KEY_SMALL_RSA], GOOD), WRONG);
	refuse(settings, token_of(world.keys[KEY_SMALL_SECRET], GOOD), WRONG);
	refuse(settings, token_of(world.keys[KEY_OTHER_RSA], GOOD), NO_KEY);
	/* Another curve, another key, another kind of key. */
	refuse(settings,
	    token_sign(world.keys[KEY_P256], "ES256",
		"{\"alg\":\"ES384\",\"kid\":\"p256\"}", GOOD),
	    WRONG);
	refuse(settings,
	    token_sign(world.keys[KEY_OTHER_RSA], "RS256",
		"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", GOOD),
	    WRONG);
	refuse(settings, with_header("{\"alg\":\"RS256\",\"kid\":\"p256\"}"),
	    NO_KEY);
	/* The text of a public key is no secret. */
	refuse(settings,
	    token_sign(world.keys[KEY_SECRET], "HS256",
		"{\"alg\":\"HS256\",\"kid\":\"rsa\"}", GOOD),
	    NO_KEY);
}

/* The first key of the kind, or of the curve. */
static void
a_token_need_not_name_its_key(void **state UNUSED)
{
	const struct oauth_settings *settings = &world.signed_ones;

	accept(settings, with_header("{\"alg\":\"RS256\"}"));
	accept(settings, with_header("{\"alg\":\"RS256\",\"kid\":null}"));
	accept(settings,
	    token_sign(world.keys[KEY_P384], "ES384", "{\"alg\":\"ES384\"}",
		GOOD));
	refuse(settings,
	    token_sign(world.keys[KEY_SMALL_RSA], "RS256",
		"{\"alg\":\"RS256\"}", GOOD),
	    WRONG);
}

#define RSA_KEY "\"alg\":\"RS256\",\"kid\":\"rsa\""

static void
headers_that_are_refused(void **state UNUSED)
{
	const struct oauth_settings *settings = &world.signed_ones;
	const char *unknown = "its algorithm is none, or not known";
	const char *text =
	    "its header names its key by something else than text";

	refuse(settings, token_unsigned(NONE, GOOD), "it has no signature");
	refuse(settings, with_header("{\"alg\":\"none\",\"kid\":\"rsa\"}"),
	    unknown);
	refuse(settings, with_header("{\"kid\":\"rsa\"}"), unknown);
	refuse(settings, with_header("{\"alg\":\"rs256\"}"), unknown);
	refuse(settings, with_header("{\"alg\":[\"RS256\"]}"), unknown);
	refuse(settings, with_header("{\"alg\":\"RS256\",\"kid\":5}"), text);
	refuse(settings, with_header("{" RSA_KEY ",\"x5t\":{}}"), text);
	refuse(settings, with_header("{" RSA_KEY ",\"cty\":\"JWT\"}"),
	    "it holds another token");
	refuse(settings, with_header("{" RSA_KEY ",\"crit\":[\"exp\"]}"),
	    "its header asks for an extension");
	refuse(settings, with_header("{" RSA_KEY ",\"b64\":false}"),
	    "its header asks for an extension");
	refuse(settings, with_header("{" RSA_KEY "," RSA_KEY "}"),
	    "its header is no JSON object in base64url");
	accept(settings, with_header("{" RSA_KEY ",\"typ\":\"at+jwt\"}"));
	accept(settings, with_header("{" RSA_KEY ",\"crit\":[]}"));
}

/* Every character of a token matters. */
static void
a_token_that_was_changed_is_refused(void **state UNUSED)
{
	char *token = token_of(world.keys[KEY_P256], GOOD);
	struct oauth_token result;

	for (size_t i = 0; token[i] != '\0'; i++) {
		char old = token[i];

		/* The last character of a part has bits that say nothing. */
		if (token[i + 1] == '.' || token[i + 1] == '\0')
			continue;
		token[i] = old == 'x' ? 'y' : 'x';
		assert_non_null(oauth_check(&world.signed_ones,
		    slice_str(token), NOW * (int64_t)1000, &world.arena,
		    &result));
		token[i] = old;
	}
	accept(&world.signed_ones, token);
}

static void
shapes_that_are_refused(void **state UNUSED)
{
	static const char *const texts[] = { "", ".", "..", "...", "a.b.c",
		"e30.e30.e30.e30", "e30.e30", "e30.e30.e30=e30", "W10.W10.AAAA",
		"e30.bnVsbA.AAAA" };
	struct oauth_token result;
	const char *parts = "it has not three parts";
	char *token = token_of(world.keys[KEY_RSA], GOOD);

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		assert_non_null(oauth_check(&world.signed_ones,
		    slice_str(texts[i]), 0, &world.arena, &result));
		assert_non_null(oauth_check(&world.unsecured,
		    slice_str(texts[i]), 0, &world.arena, &result));
	}
	refuse(&world.signed_ones, xasprintf("%s.", token), parts);
	refuse(&world.signed_ones, xasprintf(".%s", token), parts);
	refuse(&world.signed_ones, xasprintf("%s!", token),
	    "its signature is no base64url");
	free(token);
}

static void
audiences_have_to_be_expected(void **state UNUSED)
{
	const char *other = "its audience is another one";
	struct oauth_settings any = world.signed_ones;

#define AUD(aud) "{" ME "\"aud\":" aud ",\"iss\":\"them\"," TIMES "}"
	accept_claims(AUD("\"we\""));
	accept_claims(AUD("[\"you\",\"we\"]"));
	accept_claims(AUD("[null,\"we\"]"));
	refuse_claims(AUD("\"you\""), other);
	refuse_claims(AUD("[\"you\"]"), other);
	refuse_claims(AUD("[]"), other);
	refuse_claims(AUD("5"), other);
	refuse_claims(AUD("[\"us\",5]"), "its audience is no list of texts");
	refuse_claims(AUD("null"), "it has no audience");
	/* Without expectations a token that says whom it is for is refused. */
	any.audiences_count = 0;
	refuse(&any, token_of(world.keys[KEY_RSA], GOOD), other);
	accept(&any, token_of(world.keys[KEY_RSA], AUD("null")));
}

static void
issuers_have_to_be_expected(void **state UNUSED)
{
	struct oauth_settings any = world.signed_ones;

#define ISS(iss) "{" ME "\"aud\":\"us\",\"iss\":" iss "," TIMES "}"
	refuse_claims(ISS("\"You\""), "its issuer is another one");
	refuse_claims(ISS("null"), "its issuer is another one");
	refuse_claims(ISS("[\"them\"]"), "its issuer is no text");
	any.issuer = SLICE_NULL;
	accept(&any, token_of(world.keys[KEY_RSA], ISS("\"You\"")));
	accept(&any, token_of(world.keys[KEY_RSA], ISS("null")));
	refuse(&any, token_of(world.keys[KEY_RSA], ISS("5")),
	    "its issuer is no text");
}

static void
times_have_to_fit(void **state UNUSED)
{
	const char *no_expiry = "it has no time of its expiry";
	const char *no_issue = "it has no time of issue";
	const char *order = "it expires before it begins";
	struct oauth_token result;

#define AT(times) "{" ME FOR_US times "}"
	/* The skew is 30 seconds: it is on or after the expiry, or is not. */
	accept_claims(AT("\"iat\":1,\"exp\":1799999971"));
	refuse_claims(AT("\"iat\":1,\"exp\":1799999970"), "it has expired");
	accept_claims(AT("\"iat\":1,\"exp\":1799999971.9"));
	refuse_claims(AT("\"iat\":1,\"exp\":1799999970.9"), "it has expired");
	refuse_claims(AT("\"iat\":1,\"exp\":-1"), "it has expired");
	refuse_claims(AT("\"iat\":1"), no_expiry);
	refuse_claims(AT("\"iat\":1,\"exp\":null"), no_expiry);
	refuse_claims(AT("\"iat\":1,\"exp\":\"1800000600\""), no_expiry);
	refuse_claims(AT("\"iat\":1,\"exp\":1e300"), no_expiry);
	refuse_claims(AT("\"iat\":1,\"exp\":99999999999999999999"), no_expiry);
	refuse_claims(AT("\"exp\":1800000600"), no_issue);
	refuse_claims(AT("\"iat\":-1,\"exp\":1800000600"), no_issue);
	refuse_claims(AT("\"iat\":\"1\",\"exp\":1800000600"), no_issue);
	/* A token may come from the future. */
	accept_claims(AT("\"iat\":1800000600,\"exp\":1800000600"));
	refuse_claims(AT("\"iat\":1800000601,\"exp\":1800000600"), order);
	accept_claims(AT(TIMES ",\"nbf\":1800000030"));
	refuse_claims(AT(TIMES ",\"nbf\":1800000031"),
	    "its time has not come yet");
	refuse_claims(AT(TIMES ",\"nbf\":1800000601"), order);
	refuse_claims(AT(TIMES ",\"nbf\":\"1\""),
	    "the time that it begins at is no time");
	assert_null(reason_of(&world.signed_ones,
	    token_of(world.keys[KEY_RSA], AT("\"iat\":1,\"exp\":1800000001.9")),
	    &result));
	assert_int_equal(result.expiry_ms, (NOW + 1) * (int64_t)1000);
}

static void
principals_are_texts(void **state UNUSED)
{
	struct oauth_settings other = world.signed_ones;

#define IS(subject) "{" subject FOR_US TIMES "}"
	refuse_claims(IS(""), "it names no principal");
	refuse_claims(IS("\"sub\":null,"), "it names no principal");
	refuse_claims(IS("\"sub\":\"\","), "its principal is empty");
	refuse_claims(IS("\"sub\":\" \\t\","), "its principal is empty");
	refuse_claims(IS("\"sub\":5,"), "its subject or its id is no text");
	refuse_claims(IS(ME "\"jti\":5,"), "its subject or its id is no text");
	accept_claims(IS("\"sub\":\" alice \","));
	other.principal_claim = "azp";
	accept(&other,
	    token_of(world.keys[KEY_RSA], IS("\"azp\":\"alice\",")));
	refuse(&other,
	    token_of(world.keys[KEY_RSA], IS("\"azp\":\"alice\",\"sub\":5,")),
	    "its subject or its id is no text");
}

static void
scopes_are_texts(void **state UNUSED)
{
	const char *list = "its scope is no list of different texts";

#define SCOPE(scope) "{" ME FOR_US "\"scope\":" scope "," TIMES "}"
	accept_claims(SCOPE("\"a b\""));
	accept_claims(SCOPE("[\"a\",\"b\"]"));
	accept_claims(SCOPE("[]"));
	accept_claims(SCOPE("null"));
	accept_claims(SCOPE("5"));
	accept_claims(SCOPE("{\"a\":1}"));
	refuse_claims(SCOPE("\"\""), "its scope is empty");
	refuse_claims(SCOPE("\" \""), "its scope is empty");
	refuse_claims(SCOPE("[\"a\",\"a\"]"), list);
	refuse_claims(SCOPE("[\"a\",\" a\"]"), list);
	refuse_claims(SCOPE("[\"a\",\" \"]"), list);
	refuse_claims(SCOPE("[\"a\",null]"), list);
	refuse_claims(SCOPE("[\"a\",5]"), list);
}

/* --- Hostile JSON --------------------------------------------------------- */

static char *
repeated(const char *piece, size_t count)
{
	size_t len = strlen(piece);
	char *text = xmalloc(count * len + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * len, piece, len);
	text[count * len] = '\0';
	return text;
}

/* Claims with one more, which is pieces and what closes them. */
static char *
with_claim(const char *piece, const char *close, size_t count)
{
	char *a = repeated(piece, count), *b = repeated(close, count);
	char *claims = xasprintf("{" ME FOR_US "\"x\":%s0%s," TIMES "}", a, b);
	char *token = token_of(world.keys[KEY_RSA], claims);

	free(a);
	free(b);
	free(claims);
	return token;
}

static void
hostile_claims_do_no_harm(void **state UNUSED)
{
	const char *no_json = "its claims are no JSON object in base64url";

	accept(&world.signed_ones, with_claim("[", "]", 1000));
	/* Kafka takes these. */
	refuse(&world.signed_ones, with_claim("[", "]", 100000), no_json);
	accept(&world.signed_ones, with_claim("{\"a\":", "}", 1000));
	refuse(&world.signed_ones, with_claim("{\"a\":", "}", 90000), no_json);
	accept(&world.signed_ones, with_claim("[0,", "]", 1000));
	accept_claims("{" ME FOR_US TIMES ",\"x\":99999999999999999999}");
	refuse_claims("{" ME ME FOR_US TIMES "}", no_json);
	refuse_claims("{" ME FOR_US TIMES ",\"x\":\"\xff\"}", no_json);
	refuse_claims("{" ME FOR_US TIMES "} x", no_json);
	refuse_claims("[{" ME FOR_US TIMES "}]", no_json);
	refuse_claims("\"x\"", no_json);
}

/* --- Keys ----------------------------------------------------------------- */

/* A set of one key, or of what is no key. */
static void
write_key(const struct token_key *key, const char *extra)
{
	char *json = token_key_json(key, extra);
	char *set = xasprintf("{\"keys\":[7,{\"kty\":\"RSA\"},%s]}", json);

	write_keys(set);
	free(json);
	free(set);
}

static void
keys_say_what_they_are_for(void **state UNUSED)
{
	static const struct {
		const char *extra;
		const char *why;
	} cases[] = {
		{ ",\"use\":\"sig\"", NULL },
		{ ",\"use\":\"enc\"", NO_KEY },
		{ ",\"use\":5", NO_KEY },
		{ ",\"key_ops\":[\"sign\",\"verify\"]", NULL },
		{ ",\"key_ops\":[\"sign\"]", NO_KEY },
		{ ",\"key_ops\":[]", NO_KEY },
		{ ",\"alg\":\"RS256\"", NULL },
		/* A single key is not asked. */
		{ ",\"alg\":\"RS512\"", NULL },
		{ ",\"d\":\"AQAB\",\"p\":5", NULL },
	};
	const struct token_key *key = world.keys[KEY_RSA];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		write_key(key, cases[i].extra);
		if (cases[i].why == NULL)
			accept(&world.signed_ones, token_of(key, GOOD));
		else
			refuse(&world.signed_ones, token_of(key, GOOD),
			    cases[i].why);
	}
}

static void
numbers_that_make_no_key_are_left_out(void **state UNUSED)
{
	static const char *const keys[] = {
		"{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-1\",\"x\":\"AQ\",\"y\":\"AQ\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}",
		"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"AQ\"}",
		"{\"kty\":\"oct\",\"k\":\"\"}",
		"{\"kty\":\"oct\"}",
		"{\"kty\":5}",
		"[]",
		"null",
	};

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		char *set = xasprintf("{\"keys\":[%s]}", keys[i]);

		write_keys(set);
		free(set);
		refuse(&world.signed_ones, with_header("{\"alg\":\"RS256\"}"),
		    NO_KEY);
		refuse(&world.signed_ones,
		    token_sign(world.keys[KEY_P256], "ES256",
			"{\"alg\":\"ES256\"}", GOOD),
		    NO_KEY);
	}
}

/* The file is looked at again with each token. */
static void
a_file_of_keys_changes(void **state UNUSED)
{
	static const char *const wrong[] = { "", "[]", "{}", "{\"keys\":5}",
		"{\"keys\":[],\"keys\":[]}", "x" };
	const struct token_key *key = world.keys[KEY_OTHER_RSA];
	const char *unreadable = "the keys cannot be read";

	write_key(world.keys[KEY_RSA], "");
	refuse(&world.signed_ones, token_of(key, GOOD), NO_KEY);
	write_key(key, "");
	accept(&world.signed_ones, token_of(key, GOOD));
	assert_int_equal(unlink(world.path), 0);
	refuse(&world.signed_ones, token_of(key, GOOD), unreadable);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		write_keys(wrong[i]);
		refuse(&world.signed_ones, token_of(key, GOOD), unreadable);
		assert_null(jwk_source_open(&world.source, disk_posix()));
	}
	write_key(key, "");
	accept(&world.signed_ones, token_of(key, GOOD));
}

static void
places_that_keys_do_not_come_from(void **state UNUSED)
{
	static const char *const good[] = { "file:/a", "FILE:///a",
		"http://a", "https://a.b:8443/c?d", "http://[::1]:80/",
		"HTTP://a/#b" };
	static const char *const bad[] = { "", "a", "file:a", "file://a/b",
		"ftp://a/", "http://", "http://:80/", "http://a:0/",
		"http://a:65536/", "http://a:x/", "http://u:p@a/",
		"http://a/b c", "http://a/\r\nHost: b", "http://[::1/",
		"http://[::1]x/" };
	const char *reason;

	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(jwk_source_url_check(good[i], &reason), 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(jwk_source_url_check(bad[i], &reason), -1);
}

/* --- Without signatures --------------------------------------------------- */

#define accept_plain(claims) \
	accept(&world.unsecured, token_unsigned(NONE, claims))
#define refuse_plain(claims, why) \
	refuse(&world.unsecured, token_unsigned(NONE, claims), why)

static void
tokens_without_a_signature(void **state UNUSED)
{
	const char *algorithm = "its algorithm is not none";
	const char *nobody = "it names no principal";

	accept_plain("{" ME TIMES "}");
	accept_plain("{" ME "\"exp\":1800000000.001}");
	refuse_plain("{" ME "\"exp\":1800000000}", "it has expired");
	refuse_plain("{" ME "\"exp\":\"1800000600\"}",
	    "it has no time of its expiry");
	refuse_plain("{" ME "\"iat\":1}", "it has no time of its expiry");
	accept_plain("{" ME "\"iat\":1800000000,\"exp\":1800000000.5}");
	refuse_plain("{" ME "\"iat\":1800000000.1,\"exp\":1800000600}",
	    "it is issued in the future");
	refuse_plain("{" ME "\"iat\":\"1\",\"exp\":1800000600}",
	    "its time of issue is no number");
	refuse_plain("{" TIMES "}", nobody);
	refuse_plain("{\"sub\":\" \"," TIMES "}", nobody);
	refuse_plain("{\"sub\":5," TIMES "}", nobody);
	refuse_plain("{\"sub\":[\"a\"]," TIMES "}", nobody);
	refuse_plain("{" ME "\"scope\":5," TIMES "}",
	    "its scope is neither a text nor a list");
	refuse(&world.unsecured, token_unsigned("{\"alg\":\"NONE\"}", GOOD),
	    algorithm);
	refuse(&world.unsecured, token_unsigned("{}", GOOD), algorithm);
	refuse(&world.unsecured, token_of(world.keys[KEY_RSA], GOOD),
	    algorithm);
	refuse(&world.unsecured,
	    token_sign(world.keys[KEY_RSA], "RS256", NONE, GOOD),
	    "it has a signature");
}

static void
the_options_of_tokens_without_a_signature(void **state UNUSED)
{
	struct oauth_settings other = world.unsecured;
	const char *lacks = "it lacks a required scope";
	struct oauth_token result;

	other.skew_ms = 5000;
	other.principal_claim = "user";
	other.scope_claim = "rights";
	other.required_scopes = scopes;
	other.required_scopes_count = COUNT_OF(scopes);
#define RIGHTS(rights) \
	"{\"user\":\"alice\",\"rights\":" rights ",\"exp\":1799999996," \
	"\"iat\":1799999990}"
	accept(&other, token_unsigned(NONE, RIGHTS("[\"b\",\" a \",\"c\"]")));
	refuse(&other, token_unsigned(NONE, RIGHTS("\"a b\"")), lacks);
	refuse(&other, token_unsigned(NONE, RIGHTS("[\"a\"]")), lacks);
	refuse(&other, token_unsigned(NONE, RIGHTS("null")), lacks);
	refuse(&other, token_unsigned(NONE, GOOD), "it names no principal");
	assert_non_null(reason_of(
	    &other, token_unsigned(NONE, RIGHTS("\"a\"")), &result));
	assert_true(result.lacks_a_scope);
	accept(&other,
	    token_unsigned(NONE,
		"{\"user\":\"alice\",\"rights\":[\"a\",\"b\"],"
		"\"iat\":1800000005,\"exp\":1800000006}"));
	refuse(&other,
	    token_unsigned(NONE,
		"{\"user\":\"alice\",\"rights\":[\"a\",\"b\"],"
		"\"iat\":1,\"exp\":1799999995}"),
	    "it has expired");
}

/* --- The conversation ----------------------------------------------------- */

/* "|" stands for the separator, "%s" for a token that is good. */
static struct slice
message(const char *format)
{
	char *token = token_unsigned(NONE, "{" ME TIMES "}");
	char *at = strstr(format, "%s");
	struct slice text = at == NULL ?
	    arena_copy(&world.arena, slice_str(format)) :
	    arena_printf(&world.arena, "%.*s%s%s", (int)(at - format), format,
		token, at + 2);

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '|')
			((uint8_t *)(uintptr_t)text.data)[i] = '\x01';
	free(token);
	return text;
}

static const struct sasl_settings conversation = {
	.oauth = &world.unsecured,
};

static enum sasl_status
say(struct sasl_exchange *exchange, const char *format,
    struct sasl_result *result)
{
	return sasl_exchange_step(
	    exchange, message(format), &world.arena, result);
}

/* What comes of the first message. */
static enum sasl_status
first(const char *format, struct sasl_result *result)
{
	struct sasl_exchange *exchange =
	    sasl_exchange_new(&conversation, SASL_OAUTHBEARER);
	enum sasl_status status = say(exchange, format, result);

	sasl_exchange_free(exchange);
	return status;
}

static void
messages_that_let_in(void **state UNUSED)
{
	static const char *const good[] = {
		"n,,|auth=Bearer %s||",
		"n,a=alice,|auth=Bearer %s||",
		"n,,|auth=bEARER   %s||",
		"n,,|a=b|auth=Bearer %s|C=d e\t=f||",
		"n,,|auth=x|auth=Bearer %s||",
	};
	struct sasl_result result;

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(first(good[i], &result), SASL_DONE);
		assert_true(slice_equal_str(result.name, "alice"));
		assert_int_equal(result.token.len, 0);
		assert_int_equal(
		    result.expiry_ms, (NOW + 600) * (int64_t)1000);
	}
}

static void
messages_that_are_none(void **state UNUSED)
{
	static const char *const bad[] = { "", "|", "||", "n", "n,", "n,,",
		"n,,|", "n,,||", "n,,|auth=Bearer %s|", "n,,|auth=Bearer %s",
		"y,,|auth=Bearer %s||", "p=x,,|auth=Bearer %s||",
		"n,a=,|auth=Bearer %s||", "n,b=c,|auth=Bearer %s||",
		"n,a=b=c,|auth=Bearer %s||", "n,a=b=2c,|auth=Bearer %s||",
		"n,a=\xc3\xa4,|auth=Bearer %s||", "n,,auth=Bearer %s||",
		"n,,|auth=Bearer %s||x", "n,,|auth=Bearer %s||||",
		"n,,|auth=Basic %s||", "n,,|auth=Bearer||",
		"n,,|auth=Bearer ||", "n,,|auth= Bearer %s||",
		"n,,|auth=Bearer\t%s||", "n,,|auth=Bearer %s ||",
		"n,,|auth=Bearer =||", "n,,|auth=Bearer a=b||",
		"n,,|auth=Bearer a,b||", "n,,|auth=||", "n,,|a1=b|auth=%s||",
		"n,,|a=|auth=Bearer %s||", "n,,|=b|auth=Bearer %s||",
		"n,,|a=\xc3\xa4|auth=Bearer %s||", "n,,|a|auth=Bearer %s||",
		"n,,|auth=Bearer %s|auth=x||" };
	struct sasl_result result;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (first(bad[i], &result) != SASL_FAILED)
			fail_msg("taken: %s", bad[i]);
		assert_true(slice_is_null(result.message));
	}
}

static void
somebody_else_is_not_to_be_had(void **state UNUSED)
{
	struct sasl_result result;

	assert_int_equal(
	    first("n,a=b=2Cc,|auth=Bearer %s||", &result), SASL_FAILED);
	assert_true(slice_equal_str(result.message,
	    "Authentication failed: Client requested an authorization id "
	    "(b=2Cc) that is different from the token's principal name "
	    "(alice)"));
}

/* Told in JSON, the client says that it has heard, and hears it again. */
static void
a_refusal_takes_two_steps(void **state UNUSED)
{
	struct sasl_exchange *exchange =
	    sasl_exchange_new(&conversation, SASL_OAUTHBEARER);
	struct sasl_result result;

	assert_int_equal(
	    say(exchange, "n,,|auth=Bearer x||", &result), SASL_MORE);
	assert_true(slice_equal_str(result.token, INVALID));
	assert_int_equal(say(exchange, "|", &result), SASL_FAILED);
	assert_true(slice_equal_str(result.message, INVALID));
	sasl_exchange_free(exchange);
}

static void
a_refusal_may_be_answered_with_another_token(void **state UNUSED)
{
	struct sasl_exchange *exchange =
	    sasl_exchange_new(&conversation, SASL_OAUTHBEARER);
	struct sasl_result result;

	assert_int_equal(
	    say(exchange, "n,,|auth=Bearer x||", &result), SASL_MORE);
	assert_int_equal(
	    say(exchange, "n,,|auth=Bearer %s||", &result), SASL_DONE);
	sasl_exchange_free(exchange);
	exchange = sasl_exchange_new(&conversation, SASL_OAUTHBEARER);
	assert_int_equal(
	    say(exchange, "n,,|auth=Bearer x||", &result), SASL_MORE);
	assert_int_equal(say(exchange, "||", &result), SASL_FAILED);
	assert_true(slice_is_null(result.message));
	sasl_exchange_free(exchange);
}

static void
a_missing_scope_is_told(void **state UNUSED)
{
	struct oauth_settings other = world.unsecured;
	const struct sasl_settings settings = { .oauth = &other };
	struct sasl_exchange *exchange;
	struct sasl_result result;

	other.required_scopes = scopes;
	other.required_scopes_count = COUNT_OF(scopes);
	exchange = sasl_exchange_new(&settings, SASL_OAUTHBEARER);
	assert_int_equal(
	    say(exchange, "n,,|auth=Bearer %s||", &result), SASL_MORE);
	assert_true(slice_equal_str(result.token,
	    "{\"status\":\"insufficient_scope\", \"scope\":\"[a, b]\"}"));
	assert_int_equal(say(exchange, "|", &result), SASL_FAILED);
	sasl_exchange_free(exchange);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algorithms_have_their_keys),
		cmocka_unit_test(other_keys_do_not_do),
		cmocka_unit_test(a_token_need_not_name_its_key),
		cmocka_unit_test(headers_that_are_refused),
		cmocka_unit_test(a_token_that_was_changed_is_refused),
		cmocka_unit_test(shapes_that_are_refused),
		cmocka_unit_test(audiences_have_to_be_expected),
		cmocka_unit_test(issuers_have_to_be_expected),
		cmocka_unit_test(times_have_to_fit),
		cmocka_unit_test(principals_are_texts),
		cmocka_unit_test(scopes_are_texts),
		cmocka_unit_test(hostile_claims_do_no_harm),
		cmocka_unit_test(keys_say_what_they_are_for),
		cmocka_unit_test(numbers_that_make_no_key_are_left_out),
		cmocka_unit_test(a_file_of_keys_changes),
		cmocka_unit_test(places_that_keys_do_not_come_from),
		cmocka_unit_test(tokens_without_a_signature),
		cmocka_unit_test(the_options_of_tokens_without_a_signature),
		cmocka_unit_test(messages_that_let_in),
		cmocka_unit_test(messages_that_are_none),
		cmocka_unit_test(somebody_else_is_not_to_be_had),
		cmocka_unit_test(a_refusal_takes_two_steps),
		cmocka_unit_test(a_refusal_may_be_answered_with_another_token),
		cmocka_unit_test(a_missing_scope_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
