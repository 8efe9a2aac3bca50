/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory and string functions of the C library. */
#ifndef _SHIM_LINUX_STRING_H
#define _SHIM_LINUX_STRING_H

#include <string.h>

#endif
