#include "faults/victim.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/volume.h"
#include "unit/temp_dir.h"

/* The one that a test which fails leaves behind; NULL: none. */
static struct victim *left;

static void
end_left(int signal UNUSED)
{
	static const char text[] = "\nthe broker's log is in ";
	const struct broker_process *broker = &left->broker;

	if (broker->pid > 0) {
		kill(broker->pid, SIGKILL);
		waitpid(broker->pid, NULL, 0);
	}
	(void)!write(2, text, sizeof(text) - 1);
	(void)!write(2, broker->directory, strlen(broker->directory));
	(void)!write(2, "\n", 1);
	_exit(EXIT_FAILURE);
}

void
victim_init(struct victim *victim, const struct volume *volume)
{
	assert(left == NULL);
	/* cmocka then says what failed, on any thread. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	memset(victim, 0, sizeof(*victim));
	broker_process_init(&victim->broker);
	left = victim;
	signal(SIGABRT, end_left);
	victim_set(victim, "auto.create.topics.enable", "false");
	if (volume == NULL)
		return;
	victim->data = xasprintf("%s/data", volume->directory);
	victim_set(victim, "log.dirs", victim->data);
}

void
victim_set(struct victim *victim, const char *key, const char *value)
{
	char *setting = xasprintf("%s=%s", key, value);

	assert(victim->settings_count < VICTIM_SETTINGS_MAX);
	victim->settings[victim->settings_count++] = setting;
	broker_process_argument(&victim->broker, "--override");
	broker_process_argument(&victim->broker, setting);
}

void
victim_fini(struct victim *victim)
{
	broker_process_fini(&victim->broker);
	signal(SIGABRT, SIG_DFL);
	left = NULL;
	if (victim->data != NULL)
		temp_dir_remove(victim->data);
	for (size_t i = 0; i < victim->settings_count; i++)
		free(victim->settings[i]);
}
