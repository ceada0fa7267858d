#include "base/base.h"
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

#define NAME_LEN_MAX 15

struct start {
	void *(*fn)(void *);
	void *argument;
	char name[NAME_LEN_MAX + 1];
};

static void *
run(void *argument)
{
	struct start start = *(struct start *)argument;

	free(argument);
	/* A name that cannot be set is no reason not to run. */
	(void)pthread_setname_np(pthread_self(), start.name);
	return start.fn(start.argument);
}

int
thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
    void *argument)
{
	struct start *start = xcalloc(1, sizeof(*start));
	sigset_t all, before;
	int error;

	start->fn = fn;
	start->argument = argument;
	memcpy(start->name, name, strnlen(name, NAME_LEN_MAX));
	sigfillset(&all);
	error = pthread_sigmask(SIG_SETMASK, &all, &before);
	assert(error == 0);
	error = pthread_create(thread, NULL, run, start);
	if (error != 0)
		free(start);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}
