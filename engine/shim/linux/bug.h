/* SPDX-License-Identifier: BSD-3-Clause */
/* Broken invariants abort: a fuzzer or a test must see them. */
#ifndef _SHIM_LINUX_BUG_H
#define _SHIM_LINUX_BUG_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <stdio.h>
#include <stdlib.h>

#define WARN_ON_ONCE(cond)                                                                    \
	({                                                                                    \
		bool __warn = !!(cond);                                                       \
		if (unlikely(__warn)) {                                                       \
			fprintf(stderr, "WARNING: %s:%d: %s\n", __FILE__, __LINE__, #cond);   \
			abort();                                                              \
		}                                                                             \
		__warn;                                                                       \
	})

#endif
