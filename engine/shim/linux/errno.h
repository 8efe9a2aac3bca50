/* SPDX-License-Identifier: BSD-3-Clause */
/* Error numbers: the C library's are Linux's. */
#ifndef _SHIM_LINUX_ERRNO_H
#define _SHIM_LINUX_ERRNO_H

#include <errno.h>

#endif
