#include "meta/quorum_state.h"

#include <errno.h>
#include <jansson.h>

#include "base/log.h"
#include "store/disk.h"
#include "store/state_file.h"

#define SIZE_MAX_BYTES (1024 * 1024)

static int
parse(const char *text, size_t len, int32_t *leader_epoch)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	json_t *epoch = json_object_get(root, "leaderEpoch");
	json_int_t value = json_integer_value(epoch);
	int result = -1;

	if (json_is_integer(epoch) && value >= 0 && value < INT32_MAX) {
		*leader_epoch = (int32_t)value;
		result = 0;
	}
	json_decref(root);
	return result;
}

int
quorum_state_read(struct disk *disk, const char *directory,
    int32_t *leader_epoch)
{
	char *path = xasprintf("%s/%s", directory, QUORUM_STATE_FILE);
	int result = 0;
	uint8_t *text;
	size_t len;

	*leader_epoch = 0;
	text = disk_read_file(disk, path, SIZE_MAX_BYTES, &len);
	if (text == NULL && errno != ENOENT) {
		log_error("meta", "cannot read %s: %s", path, strerror(errno));
		result = -1;
	} else if (text != NULL &&
	    parse((const char *)text, len, leader_epoch) != 0) {
		log_error("meta", "%s is damaged; without it the leader's "
		    "epoch is not known: remove it to go by the log alone",
		    path);
		result = -1;
	}
	free(text);
	free(path);
	return result;
}

static char *
format(int32_t node_id, int32_t leader_epoch, int16_t kraft_version)
{
	if (kraft_version >= 1)
		return xasprintf("{\"leaderId\":%d,\"leaderEpoch\":%d,"
		    "\"votedId\":-1,\"votedDirectoryId\":"
		    "\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}",
		    node_id, leader_epoch);
	return xasprintf("{\"clusterId\":\"\",\"leaderId\":%d,"
	    "\"leaderEpoch\":%d,\"votedId\":-1,\"appliedOffset\":0,"
	    "\"currentVoters\":[{\"voterId\":%d}],\"data_version\":0}",
	    node_id, leader_epoch, node_id);
}

int
quorum_state_write(struct disk *disk, const char *directory, int32_t node_id,
    int32_t leader_epoch, int16_t kraft_version)
{
	char *path = xasprintf("%s/%s", directory, QUORUM_STATE_FILE);
	char *text = format(node_id, leader_epoch, kraft_version);
	int result = state_file_write(disk, path, slice_str(text));
	int error = errno;

	if (result != 0)
		log_error("meta", "cannot write %s: %s", path,
		    strerror(error));
	free(text);
	free(path);
	errno = error;
	return result;
}
