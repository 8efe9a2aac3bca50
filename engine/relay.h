/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports towards the camouflage target of a server in mode reality, one for each flow of a stranger.
 * Who is one, and which flows there are, user space decides; here datagrams are copied, with their
 * ECN codepoints, and kept where their client is not to have them yet. One thread at a time.
 */
#ifndef NQE_RELAY_H
#define NQE_RELAY_H

#include "udp.h"

/* Connection IDs of the target that are told for each flow, no more. */
#define NQE_RELAY_CIDS 4
/* RFC 9000 section 17.2: in version 1; longer ones of other versions are not told. */
#define NQE_RELAY_CID_LEN 20
/* Flows that one nqe_relay_receive() reads. */
#define NQE_RELAY_READY 32

struct nqe_relay;

/**
 * struct nqe_relay_reply - what the target said to an undecided flow
 * @next: what it said after that, or NULL
 * @len: bytes of @data
 * @segment: bytes of each datagram in it; the last may be shorter
 * @ecn: enum nqd_ecn
 * @data: the datagrams, back to back
 */
struct nqe_relay_reply {
	struct nqe_relay_reply *next;
	u32 len;
	u32 segment;
	u8 ecn;
	u8 data[];
};

/**
 * struct nqe_relay_flow - a flow's port
 * @number: the caller's name for it
 * @udp: connected to the target
 * @settled: replies go to the client at once
 * @remote: the client, where @settled
 * @local: our address that the client knows, where @settled
 * @held: replies kept, in their order
 * @last: where the next one is to be hooked in
 * @cids: connection IDs of the target that were told
 * @cid_len: bytes of each
 * @cid: these
 */
struct nqe_relay_flow {
	u64 number;
	struct nqe_udp udp;
	bool settled;
	struct nqe_address remote;
	struct nqe_address local;
	struct nqe_relay_reply *held;
	struct nqe_relay_reply **last;
	u32 cids;
	u8 cid_len[NQE_RELAY_CIDS];
	u8 cid[NQE_RELAY_CIDS][NQE_RELAY_CID_LEN];
};

/**
 * struct nqe_relay_report - a flow to which the target has said something
 * @flow: its port
 * @number: its name
 * @held: datagrams that were kept now
 * @octets: bytes of these
 * @cids: how many of @flow's connection IDs are new, the last ones
 */
struct nqe_relay_report {
	const struct nqe_relay_flow *flow;
	u64 number;
	u32 held;
	u32 octets;
	u32 cids;
};

/**
 * nqe_relay_new - a relay without flows
 * @target: the camouflage target
 * @fd: the server's socket; what strangers get leaves through a duplicate of it
 * @mark: SO_MARK of packets to the target; 0: none
 *
 * Return: NULL without memory or file descriptors: errno says which.
 */
struct nqe_relay *nqe_relay_new(const struct nqe_address *target, int fd, u32 mark);
/* After all its flows are closed. */
void nqe_relay_free(struct nqe_relay *r);
/* Readable while the target has said something. */
int nqe_relay_fd(const struct nqe_relay *r);

/* NULL where there is no socket, or no way to the target: errno says why. */
struct nqe_relay_flow *nqe_relay_open(struct nqe_relay *r, u64 number);
void nqe_relay_close(struct nqe_relay_flow *flow);
/* Forgets the replies that were kept. */
void nqe_relay_discard(struct nqe_relay_flow *flow);
/* Sends to the target. 0, or a negative errno: the datagram is lost, as at any router. */
int nqe_relay_send(const struct nqe_relay_flow *flow, const u8 *data, u32 len, u8 ecn);
/* What the target has said goes to the client now, and from now on all it says goes at once. */
void nqe_relay_settle(struct nqe_relay *r, struct nqe_relay_flow *flow,
		      const struct nqe_address *remote, const struct nqe_address *local);

/**
 * nqe_relay_receive - take what the target has said, for settled flows pass it on
 * @r: relay
 * @report: one for each flow that it said something to
 * @max: their number; at most NQE_RELAY_READY are filled
 *
 * Return: how many were filled.
 */
u32 nqe_relay_receive(struct nqe_relay *r, struct nqe_relay_report *report, u32 max);

#endif
