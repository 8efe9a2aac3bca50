/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NEXUS_LAB_EXAMPLE_SUM_H
#define NEXUS_LAB_EXAMPLE_SUM_H

#include <linux/types.h>

/**
 * lab_sum() - add two numbers
 * @a: the first
 * @b: the second
 * @sum: where the result goes; untouched on error
 *
 * Return: 0, or -EOVERFLOW when the sum does not fit 32 bits.
 */
int lab_sum(u32 a, u32 b, u32 *sum);

#endif
