/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A home for one connection that trusts nothing: what the core says is held against its own notes.
 */
#ifndef _FUZZ_CONN_HOME_H
#define _FUZZ_CONN_HOME_H

#include "conn.h"
#include "script.h"

#define HOME_ACCEPTED 2048
#define HOME_BLOBS 8
#define HOME_SENT 16
#define HOME_GENERATIONS 64
#define HOME_RING_LIMIT 2048

/**
 * struct home_blob - control frames that were queued
 * @queued: the core may still read @bytes
 * @bytes: the frames
 */
struct home_blob {
	bool queued;
	u8 bytes[256];
};

/**
 * struct home - the harness around a connection
 * @c: connection
 * @now: time
 * @drained: the core said that it is over
 * @imported: range that the installation said was received
 * @imported_count: 0 or 1
 * @floor: packet numbers below count as received
 * @accepted: packet numbers accepted
 * @accepted_count: of these
 * @last_pn: last packet number used, or NQD_PN_NONE
 * @sent: the last packet numbers used
 * @sent_count: how many were ever put there
 * @marked: packets that left with ECT(0)
 * @first_generation: of the keys at the start
 * @rx_keys: which RX generations, from the first, are in their slots
 * @tx_keys: which TX generations are
 * @challenge: data of our last PATH_CHALLENGE
 * @slots: memory of control frames
 * @blobs: bytes of control frames
 * @blob_next: id of the next blob
 */
struct home {
	struct nqd_conn c;
	u64 now;
	bool drained;
	struct nqd_pn_range imported;
	u32 imported_count;
	u64 floor;
	u64 accepted[HOME_ACCEPTED];
	u32 accepted_count;
	u64 last_pn;
	u64 sent[HOME_SENT];
	u32 sent_count;
	u64 marked;
	u64 first_generation;
	u64 rx_keys;
	u64 tx_keys;
	u8 challenge[NQD_PATH_DATA_LEN];
	struct nqd_control_slot slots[HOME_BLOBS];
	struct home_blob blobs[HOME_BLOBS];
	u64 blob_next;
};

bool home_init(struct home *h, struct nqd_conn_config *cfg);
void home_free(struct home *h);
void home_events(struct home *h);
void home_check(const struct home *h);
void home_audit(const struct home *h);
void home_receive(struct home *h, struct nqd_conn_rx *rx, u64 pn, const u8 *payload, size_t len);
void home_send_datagram(struct home *h, u32 payload_len);
void home_send_batch(struct home *h, u32 payload_len, u32 packets);
void home_send_pending(struct home *h);
void home_fail_packet(struct home *h, u32 back);
void home_install_keys(struct home *h, enum nqd_keys_dir dir, u32 ahead);

#endif
