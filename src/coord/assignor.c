/* What the assignors share. */
#include "coord/assignor.h"

#include "base/map.h"

/* --- Topics by id -------------------------------------------------------- */

struct assignor_index {
	const struct assignor_job *job;
	struct map topics; /* struct assignor_topic, by id */
};

struct assignor_index *
assignor_index_new(const struct assignor_job *job)
{
	struct assignor_index *index = xcalloc(1, sizeof(*index));

	index->job = job;
	map_init(&index->topics);
	for (int32_t i = 0; i < job->topics_count; i++)
		map_set(&index->topics, MAP_KEY(job->topics[i].id),
		    (void *)(uintptr_t)&job->topics[i]);
	return index;
}

void
assignor_index_free(struct assignor_index *index)
{
	map_fini(&index->topics);
	free(index);
}

int32_t
assignor_index_find(const struct assignor_index *index, struct uuid topic_id)
{
	const struct assignor_topic *topic =
	    map_get(&index->topics, MAP_KEY(topic_id));

	return topic == NULL ? -1 : (int32_t)(topic - index->job->topics);
}

/* --- Partitions by number ------------------------------------------------ */

const int32_t *
assignor_first_numbers(const struct assignor_job *job, int32_t *total)
{
	int32_t *first = arena_xcalloc(
	    job->arena, (size_t)job->topics_count + 1, sizeof(*first));

	for (int32_t i = 0; i < job->topics_count; i++)
		first[i + 1] = first[i] + job->topics[i].partitions_count;
	*total = first[job->topics_count];
	return first;
}

void
assignor_list_add(
    struct assignor_list *list, int32_t number, struct arena *arena)
{
	if (list->count == list->capacity) {
		int32_t capacity = MAX(4, list->capacity * 2);
		int32_t *numbers =
		    arena_xcalloc(arena, (size_t)capacity, sizeof(*numbers));

		if (list->count > 0)
			memcpy(numbers, list->numbers,
			    (size_t)list->count * sizeof(*numbers));
		list->numbers = numbers;
		list->capacity = capacity;
	}
	list->numbers[list->count++] = number;
}

int32_t
assignor_topic_of(
    const int32_t *first_numbers, int32_t topics_count, int32_t number)
{
	int32_t low = 0, high = topics_count - 1;

	while (low < high) {
		int32_t middle = low + (high - low + 1) / 2;

		if (first_numbers[middle] <= number)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

void
assignor_conclude(struct assignor_job *job, const struct assignor_list *lists,
    const int32_t *first_numbers)
{
	for (int32_t m = 0; m < job->members_count; m++) {
		const struct assignor_list *list = &lists[m];
		struct assignor_member *member = &job->members[m];

		member->assigned =
		    consumer_assignment_new(job->arena, list->count);
		for (int32_t i = 0; i < list->count; i++) {
			int32_t topic = assignor_topic_of(
			    first_numbers, job->topics_count, list->numbers[i]);

			consumer_assignment_add(&member->assigned,
			    job->topics[topic].id,
			    list->numbers[i] - first_numbers[topic], 0);
		}
		consumer_assignment_sort(&member->assigned);
	}
}
