#include "auth/jwk_source.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "auth/jwk.h"
#include "auth/jwk_set.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/thread.h"
#include "net/http_get.h"
#include "net/tls_trust.h"
#include "store/disk.h"

#define LOGGER "auth"

#define FILE_SCHEME "file:"

/* For a single fetch, as in jose4j. */
#define FETCH_MS 20000

/* Between early fetches, whatever they are for. */
#define EARLY_MS 1000

/* RefreshingHttpsJwks: unknown keys that were asked for of late. */
#define ASKED_MAX 16
#define ASKED_LEN_MAX 1000
#define ASKED_MS 60000

#define REASON_LEN 256

/* A key that tokens have named and that was not there. */
struct asked {
	char *id; /* owned; NULL: none */
	int64_t until_ms;
};

/* What tells that a file is another one. */
struct mark {
	struct timespec mtime;
	off_t size;
	dev_t device;
	ino_t inode;
};

struct jwk_source {
	/* immutable */
	const struct jwk_source_settings *settings;
	struct disk *disk;
	const char *path; /* of a file; NULL: it is fetched */
	struct http_url url;
	X509_STORE *trusted; /* NULL: whom the system trusts */
	int stop_fd;
	bool runs; /* the thread does */
	pthread_t thread;

	pthread_rwlock_t set_lock;
	struct jwk_set *set; /* guarded by set_lock; NULL: no keys */

	pthread_mutex_t lock; /* of what follows; taken before set_lock */
	pthread_cond_t wake;
	struct mark mark; /* of the file that the set is of */
	bool stopping;
	int64_t due_ms; /* the next fetch, on the monotonic clock */
	int64_t ended_ms; /* the last one */
	struct asked asked[ASKED_MAX];
	size_t asked_next;
};

/* --- URLs ----------------------------------------------------------------- */

/* The path of "file:/path" or "file:///path"; NULL where it is no file. */
static const char *
path_of(const char *url)
{
	size_t len = strlen(FILE_SCHEME);
	const char *path;

	if (strlen(url) < len ||
	    !slice_equal_nocase(slice_of(url, len), FILE_SCHEME))
		return NULL;
	path = url + len;
	return path[0] == '/' && path[1] == '/' ? path + 2 : path;
}

int
jwk_source_url_check(const char *url, const char **reason)
{
	const char *path = path_of(url);
	struct http_url parts;

	if (path == NULL)
		return http_url_parse(slice_str(url), &parts, reason);
	*reason = "a file's path has to be whole";
	return path[0] == '/' ? 0 : -1;
}

/* --- The set -------------------------------------------------------------- */

static void
replace(struct jwk_source *source, struct jwk_set *set)
{
	struct jwk_set *old;

	pthread_rwlock_wrlock(&source->set_lock);
	old = source->set;
	source->set = set;
	pthread_rwlock_unlock(&source->set_lock);
	jwk_set_free(old);
}

/* The set of a text; NULL after a line in the log. */
static struct jwk_set *
parse(const struct jwk_source *source, struct slice text)
{
	const char *reason;
	struct jwk_set *set = jwk_set_parse(text, &reason);

	if (set == NULL)
		log_warn(LOGGER, "%s is no set of keys: %s",
		    source->settings->url, reason);
	else if (jwk_set_count(set) == 0)
		log_warn(LOGGER, "%s has no key that tokens could be signed "
		    "with", source->settings->url);
	return set;
}

/* --- Files ---------------------------------------------------------------- */

static struct jwk_set *
read_set(const struct jwk_source *source)
{
	struct jwk_set *set = NULL;
	size_t len = 0;
	uint8_t *bytes = disk_read_file(source->disk, source->path,
	    JWK_SET_BYTES_MAX, &len);

	if (bytes == NULL)
		log_warn(LOGGER, "the keys in %s cannot be read: %s",
		    source->path, strerror(errno));
	else
		set = parse(source, slice_of(bytes, len));
	free(bytes);
	return set;
}

static struct mark
mark_of(const struct jwk_source *source)
{
	struct stat st;

	if (disk_stat(source->disk, source->path, &st) != 0)
		return (struct mark){ .size = -1 };
	return (struct mark){ st.st_mtim, st.st_size, st.st_dev, st.st_ino };
}

static bool
mark_equal(const struct mark *a, const struct mark *b)
{
	return a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec && a->size == b->size &&
	    a->device == b->device && a->inode == b->inode;
}

/* Read the file where it has changed; what changes meanwhile is seen later. */
static void
look(struct jwk_source *source)
{
	struct mark mark;

	pthread_mutex_lock(&source->lock);
	mark = mark_of(source);
	if (!mark_equal(&mark, &source->mark)) {
		source->mark = mark;
		log_info(LOGGER, "the keys in %s have changed", source->path);
		replace(source, read_set(source));
	}
	pthread_mutex_unlock(&source->lock);
}

