/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells the sender of an inner packet that it does not fit the tunnel. */
#ifndef NQE_ICMP_H
#define NQE_ICMP_H

#include <linux/types.h>

#define NQE_ICMP_ROOM 1280

/**
 * nqe_icmp_too_big - build "fragmentation needed" (RFC 1191) or "packet too big" (RFC 4443
 * section 3.2)
 * @packet: the packet that does not fit
 * @len: its bytes
 * @mtu: largest packet that fits
 * @out: NQE_ICMP_ROOM bytes
 *
 * Return: bytes of the answer; 0 where none may be sent: to an ICMP error, a fragment that is not
 * the first, or one to or from a multicast, broadcast or unspecified address (RFC 1122
 * section 3.2.2, RFC 4443 section 2.4 (e)).
 */
u32 nqe_icmp_too_big(const u8 *packet, u32 len, u32 mtu, u8 *out);

#endif
