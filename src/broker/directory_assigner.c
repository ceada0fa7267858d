#include "broker/directory_assigner.h"

#include "base/log.h"
#include "meta/delta.h"
#include "meta/directory_ops.h"
#include "store/log_manager.h"

/* Kafka reports no more at a time. */
#define ASSIGNMENTS_MAX 2250

struct report {
	struct directory_assign_op op;
	struct directory_assignment assignments[ASSIGNMENTS_MAX];
};

struct directory_assigner {
	/* immutable */
	struct controller *controller;
	struct log_manager *logs;
	int32_t node_id;

	/* the applying thread's */
	bool kept; /* the metadata has directories */
	bool started;
	struct report *report; /* owned; what is not reported yet, or NULL */
	struct report **early; /* owned; full ones from before the start */
	size_t early_count;
};

struct directory_assigner *
directory_assigner_new(
    struct controller *controller, struct log_manager *logs, int32_t node_id)
{
	struct directory_assigner *assigner = xcalloc(1, sizeof(*assigner));

	assigner->controller = controller;
	assigner->logs = logs;
	assigner->node_id = node_id;
	return assigner;
}

void
directory_assigner_free(struct directory_assigner *assigner)
{
	if (assigner == NULL)
		return;
	for (size_t i = 0; i < assigner->early_count; i++)
		free(assigner->early[i]);
	free(assigner->early);
	free(assigner->report);
	free(assigner);
}

/* What could not be written now the next start finds again. */
static void
reported(struct controller_op *op)
{
	if (op->error != KP_NONE)
		log_warn("kafka.server.AssignmentsManager",
		    "the directories of some partitions could not be "
		    "reported: %s",
		    kp_error_name(op->error));
	free(CONTAINER_OF(op, struct report, op.op));
}

/* The report is complete as far as it goes. */
static void
send(struct directory_assigner *assigner)
{
	struct report *report = assigner->report;

	if (report == NULL)
		return;
	assigner->report = NULL;
	if (assigner->started) {
		controller_submit(assigner->controller, &report->op.op);
		return;
	}
	assigner->early = xrealloc(assigner->early,
	    (assigner->early_count + 1) * sizeof(struct report *));
	assigner->early[assigner->early_count++] = report;
}

static struct report *
report_new(const struct directory_assigner *assigner)
{
	struct report *report = xmalloc(sizeof(*report));

	directory_assign_op_init(&report->op);
	report->op.broker_id = assigner->node_id;
	report->op.assignments = report->assignments;
	report->op.op.done = reported;
	return report;
}

void
directory_assigner_moved(struct directory_assigner *assigner,
    struct uuid topic_id, int32_t partition, struct uuid directory)
{
	struct report *report = report_new(assigner);

	report->assignments[0] = (struct directory_assignment){
		.topic_id = topic_id,
		.partition = partition,
		.directory = directory,
	};
	report->op.count = 1;
	controller_submit(assigner->controller, &report->op.op);
}

static void
add(struct directory_assigner *assigner,
    const struct directory_assignment *assignment)
{
	struct report *report = assigner->report;

	if (report == NULL)
		report = assigner->report = report_new(assigner);
	report->assignments[report->op.count++] = *assignment;
	if (report->op.count == ASSIGNMENTS_MAX)
		send(assigner);
}

static void
look(struct directory_assigner *assigner, const struct topic_image *topic,
    int32_t index)
{
	struct directory_assignment assignment = { .topic_id = topic->id,
		.partition = index };
	struct uuid told;

	if (partition_image_directory(
		topic->partitions[index], assigner->node_id, &told) &&
	    log_manager_find(assigner->logs, topic->name, index, topic->id,
		&assignment.directory) &&
	    !uuid_equal(told, assignment.directory))
		add(assigner, &assignment);
}

static void
topic_look(
    struct directory_assigner *assigner, const struct delta_topic *topic)
{
	const struct topic_image *old = topic->old, *new = topic->new;

	if (new == NULL)
		return;
	for (int32_t i = 0; i < new->partitions_count; i++)
		if (old == NULL || i >= old->partitions_count ||
		    old->partitions[i] != new->partitions[i])
			look(assigner, new, i);
}

/* Nothing that was reported before the metadata had directories is there. */
static void
look_at_all(struct directory_assigner *assigner, const struct image *image)
{
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		for (int32_t i = 0; i < topic->partitions_count; i++)
			look(assigner, topic, i);
}

void
directory_assigner_apply(void *context, const struct delta *delta)
{
	struct directory_assigner *assigner = context;
	bool kept = image_feature(delta->image, "metadata.version") >=
	    DIRECTORY_OPS_METADATA_VERSION;

	if (kept && !assigner->kept)
		look_at_all(assigner, delta->image);
	else
		for (size_t i = 0; kept && i < delta->topics_count; i++)
			topic_look(assigner, delta->topics[i]);
	assigner->kept = kept;
	send(assigner);
}

void
directory_assigner_start(struct directory_assigner *assigner)
{
	assigner->started = true;
	for (size_t i = 0; i < assigner->early_count; i++)
		controller_submit(
		    assigner->controller, &assigner->early[i]->op.op);
	assigner->early_count = 0;
}
