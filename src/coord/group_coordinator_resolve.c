/*
 * Regular expressions of consumer groups are resolved by the coordinator's
 * worker.
 */
#include "coord/consumer_regex.h"
#include "coord/group_coordinator_inner.h"

/* A group whose expressions are to be resolved. */
struct resolving {
	struct task task;
	struct group_coordinator *coordinator;
	struct group_tenure *tenure; /* referenced */
	struct slice group_id;       /* owned, as is the principal */
	struct principal principal;
};

static struct slice
copy_of(struct slice text)
{
	return slice_of(slice_dup(text), text.len);
}

static void
resolving_free(struct resolving *resolving)
{
	free((void *)(uintptr_t)resolving->group_id.data);
	free((void *)(uintptr_t)resolving->principal.host.data);
	free((void *)(uintptr_t)resolving->principal.name.data);
	free(resolving);
}

static void
run(struct task *task)
{
	struct resolving *resolving =
	    CONTAINER_OF(task, struct resolving, task);
	const struct coordinator *base = &resolving->coordinator->base;

	consumer_regex_run(&resolving->tenure->shard, resolving->group_id,
	    &resolving->principal, base->services.authorizer);
	group_tenure_unref(resolving->tenure);
	resolving_free(resolving);
}

/*
 * The shard is locked by who calls, so its tenure is there.  Where there is no
 * worker, the coordinator stops.
 */
void
group_coordinator_resolve(struct group_resolver *resolver,
    struct group_shard *shard, struct slice group_id,
    const struct principal *principal)
{
	struct group_coordinator *coordinator =
	    CONTAINER_OF(resolver, struct group_coordinator, resolver);
	struct resolving *resolving = xcalloc(1, sizeof(*resolving));

	resolving->task.run = run;
	resolving->coordinator = coordinator;
	resolving->tenure = CONTAINER_OF(shard, struct group_tenure, shard);
	resolving->group_id = copy_of(group_id);
	resolving->principal.host = copy_of(principal->host);
	resolving->principal.name = copy_of(principal->name);
	tenure_ref(&resolving->tenure->tenure);
	if (coordinator_post(&coordinator->base, &resolving->task))
		return;
	/* Not the last reference: whoever is in the shard has one. */
	group_tenure_unref(resolving->tenure);
	resolving_free(resolving);
}