/* --- Fetching ------------------------------------------------------------- */

static struct jwk_set *
fetch(const struct jwk_source *source)
{
	const struct http_get get = {
		.url = source->url,
		.timeout_ms = FETCH_MS,
		.trusted = source->trusted,
		.stop_fd = source->stop_fd,
	};
	char reason[REASON_LEN];
	struct jwk_set *set = NULL;
	struct buf body;

	buf_init(&body, JWK_SET_BYTES_MAX);
	if (http_get(&get, &body, reason, sizeof(reason)) == 0)
		set = parse(source, buf_slice(&body));
	else
		log_warn(LOGGER, "the keys of %s cannot be fetched: %s",
		    source->settings->url, reason);
	buf_fini(&body);
	return set;
}

/* Until then, or until the end; the lock is held. */
static void
wait_until(struct jwk_source *source, int64_t until_ms)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000 * 1000000),
	};

	pthread_cond_timedwait(&source->wake, &source->lock, &until);
}

/* Wait before another try; false where there is to be none. */
static bool
back_off(struct jwk_source *source, int64_t delay_ms, int64_t end_ms)
{
	int64_t until_ms =
	    MIN(clock_monotonic_ms() + delay_ms, end_ms);
	bool more;

	if (until_ms <= clock_monotonic_ms())
		return false;
	pthread_mutex_lock(&source->lock);
	while (!source->stopping && clock_monotonic_ms() < until_ms)
		wait_until(source, until_ms);
	more = !source->stopping;
	pthread_mutex_unlock(&source->lock);
	return more;
}

/* As Kafka's Retry: with growing pauses, until backoff_max_ms are over. */
static struct jwk_set *
fetch_patiently(struct jwk_source *source)
{
	int64_t delay_ms = source->settings->backoff_ms;
	int64_t end_ms =
	    clock_monotonic_ms() + source->settings->backoff_max_ms;
	struct jwk_set *set = fetch(source);

	while (set == NULL && back_off(source, delay_ms, end_ms)) {
		set = fetch(source);
		delay_ms = MIN(2 * delay_ms, source->settings->backoff_max_ms);
	}
	return set;
}

static void
refresh(struct jwk_source *source)
{
	struct jwk_set *set = fetch_patiently(source);

	if (set == NULL)
		return;
	log_info(LOGGER, "the %zu keys of %s are there", jwk_set_count(set),
	    source->settings->url);
	replace(source, set);
}

static void *
run(void *argument)
{
	struct jwk_source *source = argument;

	pthread_mutex_lock(&source->lock);
	while (!source->stopping) {
		if (clock_monotonic_ms() < source->due_ms) {
			wait_until(source, source->due_ms);
			continue;
		}
		/* Who asks from here on is asked for after this one. */
		source->due_ms = INT64_MAX;
		pthread_mutex_unlock(&source->lock);
		refresh(source);
		pthread_mutex_lock(&source->lock);
		source->ended_ms = clock_monotonic_ms();
		source->due_ms = source->ended_ms +
		    (source->due_ms == INT64_MAX ?
			    source->settings->refresh_ms :
			    EARLY_MS);
	}
	pthread_mutex_unlock(&source->lock);
	return NULL;
}

/* --- Early fetches -------------------------------------------------------- */

/* Was the key asked for of late?  If not, it is now.  The lock is held. */
static bool
note_asked(struct jwk_source *source, struct slice id, int64_t now_ms)
{
	struct asked *free_one = &source->asked[source->asked_next];

	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct asked *asked = &source->asked[i];

		if (!slice_equal(slice_str(asked->id), id))
			continue;
		if (now_ms < asked->until_ms)
			return true;
		asked->until_ms = now_ms + ASKED_MS;
		return false;
	}
	source->asked_next = (source->asked_next + 1) % ASKED_MAX;
	free(free_one->id);
	*free_one = (struct asked){ slice_dup(id), now_ms + ASKED_MS };
	return false;
}

/* Have the keys fetched early, because one is named that is not there. */
static void
ask_for(struct jwk_source *source, const json_t *header)
{
	int64_t now_ms = clock_monotonic_ms();
	struct slice id;

	if (jwt_text(header, "kid", &id) != JWT_FOUND ||
	    id.len > ASKED_LEN_MAX)
		return;
	pthread_mutex_lock(&source->lock);
	if (!note_asked(source, id, now_ms)) {
		source->due_ms =
		    MIN(source->due_ms, source->ended_ms + EARLY_MS);
		pthread_cond_signal(&source->wake);
	}
	pthread_mutex_unlock(&source->lock);
}

/* --- Verifying ------------------------------------------------------------ */

