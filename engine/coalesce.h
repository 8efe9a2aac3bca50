/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Merges IP packets that arrived in one batch into TCP or UDP super-packets, so that the kernel's
 * stack is walked once for many. The inverse of segment.h: cutting the result gives the same
 * packets again.
 *
 * A packet is merged only after its own checksum has been verified: otherwise the new checksum of
 * the whole would "repair" a broken packet.
 */
#ifndef NQE_COALESCE_H
#define NQE_COALESCE_H

#include "ip.h"
#include "vnet.h"

#include <sys/uio.h>

#define NQE_COALESCE_FLOWS 8
/* The kernel takes at most 64 segments in a UDP super-packet (older ones' UDP_MAX_SEGMENTS). */
#define NQE_COALESCE_PACKETS 64
/* Longest header kept aside: IPv6 and TCP with all its options, or IPv4 with options and TCP. */
#define NQE_COALESCE_HEADER 120

/* What the device takes. */
enum nqe_coalesce_offload {
	NQE_COALESCE_TCPV4 = 1,
	NQE_COALESCE_TCPV6 = 2,
	NQE_COALESCE_UDP = 4, /* both versions */
};

/**
 * struct nqe_coalesce_group - packets of one flow, in order
 * @packet: first byte of each packet; the buffers are the caller's until the group is written
 * @len: length of each packet
 * @count: packets; 0: the group is free
 * @closed: nothing may follow (short segment, PSH)
 * @outline: of the first packet
 * @header_len: network and transport header
 * @mss: payload of every packet but the last
 * @total: bytes of the super-packet
 * @next_seq: TCP sequence number that follows
 * @id: IPv4 identification of the newest packet
 * @same_id: identification does not rise (0 yet unknown, 1 rises, 2 constant)
 * @saved: first header as it arrived, to undo a merge that the device refused
 */
struct nqe_coalesce_group {
	u8 *packet[NQE_COALESCE_PACKETS];
	u32 len[NQE_COALESCE_PACKETS];
	u32 count;
	bool closed;
	struct nqe_ip outline;
	u32 header_len;
	u32 mss;
	u32 total;
	u32 next_seq;
	u16 id;
	u8 same_id;
	u8 saved[NQE_COALESCE_HEADER];
};

/* Writes one packet to the device. Returns 0 or a negative errno. */
typedef int nqe_coalesce_write(void *context, const struct iovec *iov, int count);

/**
 * struct nqe_coalesce - open groups of one device
 * @group: the groups
 * @next: group to give way when all are taken
 * @offloads: enum nqe_coalesce_offload, those that the device refused taken out
 * @write: the device; iov[0] is a struct nqe_vnet
 * @context: for @write
 * @written: packets of the device (super-packets count once)
 * @supers: super-packets among them
 * @merged: IP packets that travelled inside super-packets
 * @failed: IP packets that the device did not take
 */
struct nqe_coalesce {
	struct nqe_coalesce_group group[NQE_COALESCE_FLOWS];
	u32 next;
	u32 offloads;
	nqe_coalesce_write *write;
	void *context;
	u64 written;
	u64 supers;
	u64 merged;
	u64 failed;
};

void nqe_coalesce_init(struct nqe_coalesce *c, u32 offloads, nqe_coalesce_write *write,
		       void *context);

/**
 * nqe_coalesce_add - take one IP packet
 * @c: the groups
 * @packet: the packet; must stay, and may be changed, until nqe_coalesce_flush()
 * @len: its bytes, as its header states them
 * @ip: its outline
 *
 * Order within a flow is kept; flows may overtake each other.
 */
void nqe_coalesce_add(struct nqe_coalesce *c, u8 *packet, u32 len, const struct nqe_ip *ip);

/* Writes all that is held. */
void nqe_coalesce_flush(struct nqe_coalesce *c);

#endif
