// SPDX-License-Identifier: BSD-3-Clause
/*
 * The input is the payload of a packet. What is read from it, written and read again must be the
 * same; and writing with too little room must write nothing outside of that.
 */
#include "frames.h"

/* Frames come out no longer than they went in, but for a Length that was left out. */
#define REBUILT_MAX (FUZZ_PAYLOAD_MAX + 16)

static void round_trip(const struct nqd_frame *f, const u8 *payload)
{
	u8 buf[REBUILT_MAX];
	struct nqd_frame_iter it;
	struct nqd_frame again;
	int len = rebuild_frame(f, payload, true, buf, sizeof(buf));
	int cut;

	CHECK(len > 0 && len <= (int)f->bytes.len + 8);
	nqd_frame_iter_init(&it, buf, (size_t)len);
	CHECK(nqd_frame_next(&it, &again) == 1);
	CHECK(same_frame(f, payload, &again, buf));
	CHECK(again.bytes.offset == 0 && again.bytes.len == (u32)len);
	CHECK(nqd_frame_next(&it, &again) == 0);

	/* One byte less: refused, or an ACK frame with fewer ranges. */
	memset(buf, 0xee, sizeof(buf));
	cut = rebuild_frame(f, payload, true, buf, (size_t)len - 1);
	CHECK(cut == -ENOSPC ||
	      ((f->type == NQD_FRAME_ACK || f->type == NQD_FRAME_ACK_ECN) && cut > 0 && cut < len));
	CHECK(buf[len - 1] == 0xee);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct nqd_frame_iter it;
	struct nqd_frame f;
	u32 covered = 0;
	int more;

	if (size > FUZZ_PAYLOAD_MAX)
		return 0;
	nqd_frame_iter_init(&it, data, size);
	while ((more = nqd_frame_next(&it, &f)) == 1) {
		CHECK(f.bytes.offset == covered && f.bytes.len > 0);
		covered += f.bytes.len;
		CHECK(nqd_frame_class(f.type) == NQD_FRAME_HERE || nqd_frame_ack_eliciting(f.type));
		CHECK(nqd_frame_from_client(f.type) || nqd_frame_ack_eliciting(f.type));
		nqd_frame_probing(f.type);
		if (f.type == NQD_FRAME_ACK || f.type == NQD_FRAME_ACK_ECN)
			CHECK(nqd_frame_ack_delay(&f, 20) >= nqd_frame_ack_delay(&f, 0));
		round_trip(&f, data);
	}
	if (more == 0) {
		CHECK(covered == size && size > 0);
	} else {
		CHECK(more == -EBADMSG);
		CHECK(it.error == NQD_QUIC_FRAME_ENCODING_ERROR ||
		      it.error == NQD_QUIC_PROTOCOL_VIOLATION);
		/* An error is final. */
		CHECK(nqd_frame_next(&it, &f) == more);
	}
	return 0;
}
