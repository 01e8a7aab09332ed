#ifndef WEIR_ENGINE_OUTBOUND_ADDRESS_H
#define WEIR_ENGINE_OUTBOUND_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether an address is one of the public internet: globally reachable by the registries of special-purpose addresses of IANA
 * (RFC 6890, RFC 8190), and unicast. IPv4 inside IPv6 (mapped, NAT64) is judged as IPv4; other families are not. Pure. */
bool outbound_address_public(const struct sockaddr *at);
bool outbound_text_public(const char *text); /* as inet_ntop writes it; what else it may be is not */

#endif
