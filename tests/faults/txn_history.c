#include "faults/txn_history.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/unit.h"

struct txn_history *
txn_history_map(int fd)
{
	struct txn_history *history = mmap(NULL, sizeof(*history),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(history != MAP_FAILED);
	return history;
}

struct txn_history *
txn_history_new(int *fd)
{
	*fd = memfd_create("history", 0);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, sizeof(struct txn_history)), 0);
	return txn_history_map(*fd);
}

const char *
txn_name(int32_t producer, char name[TXN_NAME_SIZE])
{
	snprintf(name, TXN_NAME_SIZE, "producer-%d", producer);
	return name;
}
