#include "cli/dump_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "store/disk.h"
#include "store/disk_posix.h"
#include "wire/batch.h"

int
dump_log_fail(struct dump_log *dump, const char *path, const char *format, ...)
{
	va_list arguments;

	fflush(dump->out);
	fprintf(dump->err, "klamm: %s: ", path);
	va_start(arguments, format);
	vfprintf(dump->err, format, arguments);
	va_end(arguments);
	fputc('\n', dump->err);
	return -1;
}

const char *
dump_log_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

int
dump_log_open(struct dump_log *dump, const char *path, int64_t *size)
{
	/* Not to wait for the other end of a pipe. */
	int fd = disk_open(dump->disk, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return dump_log_fail(dump, path, "%s", strerror(errno));
	if (disk_fstat(dump->disk, fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		return fd;
	}
	disk_close(dump->disk, fd);
	return dump_log_fail(dump, path, "not a regular file");
}

int
dump_log_base_offset(struct dump_log *dump, const char *path,
    int64_t *base_offset)
{
	const char *name = dump_log_name(path);
	char *end;

	errno = 0;
	*base_offset = strtoll(name, &end, 10);
	if (errno == 0 && end != name && *end == '.' && *base_offset >= 0)
		return 0;
	return dump_log_fail(dump, path, "its name does not begin with an "
	    "offset");
}

char *
dump_log_scan_problem(const struct file_scan *scan, enum file_scan_step step,
    const char *path)
{
	uint8_t header[BATCH_SCAN_LEN];
	int32_t length;
	ssize_t n;

	if (step == FILE_SCAN_ERROR)
		return xasprintf("cannot be read: %s", strerror(errno));
	if (scan->end - scan->position <= BATCH_SCAN_LEN)
		return NULL;
	n = disk_pread(scan->disk, scan->fd, header, sizeof(header),
	    scan->position);
	if (n != sizeof(header))
		return xasprintf("cannot be read: %s",
		    n < 0 ? strerror(errno) : "it has been cut");
	length = (int32_t)be32_get(header + 8);
	if (length < BATCH_LENGTH_MIN)
		return xasprintf("Found record size %" PRId32 " smaller than "
		    "minimum record overhead (%d) in file %s.", length,
		    BATCH_LENGTH_MIN, path);
	if (step == FILE_SCAN_CUT)
		return NULL;
	return xasprintf("what is at position %" PRId64 " is no batch",
	    scan->position);
}

/* --- Files --------------------------------------------------------------- */

struct suffix {
	const char *text;
	int (*dump)(struct dump_log *dump, const char *path);
};

static const struct suffix suffixes[] = {
	{ ".log", dump_log_batches },
	{ ".checkpoint", dump_log_batches },
	{ ".index", dump_log_offset_index },
	{ ".timeindex", dump_log_time_index },
	{ ".snapshot", dump_log_producers },
	{ ".txnindex", dump_log_txn_index },
};

static int
dump_file(struct dump_log *dump, const char *path)
{
	const char *suffix = strrchr(dump_log_name(path), '.');

	fprintf(dump->out, "Dumping %s\n", path);
	for (size_t i = 0; i < COUNT_OF(suffixes) && suffix != NULL; i++)
		if (strcmp(suffix, suffixes[i].text) == 0)
			return suffixes[i].dump(dump, path);
	fflush(dump->out);
	fprintf(dump->err, "Ignoring unknown file %s\n", path);
	return 0;
}

/* java.io.File: one slash instead of several, none at the end. */
static void
clean_path(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	if (to - path > 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

/* String.split: the empty ones at the end do not count. */
static int
dump_files(struct dump_log *dump, const char *files)
{
	size_t len = strlen(files);
	int result = 0;

	while (len > 0 && files[len - 1] == ',')
		len--;
	while (len > 0 && result == 0) {
		const char *comma = memchr(files, ',', len);
		size_t part = comma == NULL ? len : (size_t)(comma - files);
		char *path = slice_dup(slice_of(files, part));

		clean_path(path);
		result = dump_file(dump, path);
		free(path);
		part += comma != NULL;
		files += part;
		len -= part;
	}
	return result;
}

int
dump_log_run(const struct dump_log_options *options, struct disk *disk,
    FILE *out, FILE *err)
{
	struct dump_log dump = {
		.options = options,
		.disk = disk,
		.out = out,
		.err = err,
		.buffer = xmalloc(DUMP_LOG_BUFFER_LEN),
	};
	int result;

	buf_init(&dump.scratch, DUMP_LOG_BATCH_LEN_MAX);
	dump_log_findings_init(&dump.findings);
	result = dump_files(&dump, options->files);
	if (fflush(out) != 0 && result == 0) {
		fprintf(err, "klamm: standard output: %s\n", strerror(errno));
		result = -1;
	}
	if (result == 0)
		dump_log_findings_print(&dump.findings, err);
	dump_log_findings_fini(&dump.findings);
	buf_fini(&dump.scratch);
	free(dump.buffer);
	return result == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
run(int argc, char **argv)
{
	struct dump_log_options options;

	if (dump_log_options_parse(&options, argc, argv) != 0)
		return EXIT_USAGE;
	if (options.help) {
		fputs(dump_log_options_help(), stdout);
		return EXIT_OK;
	}
	if (options.deep)
		return dump_log_deep(&options, disk_posix(), stdout);
	return dump_log_run(&options, disk_posix(), stdout, stderr);
}

const struct command dump_log_command = {
	.name = "dump-log",
	.summary = "print and verify files of logs",
	.run = run,
};
