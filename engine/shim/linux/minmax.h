/* SPDX-License-Identifier: BSD-3-Clause */
/* min, max and friends, with the kernel's refusal to compare unlike types. */
#ifndef _SHIM_LINUX_MINMAX_H
#define _SHIM_LINUX_MINMAX_H

#define __shim_cmp(x, op, y)                                                   \
	({                                                                     \
		__typeof__(x) __x = (x);                                       \
		__typeof__(y) __y = (y);                                       \
		(void)(&__x == &__y);                                          \
		__x op __y ? __x : __y;                                        \
	})
#define min(x, y) __shim_cmp(x, <, y)
#define max(x, y) __shim_cmp(x, >, y)
#define min_t(t, x, y) ({ t __x = (t)(x); t __y = (t)(y); __x < __y ? __x : __y; })
#define max_t(t, x, y) ({ t __x = (t)(x); t __y = (t)(y); __x > __y ? __x : __y; })
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi) min_t(t, max_t(t, v, lo), hi)
#define swap(a, b) ({ __typeof__(a) __t = (a); (a) = (b); (b) = __t; })

#endif
