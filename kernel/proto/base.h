/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * What every file of the protocol core includes.
 *
 * The core is sans-IO: no allocation, no locks, no clock, no skb. State structs go in, decisions come
 * out; memory comes from the caller; the home (kernel module or user-space engine) serialises the calls
 * that it makes on one connection.
 *
 * Units: times are u64 nanoseconds of a monotonic clock, sizes are bytes, rates are bytes a second.
 */
#ifndef _NQD_PROTO_BASE_H
#define _NQD_PROTO_BASE_H

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/prefetch.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/types.h>
#include <linux/unaligned.h>

#include "uapi/nexus_quic_dco.h"

/* A time that never comes: an unarmed timer. */
#define NQD_TIME_NEVER U64_MAX

/* RFC 9000 section 14: every path must carry datagrams of this size. */
#define NQD_MIN_DATAGRAM_SIZE 1200

/**
 * struct nqd_span - a run of bytes inside a buffer that the caller owns
 * @offset: first byte, from the start of the buffer
 * @len: number of bytes
 */
struct nqd_span {
	u32 offset;
	u32 len;
};

#endif
