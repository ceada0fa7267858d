#include "base/base.h"
#include "base/budget.h"
#include "net/inbox.h"

#define CAP_MIN ((size_t)512)

/* A peer that has sent this much is taken at its word sooner. */
#define EARNEST_LEN ((size_t)64 * 1024)

void
inbox_init(struct inbox *inbox, struct budget *budget)
{
	*inbox = (struct inbox){ .budget = budget };
}

void
inbox_set_budget(struct inbox *inbox, struct budget *budget)
{
	if (inbox->data != NULL) {
		budget_force(budget, inbox->cap);
		budget_give(inbox->budget, inbox->cap);
	}
	inbox->budget = budget;
}

void
inbox_clear(struct inbox *inbox)
{
	if (inbox->data != NULL)
		budget_give(inbox->budget, inbox->cap);
	free(inbox->data);
	inbox_init(inbox, inbox->budget);
}

/* Memory for len bytes of the wanted ones. */
static size_t
cap_for(size_t len, size_t wanted)
{
	size_t cap = len * (len < EARNEST_LEN ? 2 : 8);

	cap = MAX(cap, CAP_MIN);
	return MAX(MIN(cap, wanted), len);
}

/* Move the bytes to memory of cap bytes that was taken from the budget. */
static void
move(struct inbox *inbox, size_t cap)
{
	size_t len = inbox_len(inbox);
	uint8_t *data;

	if (inbox->begin == 0) {
		data = xrealloc(inbox->data, cap);
	} else {
		data = xmalloc(cap);
		memcpy(data, inbox_data(inbox), len);
		free(inbox->data);
	}
	if (inbox->cap > 0)
		budget_give(inbox->budget, inbox->cap);
	inbox->data = data;
	inbox->cap = cap;
	inbox->begin = 0;
	inbox->end = len;
}

bool
inbox_append(struct inbox *inbox, const uint8_t *data, size_t len,
    size_t wanted)
{
	size_t need = inbox_len(inbox) + len;
	bool within = true;

	assert(len > 0);
	if (inbox->cap - inbox->end < len) {
		size_t cap = cap_for(need, wanted);

		within = budget_take(inbox->budget, cap);
		if (!within) {
			cap = need;
			budget_force(inbox->budget, cap);
		}
		move(inbox, cap);
	}
	memcpy(inbox->data + inbox->end, data, len);
	inbox->end += len;
	return within;
}

uint8_t *
inbox_spare(struct inbox *inbox, size_t wanted, size_t *room)
{
	size_t len = inbox_len(inbox);

	*room = 0;
	if (wanted > len)
		*room = MIN(wanted - len, inbox->cap - inbox->end);
	return inbox->data + inbox->end;
}

void
inbox_added(struct inbox *inbox, size_t len)
{
	assert(len <= inbox->cap - inbox->end);
	inbox->end += len;
}

void
inbox_consume(struct inbox *inbox, size_t len)
{
	assert(len <= inbox_len(inbox));
	inbox->begin += len;
	if (inbox_len(inbox) == 0)
		inbox_clear(inbox);
}

void
inbox_shrink(struct inbox *inbox, size_t wanted)
{
	size_t cap = cap_for(inbox_len(inbox), wanted);

	if (inbox->data == NULL || inbox->begin == 0)
		return;
	/* A moment of both: the old memory goes back at once. */
	budget_force(inbox->budget, cap);
	move(inbox, cap);
}
