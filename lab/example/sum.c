// SPDX-License-Identifier: BSD-3-Clause
#include <linux/errno.h>
#include <linux/overflow.h>

#include "sum.h"

int lab_sum(u32 a, u32 b, u32 *sum)
{
	u32 result;

	if (check_add_overflow(a, b, &result))
		return -EOVERFLOW;
	*sum = result;
	return 0;
}
