/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* ECN codepoints of the IP header, and counts of them. */
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

/**
 * struct nqd_ecn_counts - RFC 9000 section 19.3.2: packets with each codepoint, in one packet
 *	number space
 * @ect0: packets with ECT(0)
 * @ect1: packets with ECT(1)
 * @ce: packets with CE
 */
struct nqd_ecn_counts {
	u64 ect0;
	u64 ect1;
	u64 ce;
};

#endif
