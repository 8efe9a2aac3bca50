/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* What the files of the connection share among themselves. */
#ifndef _NQD_PROTO_CONN_PRIV_H
#define _NQD_PROTO_CONN_PRIV_H

#include "conn.h"

/* When to look again after keys or ring ran out. */
#define NQD_CONN_RETRY (10 * NSEC_PER_MSEC)

/**
 * struct nqd_conn_told - context of the callbacks that hear of rare packets: control frames, MTU probes
 * @c: connection
 * @now: time
 */
struct nqd_conn_told {
	struct nqd_conn *c;
	u64 now;
};

void nqd_conn_error(struct nqd_conn *c, u64 now, u64 code, u64 frame_type);
void nqd_conn_keys_changed(struct nqd_conn *c, u64 now, unsigned int flags);
void nqd_conn_retry_update(struct nqd_conn *c, u64 now);
void nqd_conn_keys_out(struct nqd_conn *c, u64 now);
void nqd_conn_mtu_changed(struct nqd_conn *c);
void nqd_conn_want_pmtu(struct nqd_conn *c);
void nqd_conn_told_acked(void *ctx, u64 pn, const struct nqd_sent_packet *p);
void nqd_conn_told_lost(void *ctx, u64 pn, const struct nqd_sent_packet *p);
void nqd_conn_recovered(struct nqd_conn *c, const struct nqd_recovery_result *res);

#endif
