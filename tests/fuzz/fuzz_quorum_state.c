/* quorum-state: the leader epoch in a text that is JSON, or is not. */
#include "base/base.h"
#include "meta/quorum_state.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written for an epoch is read as that epoch. */
static void
check_written(int32_t leader_epoch, int16_t kraft_version)
{
	char *text = format(1, leader_epoch, kraft_version);
	int32_t again;

	assert(parse(text, strlen(text), &again) == 0);
	assert(again == leader_epoch);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int32_t leader_epoch = -1;

	if (parse((const char *)data, size, &leader_epoch) == 0) {
		assert(leader_epoch >= 0 && leader_epoch < INT32_MAX);
		check_written(leader_epoch, 0);
		check_written(leader_epoch, 1);
	} else {
		assert(leader_epoch == -1);
	}
	return 0;
}
