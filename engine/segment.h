/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts what the TUN device hands over - one packet, or a TCP or UDP super-packet - into the IP
 * packets that travel, each with correct lengths and checksums.
 */
#ifndef NQE_SEGMENT_H
#define NQE_SEGMENT_H

#include "vnet.h"

/**
 * struct nqe_segment - a cursor over one packet of the device
 * @packet: first byte of the IP header
 * @len: bytes of the whole packet
 * @l4: offset of the transport header (super-packets)
 * @header_len: network and transport header of each segment (super-packets), else 0
 * @mss: payload bytes of every segment but the last, which may be shorter
 * @offset: payload bytes already cut off
 * @index: number of the next segment
 * @udp: UDP, else TCP (super-packets)
 * @partial: pseudo-header sum without a length, from which each segment's checksum starts
 */
struct nqe_segment {
	const u8 *packet;
	u32 len;
	u32 l4;
	u32 header_len;
	u32 mss;
	u32 offset;
	u32 index;
	bool udp;
	u64 partial;
};

/**
 * nqe_segment_init - set the cursor on a packet
 * @s: the cursor
 * @packet: the packet; a missing checksum of a single packet is filled in here
 * @len: its bytes
 * @vnet: what the device says of it
 *
 * Return: 0; -EINVAL where header and packet contradict each other; -EOPNOTSUPP for a kind of
 * segmentation that was never asked for.
 */
int nqe_segment_init(struct nqe_segment *s, u8 *packet, u32 len, const struct nqe_vnet *vnet);

/* Bytes of the next IP packet; 0: none is left. */
u32 nqe_segment_len(const struct nqe_segment *s);

/* Full-sized segments that are left, the shorter last one not counted. */
u32 nqe_segment_equal(const struct nqe_segment *s);

/* IP packets that are left. */
u32 nqe_segment_left(const struct nqe_segment *s);

/* Writes the next IP packet, nqe_segment_len() bytes, and moves on. Returns its length. */
u32 nqe_segment_copy(struct nqe_segment *s, u8 *out);

/* Leaves the next IP packet out. */
void nqe_segment_skip(struct nqe_segment *s);

#endif
