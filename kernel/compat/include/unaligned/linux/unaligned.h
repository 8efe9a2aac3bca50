/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel has no such header of its own (before 6.12), asm/unaligned.h holds the same. */
#ifndef _NQD_COMPAT_LINUX_UNALIGNED_H
#define _NQD_COMPAT_LINUX_UNALIGNED_H

#include <asm/unaligned.h>

#endif
