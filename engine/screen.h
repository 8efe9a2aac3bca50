/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which datagrams of no session are worth waking user space for: those that may begin a handshake, and
 * those of handshakes under way, known by the connection IDs that user space gave out for them. In a
 * flood the wake-up is what costs.
 */
#ifndef NQE_SCREEN_H
#define NQE_SCREEN_H

#include "lookup.h"

/**
 * enum nqe_screen_verdict - what becomes of a datagram of no session, where a socket screens them
 * @NQE_SCREEN_ADMIT: it is for user space
 * @NQE_SCREEN_MALFORMED: a long header that is none
 * @NQE_SCREEN_UNKNOWN_CONNECTION: no connection ID that user space waits for, and no Initial
 * @NQE_SCREEN_UNSUPPORTED_VERSION: not of QUIC v1, and too small to be told so, or itself the answer
 * @NQE_SCREEN_INITIAL_TOO_SMALL: an Initial in a datagram of less than 1200 bytes
 */
enum nqe_screen_verdict {
	NQE_SCREEN_ADMIT,
	NQE_SCREEN_MALFORMED,
	NQE_SCREEN_UNKNOWN_CONNECTION,
	NQE_SCREEN_UNSUPPORTED_VERSION,
	NQE_SCREEN_INITIAL_TOO_SMALL,
	__NQE_SCREEN_COUNT,
};

/**
 * struct nqe_screen - of one socket
 * @on: it judges; else all is admitted
 * @cid_len: bytes of local connection IDs
 * @expected: connection IDs of handshakes under way
 */
struct nqe_screen {
	bool on;
	u8 cid_len;
	struct nqe_lookup expected;
};

/* From now on it judges. -EINVAL: connection IDs have no length, so nothing tells handshakes apart. */
int nqe_screen_start(struct nqe_screen *s, u8 cid_len);
void nqe_screen_free(struct nqe_screen *s);
/* -EINVAL: it does not judge, or the length is another. -EEXIST, -ENOMEM. */
int nqe_screen_expect(struct nqe_screen *s, const u8 *cid, u32 len);
/* Nothing where it is not expected. */
void nqe_screen_forget(struct nqe_screen *s, const u8 *cid, u32 len);
enum nqe_screen_verdict nqe_screen_judge(const struct nqe_screen *s, const u8 *data, u32 len);

#endif
