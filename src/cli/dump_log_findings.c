#include "cli/dump_log_findings.h"

#include <inttypes.h>
#include <unistd.h>

/* How a kind is printed. */
struct layout {
	enum dump_log_finding kind;
	const char *title;
	const char *first;
	const char *second;
	int order;		/* 1 rising, -1 falling, 0 as found */
};

/* In the order in which Kafka prints them. */
static const struct layout layouts[] = {
	{ DUMP_LOG_OFFSET_MISMATCH, "Mismatches in :", "  Index offset: ",
	    ", log offset: ", -1 },
	{ DUMP_LOG_TIMESTAMP_MISMATCH, "Found timestamp mismatch in :",
	    "  Index timestamp: ", ", log timestamp: ", 0 },
	{ DUMP_LOG_TIMESTAMP_ORDER, "Found out of order timestamp in :",
	    "  Index timestamp: ", ", Previously indexed timestamp: ", 0 },
	{ DUMP_LOG_OFFSET_NOT_FOUND,
	    "The following indexed offsets are not found in :",
	    "Indexed offset: ", ", found log offset: ", 0 },
	{ DUMP_LOG_GAP, "Non-consecutive offsets in ", "  ",
	    " is followed by ", 1 },
};

void
dump_log_findings_init(struct dump_log_findings *findings)
{
	memset(findings, 0, sizeof(*findings));
}

void
dump_log_findings_fini(struct dump_log_findings *findings)
{
	for (size_t kind = 0; kind < DUMP_LOG_FINDINGS; kind++) {
		for (size_t i = 0; i < findings->kinds[kind].count; i++) {
			free(findings->kinds[kind].files[i].path);
			free(findings->kinds[kind].files[i].pairs);
		}
		free(findings->kinds[kind].files);
	}
	memset(findings, 0, sizeof(*findings));
}

/* File.getAbsolutePath: nothing is resolved. */
static char *
absolute(const char *path)
{
	char *here, *result;

	if (*path == '/')
		return xstrdup(path);
	here = getcwd(NULL, 0);
	if (here == NULL)
		return xstrdup(path);
	result = xasprintf("%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
	free(here);
	return result;
}

static struct dump_log_file_findings *
file_of(struct dump_log_findings *findings, enum dump_log_finding kind,
    const char *path)
{
	size_t count = findings->kinds[kind].count;
	struct dump_log_file_findings *files = findings->kinds[kind].files;
	char *name = absolute(path);

	for (size_t i = count; i-- > 0;) {
		if (strcmp(files[i].path, name) != 0)
			continue;
		free(name);
		return &files[i];
	}
	files = xrealloc(files, (count + 1) * sizeof(*files));
	files[count] = (struct dump_log_file_findings){ .path = name };
	findings->kinds[kind].files = files;
	findings->kinds[kind].count = count + 1;
	return &files[count];
}

void
dump_log_findings_add(struct dump_log_findings *findings,
    enum dump_log_finding kind, const char *path, int64_t first,
    int64_t second)
{
	struct dump_log_file_findings *file = file_of(findings, kind, path);

	if (file->count == file->capacity) {
		file->capacity = MAX(2 * file->capacity, 16);
		file->pairs = xrealloc(file->pairs,
		    file->capacity * sizeof(*file->pairs));
	}
	file->pairs[file->count++] = (struct dump_log_pair){ first, second };
}

/* --- Printing ------------------------------------------------------------ */

/* Where a pair stands decides among those of the same offset. */
struct placed {
	struct dump_log_pair pair;
	size_t place;
};

static int
compare(const void *a, const void *b)
{
	const struct placed *left = a, *right = b;

	if (left->pair.first != right->pair.first)
		return left->pair.first < right->pair.first ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

static void
print_pair(const struct layout *layout, struct dump_log_pair pair, FILE *out)
{
	fprintf(out, "%s%" PRId64 "%s%" PRId64 "\n", layout->first, pair.first,
	    layout->second, pair.second);
}

static void
print_sorted(const struct layout *layout,
    const struct dump_log_file_findings *file, FILE *out)
{
	struct placed *sorted = xcalloc(file->count, sizeof(*sorted));

	for (size_t i = 0; i < file->count; i++)
		sorted[i] = (struct placed){ file->pairs[i], i };
	qsort(sorted, file->count, sizeof(*sorted), compare);
	for (size_t i = 0; i < file->count; i++) {
		size_t at = layout->order > 0 ? i : file->count - 1 - i;

		if (at + 1 == file->count ||
		    sorted[at].pair.first != sorted[at + 1].pair.first)
			print_pair(layout, sorted[at].pair, out);
	}
	free(sorted);
}

static void
print_file(const struct layout *layout,
    const struct dump_log_file_findings *file, FILE *out)
{
	fprintf(out, "%s%s\n", layout->title, file->path);
	if (layout->order != 0) {
		print_sorted(layout, file, out);
		return;
	}
	for (size_t i = 0; i < file->count; i++)
		print_pair(layout, file->pairs[i], out);
}

void
dump_log_findings_print(const struct dump_log_findings *findings, FILE *out)
{
	for (size_t i = 0; i < COUNT_OF(layouts); i++) {
		enum dump_log_finding kind = layouts[i].kind;

		for (size_t j = 0; j < findings->kinds[kind].count; j++)
			print_file(&layouts[i],
			    &findings->kinds[kind].files[j], out);
	}
}
