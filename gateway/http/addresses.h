#ifndef WEIR_HTTP_ADDRESSES_H
#define WEIR_HTTP_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Open connections by client address, over all loops: an IPv4 address counts by itself (also as ::ffff:a.b.c.d), IPv6 by its /64,
 * which is what one customer usually has. Any thread; one lock. Holds as many entries as there are open connections at most. */
struct addresses;
struct address;

/* bound: connections of one address; entries: about how many addresses there may be (sizes the table). NULL: no memory. */
struct addresses *addresses_new(size_t bound, size_t entries);
void addresses_free(struct addresses *as); /* NULL-safe; everybody has left */
/* One connection more; false: it is one too many, or memory is out. as == NULL: there is no bound, *ret is NULL. */
bool addresses_enter(struct addresses *as, const struct sockaddr *from, struct address **ret);
void addresses_leave(struct addresses *as, struct address *a); /* a == NULL: nothing */

#endif
