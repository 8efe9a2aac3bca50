/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Ratios without 64-bit division: where long is 32 bits wide neither the kernel nor a sanitized
 * build links the compiler's helpers for it. Results are the same on every architecture.
 */
#ifndef _NQD_PROTO_MATH_H
#define _NQD_PROTO_MATH_H

#include "base.h"

/**
 * nqd_add_sat() - sum of two times or sizes that may be "never" or "none"
 * @a: any value
 * @b: any value
 *
 * Return: a + b, or U64_MAX where that does not fit.
 */
static inline u64 nqd_add_sat(u64 a, u64 b)
{
	return a > U64_MAX - b ? U64_MAX : a + b;
}

/**
 * nqd_sub_sat() - difference that stops at zero
 * @a: any value
 * @b: any value
 *
 * Return: a - b, or 0 where b is larger.
 */
static inline u64 nqd_sub_sat(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

/**
 * nqd_mul_shr() - product with a fraction given as @mul / 2^@shift
 * @a: any value
 * @mul: numerator
 * @shift: 0 to 32
 *
 * Return: a * mul >> shift without loss in between, U64_MAX where that does not fit.
 */
static inline u64 nqd_mul_shr(u64 a, u32 mul, unsigned int shift)
{
	u64 low = (a & U32_MAX) * mul;
	u64 high;

	/* Nearly always: the product fits. */
	if (likely(!(a >> 32)))
		return low >> shift;
	high = (a >> 32) * mul + (low >> 32);
	/* a * mul is high * 2^32 + (the low half of low). */
	if (shift < 32 && high >> (32 + shift))
		return U64_MAX;
	return (high << (32 - shift)) | ((low & U32_MAX) >> shift);
}

/**
 * nqd_mul_sat() - product that stops at the largest number
 * @a: any value
 * @b: any value
 *
 * Return: a * b, or U64_MAX where that does not fit.
 */
static inline u64 nqd_mul_sat(u64 a, u64 b)
{
	u64 high;

	if (a < b)
		swap(a, b);
	if (b >> 32)
		return U64_MAX; /* both are 2^32 or more */
	high = nqd_mul_shr(a, (u32)b, 32);
	return high >> 32 ? U64_MAX : a * b;
}

u64 nqd_div(u64 a, u64 b);
u64 nqd_mul_div(u64 a, u64 b, u64 c);
u64 nqd_ns_to_us(u64 ns);

#endif
