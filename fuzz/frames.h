/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold for every frame that the parser accepts. */
#ifndef _FUZZ_FRAMES_H
#define _FUZZ_FRAMES_H

#include "frame.h"
#include "script.h"

/* Fuzzed payloads are no longer than the largest UDP payload of an Ethernet. */
#define FUZZ_PAYLOAD_MAX 1500

static inline void check_span(const struct nqd_span *outer, const struct nqd_span *inner)
{
	CHECK(inner->offset >= outer->offset);
	CHECK(inner->len <= outer->len);
	CHECK(inner->offset + inner->len <= outer->offset + outer->len);
}

/*
 * 1 to @max ranges of an ACK frame, newest first, near the next packet number to be used; now and
 * then the newest lies beyond it.
 */
u32 script_ranges(struct script *s, u64 next_pn, struct nqd_pn_range *ranges, u32 max);

/* Write a frame that was read. STREAM and DATAGRAM without a length get one where @lengths. */
int rebuild_frame(const struct nqd_frame *f, const u8 *payload, bool lengths, u8 *buf, size_t room);

/* Do two frames, of two payloads, say the same? */
bool same_frame(const struct nqd_frame *a, const u8 *payload_a, const struct nqd_frame *b,
		const u8 *payload_b);

#endif
