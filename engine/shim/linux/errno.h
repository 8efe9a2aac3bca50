/* SPDX-License-Identifier: BSD-3-Clause */
/* Error numbers. The C library's errno.h includes this file, so ask the architecture. */
#ifndef _SHIM_LINUX_ERRNO_H
#define _SHIM_LINUX_ERRNO_H

#include <asm/errno.h>

#endif
