/* SPDX-License-Identifier: BSD-3-Clause */
/* min, max and friends, with the kernel's refusal to compare unlike types. */
#ifndef _SHIM_LINUX_MINMAX_H
#define _SHIM_LINUX_MINMAX_H

/* @n makes the names of the copies unique, so that calls can be nested. */
#define __shim_paste(a, b) a##b
#define __shim_name(a, b) __shim_paste(a, b)
#define __shim_cmp(x, op, y, n)                                                \
	({                                                                     \
		__typeof__(x) __shim_name(__x, n) = (x);                       \
		__typeof__(y) __shim_name(__y, n) = (y);                       \
		(void)(&__shim_name(__x, n) == &__shim_name(__y, n));          \
		__shim_name(__x, n) op __shim_name(__y, n) ?                   \
			__shim_name(__x, n) : __shim_name(__y, n);             \
	})
#define __shim_cmp_t(t, x, op, y, n)                                           \
	({                                                                     \
		t __shim_name(__x, n) = (t)(x);                                \
		t __shim_name(__y, n) = (t)(y);                                \
		__shim_name(__x, n) op __shim_name(__y, n) ?                   \
			__shim_name(__x, n) : __shim_name(__y, n);             \
	})
#define min(x, y) __shim_cmp(x, <, y, __COUNTER__)
#define max(x, y) __shim_cmp(x, >, y, __COUNTER__)
#define min_t(t, x, y) __shim_cmp_t(t, x, <, y, __COUNTER__)
#define max_t(t, x, y) __shim_cmp_t(t, x, >, y, __COUNTER__)
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi) min_t(t, max_t(t, v, lo), hi)
#define swap(a, b) ({ __typeof__(a) __t = (a); (a) = (b); (b) = __t; })

#endif
