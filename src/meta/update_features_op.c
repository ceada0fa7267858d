#include "meta/update_features_op.h"

#include "meta/broker_ops.h"
#include "meta/directory_ops.h"
#include "meta/elr.h"
#include "meta/features.h"
#include "wire/error.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_no_op_record.h"

/* The last version whose responses name the features. */
#define VERSION_RESULTS_MAX 1

/* Of the request's upgrade_type. */
enum {
	TYPE_UPGRADE = 1,
	TYPE_SAFE_DOWNGRADE = 2,
	TYPE_UNSAFE_DOWNGRADE = 3,
};

/* One request that is being checked. */
struct updating {
	struct update_features_op *op;
	struct controller *controller;
};

/* --- Texts --------------------------------------------------------------- */

static struct slice
invalid(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update,
    struct slice reason)
{
	return arena_printf(updating->op->arena,
	    "Invalid update version %d for feature %.*s. %.*s",
	    update->max_version_level, SLICE_ARG(update->feature),
	    SLICE_ARG(reason));
}

static struct slice
invalid_str(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update,
    const char *reason)
{
	return invalid(updating, update, slice_str(reason));
}

/* --- Levels -------------------------------------------------------------- */

/* What is served of the feature; a feature that is not has level 0 only. */
static struct broker_ops_feature
range_of(struct slice feature)
{
	size_t count;
	const struct broker_ops_feature *known = broker_ops_features(&count);

	for (size_t i = 0; i < count; i++)
		if (slice_equal_str(feature, known[i].name))
			return known[i];
	return (struct broker_ops_feature){ .max = 0 };
}

static bool
is(const struct kp_update_features_request_feature_update *update,
    const char *name)
{
	return slice_equal_str(update->feature, name);
}

static int16_t
level_of(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	const struct delta *view = controller_view(updating->controller);
	const struct feature *feature = features_find(update->feature);

	if (is(update, FEATURES_KRAFT_VERSION))
		return controller_kraft_version(updating->controller);
	if (is(update, FEATURES_METADATA_VERSION))
		return delta_feature_level(view, FEATURES_METADATA_VERSION);
	return feature == NULL ? 0 : delta_feature_level(view, feature->name);
}

/* metadata.version as it will be when all of the request is done. */
static int16_t
metadata_version_wanted(const struct updating *updating)
{
	const struct kp_update_features_request *request =
	    updating->op->request;

	for (int32_t i = 0; i < request->feature_updates_count; i++)
		if (is(&request->feature_updates[i],
			FEATURES_METADATA_VERSION))
			return request->feature_updates[i].max_version_level;
	return delta_feature_level(controller_view(updating->controller),
	    FEATURES_METADATA_VERSION);
}

/* --- Checks: null where all is well --------------------------------------- */

static struct slice
check_support(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	struct broker_ops_feature range = range_of(update->feature);
	int16_t level = update->max_version_level;

	if (level >= range.min && level <= range.max)
		return SLICE_NULL;
	if (range.max == 0)
		return invalid(updating, update,
		    arena_printf(updating->op->arena, "Local controller %d "
			"does not support this feature.",
			updating->op->node_id));
	return invalid(updating, update,
	    arena_printf(updating->op->arena,
		"Local controller %d only supports versions %d-%d",
		updating->op->node_id, range.min, range.max));
}

/* Does the type of the change fit its direction? */
static struct slice
check_type(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	int16_t current = level_of(updating, update);

	if (update->max_version_level < current &&
	    update->upgrade_type == TYPE_UPGRADE)
		return invalid_str(updating, update, "Can't downgrade the "
		    "version of this feature without setting the upgrade type "
		    "to either safe or unsafe downgrade.");
	if (update->max_version_level > current &&
	    update->upgrade_type != TYPE_UPGRADE)
		return invalid_str(
		    updating, update, "Can't downgrade to a newer version.");
	return SLICE_NULL;
}

/* The levels at which the form of the metadata has changed. */
static bool
metadata_changed(int16_t low, int16_t high)
{
	static const int16_t changes[] = { 8, 11, 13, 14, 15, 17, 23, 30 };

	for (size_t i = 0; i < COUNT_OF(changes); i++)
		if (changes[i] > low && changes[i] <= high)
			return true;
	return false;
}

static struct slice
check_metadata_version(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	int16_t current = level_of(updating, update);
	int16_t wanted = update->max_version_level;

	if (wanted < current && metadata_changed(wanted, current))
		return arena_printf(updating->op->arena,
		    "Unsupported metadata.version downgrade from %d to %d. %s",
		    current, wanted,
		    update->upgrade_type == TYPE_UNSAFE_DOWNGRADE ?
			"Unsafe metadata downgrade is not supported in this "
			"version." :
			"Refusing to perform the requested downgrade because "
			"it might delete metadata information.");
	return SLICE_NULL;
}

static struct slice
check_kraft_version(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	int16_t current = level_of(updating, update);

	if (update->max_version_level < current)
		return invalid_str(updating, update,
		    "Can't downgrade the version of this feature.");
	return SLICE_NULL;
}

static struct slice
check_needs(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	const struct feature *feature = features_find(update->feature);
	int16_t level = update->max_version_level;

	if (feature == NULL)
		return invalid(updating, update,
		    arena_printf(updating->op->arena,
			"Feature %.*s not found.",
			SLICE_ARG(update->feature)));
	if (feature->needs[level] > metadata_version_wanted(updating))
		return invalid(updating, update,
		    arena_printf(updating->op->arena,
			"%s could not be set to %d because it depends on "
			"metadata.version level %d",
			feature->name, level, feature->needs[level]));
	return SLICE_NULL;
}

