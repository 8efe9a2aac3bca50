/* SPDX-License-Identifier: BSD-3-Clause */
/* The few kernel definitions that kernel/netlink_gen.c needs, for its tests in user space. */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define memzero_explicit(at, size) memset(at, 0, size)

#endif
