/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* ECN codepoints of the IP header. struct nqd_ecn_counts counts them: the uapi header has it. */
#ifndef _NQD_PROTO_ECN_H
#define _NQD_PROTO_ECN_H

#include "base.h"

/**
 * enum nqd_ecn - the two ECN bits of the IP header (RFC 3168 section 5)
 * @NQD_ECN_NOT_ECT: not ECN-capable transport
 * @NQD_ECN_ECT1: ECT(1)
 * @NQD_ECN_ECT0: ECT(0)
 * @NQD_ECN_CE: congestion experienced
 */
enum nqd_ecn {
	NQD_ECN_NOT_ECT = 0,
	NQD_ECN_ECT1 = 1,
	NQD_ECN_ECT0 = 2,
	NQD_ECN_CE = 3,
};

#endif