static struct slice
check(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	struct slice fault;

	if (update->upgrade_type < TYPE_UPGRADE ||
	    update->upgrade_type > TYPE_UNSAFE_DOWNGRADE)
		return invalid_str(updating, update, "The controller does not "
		    "support the given upgrade type.");
	if (update->max_version_level < 0)
		return invalid_str(updating, update,
		    "A feature version cannot be less than 0.");
	fault = check_support(updating, update);
	if (slice_is_null(fault))
		fault = check_type(updating, update);
	if (!slice_is_null(fault))
		return fault;
	if (is(update, FEATURES_METADATA_VERSION))
		return check_metadata_version(updating, update);
	if (is(update, FEATURES_KRAFT_VERSION))
		return check_kraft_version(updating, update);
	return check_needs(updating, update);
}

/* --- The operation ------------------------------------------------------- */

/* Features are named once; what names one again does not count. */
static bool
is_repeated(const struct kp_update_features_request *request, int32_t at)
{
	for (int32_t i = 0; i < at; i++)
		if (slice_equal(request->feature_updates[i].feature,
			request->feature_updates[at].feature))
			return true;
	return false;
}

static void
emit_level(const struct updating *updating,
    const struct kp_update_features_request_feature_update *update)
{
	const struct kp_feature_level_record record = {
		.name = update->feature,
		.feature_level = update->max_version_level,
	};
	const struct kp_no_op_record nothing = { 0 };

	/* It stands in control records; what Kafka adds says nothing. */
	if (!is(update, FEATURES_KRAFT_VERSION))
		controller_emit(updating->controller,
		    METADATA_RECORD_FEATURE_LEVEL, &record);
	else if (update->upgrade_type == TYPE_UPGRADE)
		controller_emit(
		    updating->controller, METADATA_RECORD_NO_OP, &nothing);
	if (is(update, FEATURES_KRAFT_VERSION) &&
	    update->max_version_level > level_of(updating, update))
		controller_raise_kraft_version(updating->controller);
}

/*
 * The registration was written without its directories, which a broker has
 * told all the same.
 */
static void
emit_directories(const struct updating *updating)
{
	const struct broker_image *broker =
	    delta_broker(controller_view(updating->controller),
		updating->op->node_id);
	struct kp_broker_registration_change_record change;

	if (broker == NULL || broker->record.log_dirs_count <= 0)
		return;
	kp_defaults(&kp_broker_registration_change_record, &change);
	change.broker_id = broker->id;
	change.broker_epoch = broker->record.broker_epoch;
	change.log_dirs = broker->record.log_dirs;
	change.log_dirs_count = broker->record.log_dirs_count;
	controller_emit(updating->controller,
	    METADATA_RECORD_BROKER_REGISTRATION_CHANGE, &change);
}

static void
emit(const struct updating *updating)
{
	const struct kp_update_features_request *request =
	    updating->op->request;
	bool kept = directory_ops_are_kept(updating->controller);

	for (int32_t i = 0; i < request->feature_updates_count; i++)
		if (!is_repeated(request, i) &&
		    is(&request->feature_updates[i], FEATURES_ELR_VERSION) &&
		    request->feature_updates[i].max_version_level > 0)
			elr_emit_min_isr(updating->controller);
	for (int32_t i = 0; i < request->feature_updates_count; i++)
		if (!is_repeated(request, i))
			emit_level(updating, &request->feature_updates[i]);
	if (!kept && directory_ops_are_kept(updating->controller))
		emit_directories(updating);
}

static void
fill_results(struct update_features_op *op)
{
	const struct kp_update_features_request *request = op->request;
	struct kp_update_features_response *response = &op->response;

	if (op->version > VERSION_RESULTS_MAX)
		return;
	response->results = arena_xcalloc(op->arena,
	    (size_t)request->feature_updates_count,
	    sizeof(*response->results));
	for (int32_t i = 0; i < request->feature_updates_count; i++) {
		struct kp_update_features_response_result *result =
		    &response->results[response->results_count];

		if (is_repeated(request, i))
			continue;
		response->results_count++;
		result->feature = request->feature_updates[i].feature;
		result->error_message = slice_str("NONE");
	}
}

static void
fail(struct update_features_op *op, struct slice fault)
{
	op->response.error_code = KP_INVALID_UPDATE_VERSION;
	op->response.error_message = arena_printf(op->arena,
	    "The update failed for all features since the following feature "
	    "had an error: %.*s",
	    SLICE_ARG(fault));
}

/* Nothing is emitted before all has been checked. */
static void
run(struct controller_op *base, struct controller *controller)
{
	struct update_features_op *op =
	    CONTAINER_OF(base, struct update_features_op, op);
	const struct kp_update_features_request *request = op->request;
	const struct updating updating = { op, controller };

	kp_defaults(&kp_update_features_response, &op->response);
	op->response.error_message = SLICE_NULL;
	for (int32_t i = 0; i < request->feature_updates_count; i++) {
		struct slice fault;

		if (is_repeated(request, i))
			continue;
		fault = check(&updating, &request->feature_updates[i]);
		if (!slice_is_null(fault)) {
			fail(op, fault);
			return;
		}
	}
	if (!request->validate_only)
		emit(&updating);
	fill_results(op);
}

void
update_features_op_init(struct update_features_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
