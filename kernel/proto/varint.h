/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* RFC 9000 section 16: variable-length integers. */
#ifndef _NQD_PROTO_VARINT_H
#define _NQD_PROTO_VARINT_H

#include "base.h"

#define NQD_VARINT_MAX ((1ULL << 62) - 1)
#define NQD_VARINT_MAX_LEN 8

/**
 * nqd_varint_get() - read a variable-length integer
 * @p: where it begins
 * @room: bytes that may be read
 * @v: the value, 0 to 2^62-1; untouched on failure
 *
 * Return: bytes read (1, 2, 4 or 8), or 0 where @room ends before the integer does.
 */
static inline int nqd_varint_get(const u8 *p, size_t room, u64 *v)
{
	int len;

	if (unlikely(room == 0))
		return 0;
	/* RFC 9000 section 16: the two most significant bits are the logarithm of the length. */
	len = 1 << (*p >> 6);
	if (unlikely(room < (size_t)len))
		return 0;
	switch (len) {
	case 1:
		*v = *p;
		break;
	case 2:
		*v = get_unaligned_be16(p) & 0x3fff;
		break;
	case 4:
		*v = get_unaligned_be32(p) & 0x3fffffff;
		break;
	default:
		*v = get_unaligned_be64(p) & NQD_VARINT_MAX;
		break;
	}
	return len;
}

/**
 * nqd_varint_len() - length of the shortest encoding
 * @v: the value
 *
 * Return: 1, 2, 4 or 8 bytes, or 0 for a value above 2^62-1, which has no encoding.
 */
static inline unsigned int nqd_varint_len(u64 v)
{
	if (v < 1ULL << 6)
		return 1;
	if (v < 1ULL << 14)
		return 2;
	if (v < 1ULL << 30)
		return 4;
	return v <= NQD_VARINT_MAX ? 8 : 0;
}

/**
 * nqd_varint_put() - write the shortest encoding
 * @p: where to; there is room for nqd_varint_len(@v) bytes
 * @v: the value, 0 to 2^62-1
 *
 * Return: the byte after the encoding.
 */
static inline u8 *nqd_varint_put(u8 *p, u64 v)
{
	switch (nqd_varint_len(v)) {
	case 1:
		*p = (u8)v;
		return p + 1;
	case 2:
		put_unaligned_be16((u16)(v | 1U << 14), p);
		return p + 2;
	case 4:
		put_unaligned_be32((u32)(v | 2U << 30), p);
		return p + 4;
	default:
		put_unaligned_be64(v | 3ULL << 62, p);
		return p + 8;
	}
}

#endif
