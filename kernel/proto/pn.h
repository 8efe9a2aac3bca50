/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* RFC 9000 section 17.1: packet numbers, and how the wire carries them. */
#ifndef _NQD_PROTO_PN_H
#define _NQD_PROTO_PN_H

#include "base.h"

u64 nqd_pn_decode(u64 largest, u32 truncated, u8 pn_len);
u8 nqd_pn_len(u64 pn, u64 largest_acked);
u32 nqd_pn_truncate(u64 pn, u8 pn_len);
u32 nqd_pn_get(const u8 *p, u8 pn_len);
u8 *nqd_pn_put(u8 *p, u64 pn, u8 pn_len);

#endif
