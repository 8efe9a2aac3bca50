// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Ratios without 64-bit division. */
#include "math.h"

/*
 * (high:low) / b by shift and subtract, for a quotient that fits: b is above high. At most 64
 * rounds of three operations, so nothing for every packet.
 */
static u64 nqd_math_long_div(u64 high, u64 low, u64 b)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		bool carry = high >> 63;

		high = high << 1 | low >> 63;
		low <<= 1;
		if (carry || high >= b) {
			high -= b;
			low |= 1;
		}
	}
	return low;
}

#if BITS_PER_LONG != 64
/* a / b by shift and subtract: a round for every bit of the quotient. */
static u64 nqd_math_shift_div(u64 a, u64 b)
{
	u64 quotient = 0;
	int shift;

	for (shift = fls64(a) - fls64(b); shift >= 0; shift--) {
		quotient <<= 1;
		if (a >= b << shift) {
			a -= b << shift;
			quotient |= 1;
		}
	}
	return quotient;
}
#endif

/**
 * nqd_div() - quotient of 64-bit numbers
 * @a: dividend
 * @b: divisor
 *
 * Return: a / b rounded down, U64_MAX where @b is 0.
 */
u64 nqd_div(u64 a, u64 b)
{
	if (unlikely(b == 0))
		return U64_MAX;
	if (!(a >> 32))
		return b >> 32 ? 0 : (u32)a / (u32)b;
#if BITS_PER_LONG == 64
	/* Here it is one machine instruction. */
	return (unsigned long)a / (unsigned long)b;
#else
	return nqd_math_shift_div(a, b);
#endif
}

/**
 * nqd_mul_div() - a * b / c without loss in between
 * @a: factor
 * @b: factor
 * @c: divisor
 *
 * Return: the quotient rounded down, U64_MAX where it does not fit or @c is 0.
 */
u64 nqd_mul_div(u64 a, u64 b, u64 c)
{
	u64 low, mid, high;

	/* The usual case: the product fits. */
	if (likely(fls64(a) + fls64(b) <= 64))
		return nqd_div(a * b, c);
	/* Schoolbook: a * b is high * 2^64 + low. */
	low = (a & U32_MAX) * (b & U32_MAX);
	mid = (a >> 32) * (b & U32_MAX) + (low >> 32);
	high = (a >> 32) * (b >> 32) + (mid >> 32);
	mid = (a & U32_MAX) * (b >> 32) + (mid & U32_MAX);
	high += mid >> 32;
	low = mid << 32 | (low & U32_MAX);

	if (high == 0)
		return nqd_div(low, c);
	if (high >= c)
		return U64_MAX;
	return nqd_math_long_div(high, low, c);
}

/**
 * nqd_ns_to_us() - nanoseconds to microseconds
 * @ns: any value
 *
 * Return: ns / 1000 rounded down.
 */
u64 nqd_ns_to_us(u64 ns)
{
#if BITS_PER_LONG == 64
	/* A constant divisor: the compiler multiplies. */
	return (unsigned long)ns / NSEC_PER_USEC;
#else
	return nqd_div(ns, NSEC_PER_USEC);
#endif
}
