/* SPDX-License-Identifier: BSD-3-Clause */
/* Error numbers: the C library's <errno.h> gets them from the header that this one hides. */
#ifndef _SHIM_LINUX_ERRNO_H
#define _SHIM_LINUX_ERRNO_H

#include_next <linux/errno.h>

#endif