enum outcome { OUTCOME_RIGHT, OUTCOME_WRONG, OUTCOME_NO_KEY, OUTCOME_NO_SET };

static enum outcome
verify(struct jwk_source *source, const struct jwt *jwt)
{
	enum outcome outcome = OUTCOME_NO_SET;
	const struct jwk *jwk;

	pthread_rwlock_rdlock(&source->set_lock);
	if (source->set != NULL) {
		jwk = jwk_set_select(source->set, jwt->header);
		outcome = jwk == NULL ? OUTCOME_NO_KEY :
		    jwk_verify(jwk, jwt->header, jwt->signed_text,
			jwt->signature) ?
					OUTCOME_RIGHT :
					OUTCOME_WRONG;
	}
	pthread_rwlock_unlock(&source->set_lock);
	return outcome;
}

const char *
jwk_source_verify(struct jwk_source *source, const struct jwt *jwt)
{
	if (source->path != NULL)
		look(source);
	switch (verify(source, jwt)) {
	case OUTCOME_RIGHT:
		return NULL;
	case OUTCOME_WRONG:
		return "its signature is not that of the key";
	case OUTCOME_NO_KEY:
		if (source->path == NULL)
			ask_for(source, jwt->header);
		return "there is no key for it";
	case OUTCOME_NO_SET:
		break;
	}
	return "the keys cannot be read";
}

/* --- Life ----------------------------------------------------------------- */

static struct jwk_source *
source_new(const struct jwk_source_settings *settings, struct disk *disk)
{
	struct jwk_source *source = xcalloc(1, sizeof(*source));
	pthread_condattr_t attributes;
	const char *reason;
	int result;

	source->settings = settings;
	source->disk = disk;
	source->path = path_of(settings->url);
	source->stop_fd = -1;
	pthread_rwlock_init(&source->set_lock, NULL);
	pthread_mutex_init(&source->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&source->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	if (source->path != NULL)
		return source;
	result = http_url_parse(slice_str(settings->url), &source->url,
	    &reason);
	assert(result == 0);
	return source;
}

static int
open_file(struct jwk_source *source)
{
	source->mark = mark_of(source);
	source->set = read_set(source);
	return source->set == NULL ? -1 : 0;
}

static uint8_t *
read_store(void *context, const char *path, size_t len_max, size_t *len)
{
	return disk_read_file(context, path, len_max, len);
}

static int
open_trust(struct jwk_source *source)
{
	const struct tls_files files = { read_store, source->disk };
	char *error;

	if (source->settings->stores == NULL)
		return 0;
	source->trusted =
	    tls_trust_new(source->settings->stores, &files, &error);
	if (source->trusted != NULL)
		return 0;
	log_error(LOGGER, "%s: %s", source->settings->url, error);
	free(error);
	return -1;
}

static int
open_url(struct jwk_source *source)
{
	if (open_trust(source) != 0)
		return -1;
	source->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (source->stop_fd < 0) {
		log_error(LOGGER, "eventfd: %s", strerror(errno));
		return -1;
	}
	refresh(source);
	if (source->set == NULL)
		return -1;
	source->ended_ms = clock_monotonic_ms();
	source->due_ms = source->ended_ms + source->settings->refresh_ms;
	if (thread_start(&source->thread, "jwks", run, source) != 0) {
		log_error(LOGGER, "cannot start a thread: %s",
		    strerror(errno));
		return -1;
	}
	source->runs = true;
	return 0;
}

struct jwk_source *
jwk_source_open(const struct jwk_source_settings *settings, struct disk *disk)
{
	struct jwk_source *source = source_new(settings, disk);
	int result =
	    source->path != NULL ? open_file(source) : open_url(source);

	if (result == 0)
		return source;
	log_error(LOGGER, "without the keys of %s nobody can log in",
	    settings->url);
	jwk_source_close(source);
	return NULL;
}

static void
stop(struct jwk_source *source)
{
	const uint64_t one = 1;
	ssize_t written;

	pthread_mutex_lock(&source->lock);
	source->stopping = true;
	pthread_cond_broadcast(&source->wake);
	pthread_mutex_unlock(&source->lock);
	written = write(source->stop_fd, &one, sizeof(one));
	assert(written == sizeof(one));
	pthread_join(source->thread, NULL);
}

void
jwk_source_close(struct jwk_source *source)
{
	if (source == NULL)
		return;
	if (source->runs)
		stop(source);
	if (source->stop_fd >= 0)
		close(source->stop_fd);
	for (size_t i = 0; i < ASKED_MAX; i++)
		free(source->asked[i].id);
	jwk_set_free(source->set);
	X509_STORE_free(source->trusted);
	pthread_cond_destroy(&source->wake);
	pthread_mutex_destroy(&source->lock);
	pthread_rwlock_destroy(&source->set_lock);
	free(source);
}
