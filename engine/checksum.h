/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071). Sums are kept in native byte order over 32-bit words: the one's
 * complement sum does not depend on byte order as long as it is stored the way it was loaded.
 */
#ifndef NQE_CHECKSUM_H
#define NQE_CHECKSUM_H

#include <linux/string.h>
#include <linux/types.h>

/* Adds @len bytes to @sum. Only the last block of a sum may have an odd length. */
static inline u64 nqe_csum_add(u64 sum, const void *data, size_t len)
{
	const u8 *p = data;
	size_t i;
	u32 word;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		sum += word;
	}
	if (i < len) {
		word = 0;
		memcpy(&word, p + i, len - i);
		sum += word;
	}
	return sum;
}

/* Adds one 16-bit field given as a number (that is, not in network byte order). */
static inline u64 nqe_csum_add16(u64 sum, u16 value)
{
	const u8 bytes[2] = { (u8)(value >> 8), (u8)value };
	u16 word;

	memcpy(&word, bytes, sizeof(word));
	return sum + word;
}

/* Folds to 16 bits, native byte order, not yet inverted. */
static inline u16 nqe_csum_fold(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* The checksum that a header carries: folded and inverted. */
static inline u16 nqe_csum_finish(u64 sum)
{
	return (u16)~nqe_csum_fold(sum);
}

/* Stores a folded sum as it is (a partial checksum), or inverted (a complete one). */
static inline void nqe_csum_store(void *at, u16 folded)
{
	memcpy(at, &folded, sizeof(folded));
}

/*
 * The pseudo-header's addresses, protocol and length (RFC 9293 section 3.1, RFC 8200 section 8.1).
 */
static inline u64 nqe_csum_pseudo(const void *addresses, size_t both, u8 protocol, u32 len)
{
	u64 sum = nqe_csum_add(0, addresses, both);

	sum = nqe_csum_add16(sum, protocol);
	sum = nqe_csum_add16(sum, (u16)(len >> 16));
	return nqe_csum_add16(sum, (u16)len);
}

#endif
