#include "e2e/program.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/broker_process.h"
#include "unit/unit.h"

/* Long enough for a broker under a sanitizer on a busy machine. */
#define DEADLINE_MS 60000
#define POLL_US 2000
#define ARGUMENTS_MAX 24
#define OUTPUT_MAX ((size_t)1024 * 1024)

__attribute__((noreturn)) static void
execute(const struct program *program, const char *directory,
    const char *const *argv)
{
	/* A test that dies takes it along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if ((directory != NULL && chdir(directory) != 0) ||
	    dup2(program->out, 1) < 0 || dup2(program->err, 2) < 0)
		_exit(126);
	execv(broker_process_binary(), (char *const *)(uintptr_t)argv);
	_exit(127);
}

void
program_start(struct program *program, const char *directory,
    const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX + 2] = { "klamm" };

	for (size_t i = 0; arguments[i] != NULL; i++) {
		assert_true(i < ARGUMENTS_MAX);
		argv[i + 1] = arguments[i];
	}
	program->out = memfd_create("out", MFD_CLOEXEC);
	program->err = memfd_create("err", MFD_CLOEXEC);
	assert_true(program->out >= 0 && program->err >= 0);
	program->pid = fork();
	assert_true(program->pid >= 0);
	if (program->pid == 0)
		execute(program, directory, argv);
}

int
program_wait(struct program *program)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int status;
	pid_t pid;

	while ((pid = waitpid(program->pid, &status, WNOHANG)) == 0) {
		if (clock_monotonic_ms() > deadline) {
			program_fini(program);
			fail_msg("klamm does not end");
		}
		usleep(POLL_US);
	}
	assert_int_equal(pid, program->pid);
	program->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static char *
contents(int fd)
{
	char *text = xmalloc(OUTPUT_MAX + 1);
	ssize_t n = pread(fd, text, OUTPUT_MAX, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

char *
program_out(const struct program *program)
{
	return contents(program->out);
}

char *
program_err(const struct program *program)
{
	return contents(program->err);
}

static bool
says(const struct program *program, const char *text)
{
	char *out = program_out(program);
	bool found = strstr(out, text) != NULL;

	free(out);
	return found;
}

static bool
has_ended(const struct program *program)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(P_PID, (id_t)program->pid, &info,
			     WEXITED | WNOHANG | WNOWAIT),
	    0);
	return info.si_pid != 0;
}

void
program_await(const struct program *program, const char *text)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

	while (!says(program, text)) {
		if (has_ended(program))
			fail_msg("klamm ended before it said \"%s\"", text);
		if (clock_monotonic_ms() > deadline)
			fail_msg("klamm does not say \"%s\"", text);
		usleep(POLL_US);
	}
}

void
program_fini(struct program *program)
{
	if (program->pid > 0) {
		kill(program->pid, SIGKILL);
		waitpid(program->pid, NULL, 0);
		program->pid = 0;
	}
	close(program->out);
	close(program->err);
}

size_t
program_count(const char *text, const char *part)
{
	size_t count = 0;

	while ((text = strstr(text, part)) != NULL) {
		text += strlen(part);
		count++;
	}
	return count;
}
