/* SPDX-License-Identifier: BSD-3-Clause */
/* Compile-time assertions. */
#ifndef _SHIM_LINUX_BUILD_BUG_H
#define _SHIM_LINUX_BUILD_BUG_H

#include <assert.h>

#define BUILD_BUG_ON(cond) _Static_assert(!(cond), #cond)

#endif
