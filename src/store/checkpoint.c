#include "base/base.h"
#include "store/checkpoint.h"

#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>
#include <stdio.h>

void
checkpoint_init(struct checkpoint *checkpoint)
{
	*checkpoint = (struct checkpoint){ 0 };
}

void
checkpoint_fini(struct checkpoint *checkpoint)
{
	free(checkpoint->text);
	free(checkpoint->entries);
	checkpoint_init(checkpoint);
}

/* --- parsing ------------------------------------------------------------- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Take the first line off text, without its end; false where none is left. */
static bool
line_take(struct slice *text, struct slice *line)
{
	const uint8_t *end;

	if (text->len == 0)
		return false;
	end = memchr(text->data, '\n', text->len);
	*line = slice_of(
	    text->data, end == NULL ? text->len : (size_t)(end - text->data));
	text->data += line->len + (end != NULL);
	text->len -= line->len + (end != NULL);
	return true;
}

/* Take the first word off line; false where none is left. */
static bool
field_take(struct slice *line, struct slice *field)
{
	size_t at = 0, start;

	while (at < line->len && is_blank(line->data[at]))
		at++;
	start = at;
	while (at < line->len && !is_blank(line->data[at]))
		at++;
	*field = slice_of(line->data + start, at - start);
	line->data += at;
	line->len -= at;
	return field->len > 0;
}

/* Cut line into exactly count fields; false where it has more or fewer. */
static bool
line_split(struct slice line, struct slice *fields, size_t count)
{
	struct slice rest;

	for (size_t i = 0; i < count; i++) {
		if (!field_take(&line, &fields[i]))
			return false;
	}
	return !field_take(&line, &rest);
}

int64_t
checkpoint_number(struct slice field)
{
	int64_t value = 0;

	if (field.len == 0)
		return -1;
	for (size_t i = 0; i < field.len; i++) {
		if (field.data[i] < '0' || field.data[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, field.data[i] - '0', &value))
			return -1;
	}
	return value;
}

/* A line that has one number; -1 where it has anything else. */
static int64_t
number_line_take(struct slice *text)
{
	struct slice line, field;

	if (!line_take(text, &line) || !line_split(line, &field, 1))
		return -1;
	return checkpoint_number(field);
}

/* Only blanks and line ends may follow the last entry. */
static bool
rest_is_blank(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '\n' && !is_blank(text.data[i]))
			return false;
	}
	return true;
}

int
checkpoint_parse(struct slice text, size_t field_count,
    checkpoint_line_fn line_fn, void *context)
{
	struct slice fields[CHECKPOINT_FIELDS_MAX], line;
	int64_t count;

	assert(field_count <= CHECKPOINT_FIELDS_MAX);
	if (text.len == 0)
		return 0;
	/* Without its last line end the file was cut. */
	if (text.data[text.len - 1] != '\n' || number_line_take(&text) != 0)
		return -1;
	count = number_line_take(&text);
	if (count < 0)
		return -1;
	for (int64_t i = 0; i < count; i++) {
		if (!line_take(&text, &line) ||
		    !line_split(line, fields, field_count) ||
		    line_fn(context, fields) < 0)
			return -1;
	}
	return rest_is_blank(text) ? 0 : -1;
}

/* --- topic partition offset ---------------------------------------------- */

void
checkpoint_add(struct checkpoint *checkpoint, struct slice topic,
    int32_t partition, int64_t offset)
{
	if (checkpoint->count == checkpoint->capacity) {
		checkpoint->capacity = MAX(16, checkpoint->capacity * 2);
		checkpoint->entries = xrealloc(checkpoint->entries,
		    checkpoint->capacity * sizeof(*checkpoint->entries));
	}
	checkpoint->entries[checkpoint->count++] =
	    (struct checkpoint_entry){ topic, partition, offset };
}

static int
entry_compare(const void *a, const void *b)
{
	const struct checkpoint_entry *x = a, *y = b;
	int order = slice_compare(x->topic, y->topic);

	if (order != 0)
		return order;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static int
entry_parse(void *context, const struct slice *fields)
{
	int64_t partition = checkpoint_number(fields[1]);
	int64_t offset = checkpoint_number(fields[2]);

	if (partition < 0 || partition > INT32_MAX || offset < 0)
		return -1;
	/* Zeros are what a crash leaves, never a name. */
	if (memchr(fields[0].data, '\0', fields[0].len) != NULL)
		return -1;
	checkpoint_add(context, fields[0], (int32_t)partition, offset);
	return 0;
}

int
checkpoint_read(
    struct checkpoint *checkpoint, struct disk *disk, const char *path)
{
	size_t len;

	assert(checkpoint->count == 0 && checkpoint->text == NULL);
	checkpoint->text =
	    disk_read_file(disk, path, STATE_FILE_SIZE_MAX, &len);
	if (checkpoint->text == NULL)
		return errno == ENOENT ? 0 : -1;
	if (checkpoint_parse(slice_of(checkpoint->text, len), 3, entry_parse,
		checkpoint) < 0) {
		checkpoint_fini(checkpoint);
		errno = EBADMSG;
		return -1;
	}
	if (checkpoint->count > 0)
		qsort(checkpoint->entries, checkpoint->count,
		    sizeof(*checkpoint->entries), entry_compare);
	return 0;
}

int64_t
checkpoint_find(const struct checkpoint *checkpoint, struct slice topic,
    int32_t partition, int64_t fallback)
{
	struct checkpoint_entry key = { topic, partition, 0 }, *entry;

	if (checkpoint->count == 0)
		return fallback;
	entry = bsearch(&key, checkpoint->entries, checkpoint->count,
	    sizeof(*checkpoint->entries), entry_compare);
	return entry == NULL ? fallback : entry->offset;
}

char *
checkpoint_text(const struct checkpoint *checkpoint)
{
	size_t cap = 64, len;
	char *text;

	for (size_t i = 0; i < checkpoint->count; i++)
		cap += checkpoint->entries[i].topic.len + 40;
	text = xmalloc(cap);
	len = (size_t)snprintf(text, cap, "0\n%zu\n", checkpoint->count);
	for (size_t i = 0; i < checkpoint->count; i++) {
		const struct checkpoint_entry *entry = &checkpoint->entries[i];

		len += (size_t)snprintf(text + len, cap - len, "%.*s %d %lld\n",
		    SLICE_ARG(entry->topic), entry->partition,
		    (long long)entry->offset);
	}
	assert(len < cap);
	return text;
}
