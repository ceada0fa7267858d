/*
 * Intrusive doubly linked list with a head.  The head owns nothing.
 *
 * A node that is in no list is zero, so list_node_linked can tell; removing
 * zeroes it again.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list_node {
	struct list_node *next;
	struct list_node *prev;
};

struct list {
	struct list_node head;
};

static inline void
list_init(struct list *list)
{
	list->head.next = list->head.prev = &list->head;
}

static inline bool
list_empty(const struct list *list)
{
	return list->head.next == &list->head;
}

static inline bool
list_node_linked(const struct list_node *node)
{
	return node->next != NULL;
}

static inline void
list_insert_before(struct list_node *where, struct list_node *node)
{
	assert(!list_node_linked(node));
	node->prev = where->prev;
	node->next = where;
	where->prev->next = node;
	where->prev = node;
}

static inline void
list_append(struct list *list, struct list_node *node)
{
	list_insert_before(&list->head, node);
}

static inline void
list_prepend(struct list *list, struct list_node *node)
{
	list_insert_before(list->head.next, node);
}

static inline void
list_remove(struct list_node *node)
{
	assert(list_node_linked(node));
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

/* The first node, taken out of the list, or NULL. */
static inline struct list_node *
list_pop(struct list *list)
{
	struct list_node *node = list->head.next;

	if (node == &list->head)
		return NULL;
	list_remove(node);
	return node;
}

/* Move all of from to the end of to; from is empty then. */
static inline void
list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->head.next->prev = to->head.prev;
	to->head.prev->next = from->head.next;
	from->head.prev->next = &to->head;
	to->head.prev = from->head.prev;
	list_init(from);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* Walk the list; the body must not remove the current node. */
#define LIST_FOR_EACH(node, list)                            \
	for (struct list_node *node = (list)->head.next;     \
	    node != &(list)->head; node = node->next)

/* Walk the list; the body may remove the current node. */
#define LIST_FOR_EACH_SAFE(node, list)                       \
	for (struct list_node *node = (list)->head.next,     \
	    *node##_next = node->next; node != &(list)->head; \
	    node = node##_next, node##_next = node->next)

#endif
