/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UDP address and port of an end. An IPv4 address that an IPv6 socket shows as a mapped one is IPv4 here.
 */
#ifndef _NQD_ADDRESS_H
#define _NQD_ADDRESS_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <net/ipv6.h>

/**
 * union nqd_address - UDP address and port
 * @family: AF_INET or AF_INET6; 0: not set
 * @v4: IPv4
 * @v6: IPv6; its sin6_scope_id is set only where the address is link-local, its flow label is 0
 */
union nqd_address {
	sa_family_t family;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/**
 * nqd_address_equal() - are both the same address and port?
 * @a: address
 * @b: address
 *
 * Return: true if so.
 */
static inline bool nqd_address_equal(const union nqd_address *a, const union nqd_address *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr && a->v4.sin_port == b->v4.sin_port;
	return ipv6_addr_equal(&a->v6.sin6_addr, &b->v6.sin6_addr) && a->v6.sin6_port == b->v6.sin6_port &&
	       a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

#endif /* _NQD_ADDRESS_H */
