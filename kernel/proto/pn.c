// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* RFC 9000 section 17.1: packet numbers on the wire. */
#include "pn.h"

/**
 * nqd_pn_truncate() - the part of a packet number that goes on the wire
 * @pn: packet number
 * @pn_len: bytes for it, 1 to 4
 *
 * Return: the least significant @pn_len bytes of @pn.
 */
u32 nqd_pn_truncate(u64 pn, u8 pn_len)
{
	return (u32)(pn & ((1ULL << (8 * pn_len)) - 1));
}

/**
 * nqd_pn_get() - read a truncated packet number
 * @p: where it begins, header protection removed
 * @pn_len: bytes it has, 1 to 4
 *
 * Return: what nqd_pn_decode() takes.
 */
u32 nqd_pn_get(const u8 *p, u8 pn_len)
{
	u32 truncated = 0;
	u8 i;

	for (i = 0; i < pn_len; i++)
		truncated = truncated << 8 | p[i];
	return truncated;
}

/**
 * nqd_pn_put() - write a packet number, truncated
 * @p: where to; there is room for @pn_len bytes
 * @pn: packet number
 * @pn_len: 1 to 4, from nqd_pn_len()
 *
 * Return: the byte after it.
 */
u8 *nqd_pn_put(u8 *p, u64 pn, u8 pn_len)
{
	u8 *end = p + pn_len;
	u8 *at;

	for (at = end; at > p; pn >>= 8)
		*--at = (u8)pn;
	return end;
}
