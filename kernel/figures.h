/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All counters of a session or of a device, as the ABI has them.
 */
#ifndef _NQD_FIGURES_H
#define _NQD_FIGURES_H

#include "uapi/nexus_quic_dco.h"

struct nqd_device;
struct nqd_session;

/**
 * struct nqd_figures - counters
 * @l3: IP packets inside the tunnel
 * @quic: QUIC packets
 * @frame: frames
 * @key: packet protection; from @key.tx_sealed on what holds now
 * @offload: batching
 * @recovery: loss recovery; up to @recovery.pacing_rate what holds now. Sessions only
 * @drops: by enum nqd_drop_reason
 */
struct nqd_figures {
	struct nqd_l3_stats l3;
	struct nqd_quic_stats quic;
	struct nqd_frame_stats frame;
	struct nqd_key_stats key;
	struct nqd_offload_stats offload;
	struct nqd_recovery_stats recovery;
	u64 drops[__NQD_DROP_COUNT];
};

void nqd_figures_session(struct nqd_session *s, struct nqd_figures *figures);
void nqd_figures_device(struct nqd_device *nd, struct nqd_figures *figures);
void nqd_figures_queue(const struct nqd_device *nd, u32 queue, struct nqd_queue_stats *stats);
int nqd_figures_flush_session(struct nqd_session *s);
int nqd_figures_flush_device(struct nqd_device *nd);
void nqd_figures_session_ends(struct nqd_session *s);

#endif /* _NQD_FIGURES_H */
