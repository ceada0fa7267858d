#include "auth/scram_users.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/map.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

#define LOGGER "auth"

struct user {
	struct slice key;  /* owned: the kept record's identity */
	struct slice name; /* owned */
	enum scram_mechanism mechanism;
	struct scram_credential credential; /* salt owned */
};

struct scram_users {
	uint8_t secret[SCRAM_KEY_LEN_MAX]; /* immutable */
	pthread_rwlock_t lock;
	struct map users; /* guarded; struct user */
};

static void
user_free(struct user *user)
{
	slice_release(&user->key);
	slice_release(&user->name);
	slice_release(&user->credential.salt);
	OPENSSL_cleanse(user, sizeof(*user));
	free(user);
}

struct scram_users *
scram_users_new(void)
{
	struct scram_users *users = xcalloc(1, sizeof(*users));
	int error = pthread_rwlock_init(&users->lock, NULL);
	/* Not OpenSSL's, which takes memory and time of a start to begin. */
	int random = getentropy(users->secret, sizeof(users->secret));

	assert(error == 0 && random == 0);
	map_init(&users->users);
	return users;
}

void
scram_users_free(struct scram_users *users)
{
	struct user *user;

	if (users == NULL)
		return;
	for (size_t at = 0; (user = map_next(&users->users, &at)) != NULL;)
		user_free(user);
	map_fini(&users->users);
	pthread_rwlock_destroy(&users->lock);
	free(users);
}

/* --- Following the metadata ----------------------------------------------- */

/* A credential of another shape than its mechanism's is as good as none. */
static bool
usable(const struct kp_user_scram_credential_record *record)
{
	enum scram_mechanism mechanism =
	    (enum scram_mechanism)record->mechanism;

	if (mechanism != SCRAM_SHA_256 && mechanism != SCRAM_SHA_512)
		return false;
	return record->stored_key.len == scram_key_len(mechanism) &&
	    record->server_key.len == scram_key_len(mechanism) &&
	    record->iterations >= SCRAM_ITERATIONS_MIN;
}

static struct user *
user_new(struct slice key, const struct kp_user_scram_credential_record *record)
{
	struct user *user = xcalloc(1, sizeof(*user));

	user->key = slice_own(key);
	user->name = slice_own(record->name);
	user->mechanism = (enum scram_mechanism)record->mechanism;
	user->credential.salt = slice_own(record->salt);
	user->credential.iterations = record->iterations;
	memcpy(user->credential.stored_key, record->stored_key.data,
	    record->stored_key.len);
	memcpy(user->credential.server_key, record->server_key.data,
	    record->server_key.len);
	return user;
}

static void
remove_user(struct scram_users *users, struct slice key)
{
	struct user *user = map_remove(&users->users, key);

	if (user != NULL)
		user_free(user);
}

static void
put_user(struct scram_users *users, const struct delta_kept *kept,
    struct arena *arena)
{
	struct metadata_record record;
	const char *reason;
	struct user *user;

	if (metadata_record_decode(kept->value, arena, &record, &reason) != 0) {
		log_warn(LOGGER, "a SCRAM credential is skipped: %s", reason);
		return;
	}
	if (!usable(record.body)) {
		log_warn(LOGGER,
		    "a SCRAM credential that cannot be used is "
		    "skipped");
		return;
	}
	user = user_new(kept->identity, record.body);
	map_set(&users->users, user->key, user);
}

void
scram_users_apply(void *context, const struct delta *delta)
{
	struct scram_users *users = context;
	struct arena arena;
	int error;

	arena_init(&arena, METADATA_RECORD_BATCH_LEN_MAX);
	error = pthread_rwlock_wrlock(&users->lock);
	assert(error == 0);
	for (size_t i = 0; i < delta->kept_count; i++) {
		const struct delta_kept *kept = delta->kept[i];

		if (kept->api_key != METADATA_RECORD_USER_SCRAM_CREDENTIAL)
			continue;
		remove_user(users, kept->identity);
		if (!slice_is_null(kept->value))
			put_user(users, kept, &arena);
		arena_reset(&arena);
	}
	error = pthread_rwlock_unlock(&users->lock);
	assert(error == 0);
}

/* --- Looking up ----------------------------------------------------------- */

static bool
find(struct scram_users *users, enum scram_mechanism mechanism,
    struct slice name, struct arena *arena, struct scram_credential *credential)
{
	const struct user *user;
	struct slice key;
	uint8_t *bytes = delta_scram_identity(name, (int8_t)mechanism, &key);
	int error = pthread_rwlock_rdlock(&users->lock);

	assert(error == 0);
	user = map_get(&users->users, key);
	if (user != NULL) {
		*credential = user->credential;
		credential->salt = arena_copy(arena, user->credential.salt);
	}
	error = pthread_rwlock_unlock(&users->lock);
	assert(error == 0);
	free(bytes);
	return user != NULL;
}

bool
scram_users_find(struct scram_users *users, enum scram_mechanism mechanism,
    struct slice name, struct arena *arena, struct scram_credential *credential)
{
	if (find(users, mechanism, name, arena, credential))
		return true;
	scram_invent(mechanism, slice_of(users->secret, sizeof(users->secret)),
	    name, arena, credential);
	return false;
}
