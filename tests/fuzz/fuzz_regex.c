/* Regular expressions: a pattern, and behind a newline a text to match. */
#include "base/base.h"
#include "base/regex.h"

#define TEXT_LEN_MAX ((size_t)249)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands between \Q and \E matches itself, and nothing longer. */
static void
check_quoted(struct slice text)
{
	char *pattern = xasprintf("\\Q%.*s\\E", SLICE_ARG(text));
	char *longer = xasprintf("%.*sx", SLICE_ARG(text));
	const char *reason = NULL;
	struct regex *regex = regex_new(slice_str(pattern), &reason);

	assert(regex != NULL);
	assert(regex_matches(regex, text));
	assert(!regex_matches(regex, slice_str(longer)));
	regex_free(regex);
	free(pattern);
	free(longer);
}

static bool
is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~' ||
		    text.data[i] == '\\')
			return false;
	return true;
}

/* A second one of the same pattern says the same. */
static void
check_pattern(struct slice pattern, struct slice text)
{
	const char *reason = NULL, *again_reason = NULL;
	struct regex *regex = regex_new(pattern, &reason);
	struct regex *again = regex_new(pattern, &again_reason);

	assert((regex == NULL) == (reason != NULL));
	assert((again == NULL) == (regex == NULL));
	assert(reason == again_reason || strcmp(reason, again_reason) == 0);
	if (regex != NULL)
		assert(regex_matches(regex, text) ==
		    regex_matches(again, text));
	regex_free(regex);
	regex_free(again);
}

/* What all of a text matches is found in it, and what is found is in it. */
static void
check_finding(struct slice pattern, struct slice text)
{
	const char *reason = NULL;
	struct regex *regex = regex_new_finding(pattern, &reason);
	struct regex_span *spans;
	bool found;

	assert((regex == NULL) == (reason != NULL));
	if (regex == NULL)
		return;
	spans = xcalloc(regex_groups(regex) + 1, sizeof(*spans));
	found = regex_find(regex, text, 0, spans);
	assert(found || !regex_matches(regex, text));
	for (size_t i = 0; found && i <= regex_groups(regex); i++)
		assert((i > 0 && spans[i].begin == REGEX_NOWHERE) ||
		    (spans[i].begin <= spans[i].end &&
			spans[i].begin >= spans[0].begin &&
			spans[i].end <= spans[0].end &&
			spans[0].end <= text.len));
	free(spans);
	regex_free(regex);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - data);
	struct slice text = slice_of(data + len, 0);

	if (newline != NULL)
		text = slice_of(
		    newline + 1, MIN(size - len - 1, TEXT_LEN_MAX));
	check_pattern(slice_of(data, len), text);
	check_finding(slice_of(data, len), text);
	if (is_plain(text))
		check_quoted(text);
	return 0;
}
