#include "e2e/sync_gate.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "unit/unit.h"

#define DEADLINE_S 60

/* Each thread of a broker is in one sync at a time. */
#define HELD_MAX 64

/* What the kernel keeps of a thread's name, and a NUL. */
#define NAME_SIZE 16

struct held_sync {
	uint64_t id; /* of its notification */
	char thread[NAME_SIZE];
};

static struct {
	int listener;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t arrived;
	/* lock */
	bool closed;
	struct held_sync held[HELD_MAX];
	size_t held_count;
} gate = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.arrived = PTHREAD_COND_INITIALIZER,
};

/*
 * Have the kernel do what was asked for.  A kernel that cannot go on (before
 * 5.5) has the call fail, which sync_gate_init sees.  A process that has ended
 * meanwhile needs no answer.
 */
static void
let_go(uint64_t id)
{
	struct seccomp_notif_resp go = { .id = id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct seccomp_notif_resp fail = { .id = id, .error = -ENOSYS };

	if (ioctl(gate.listener, SECCOMP_IOCTL_NOTIF_SEND, &go) < 0 &&
	    errno == EINVAL)
		(void)ioctl(gate.listener, SECCOMP_IOCTL_NOTIF_SEND, &fail);
}

static void
read_name(uint32_t thread, char name[NAME_SIZE])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/comm", thread);
	file = fopen(path, "re");
	if (file == NULL || fgets(name, NAME_SIZE, file) == NULL)
		name[0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (file != NULL)
		fclose(file);
}

static void
hold(const struct seccomp_notif *call)
{
	struct held_sync *held = &gate.held[gate.held_count++];

	assert(gate.held_count <= HELD_MAX);
	held->id = call->id;
	read_name(call->pid, held->thread);
	pthread_cond_broadcast(&gate.arrived);
}

/* Until the process ends. */
static void *
keep_gate(void *argument UNUSED)
{
	for (;;) {
		struct seccomp_notif call = { 0 };

		/* ENOENT: who was to be notified of has ended. */
		if (ioctl(gate.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
			assert(errno == EINTR || errno == ENOENT);
			continue;
		}
		pthread_mutex_lock(&gate.lock);
		if (gate.closed)
			hold(&call);
		else
			let_go(call.id);
		pthread_mutex_unlock(&gate.lock);
	}
}

/* The descriptor that the notifications come from, or -1. */
static int
install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT_OF(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

bool
sync_gate_init(void)
{
	gate.listener = install_filter();
	if (gate.listener < 0 ||
	    thread_start(&gate.thread, "sync-gate", keep_gate, NULL) != 0)
		return false;
	/* This process passes, too: the kernel's own answer says it did. */
	return fsync(-1) < 0 && errno == EBADF;
}

void
sync_gate_close(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = true;
	pthread_mutex_unlock(&gate.lock);
}

void
sync_gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = false;
	for (size_t i = 0; i < gate.held_count; i++)
		let_go(gate.held[i].id);
	gate.held_count = 0;
	pthread_mutex_unlock(&gate.lock);
}

static bool
is_held(const char *thread)
{
	for (size_t i = 0; i < gate.held_count; i++)
		if (strcmp(gate.held[i].thread, thread) == 0)
			return true;
	return false;
}

void
sync_gate_await(const char *thread)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&gate.lock);
	while (error == 0 && !is_held(thread))
		error =
		    pthread_cond_timedwait(&gate.arrived, &gate.lock, &until);
	pthread_mutex_unlock(&gate.lock);
	if (error != 0)
		fail_msg("no sync of the thread %s has come", thread);
}
