/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine needs to know of an IP packet, version 4 or 6. */
#ifndef NQE_IP_H
#define NQE_IP_H

#include <linux/types.h>

#define NQE_IPPROTO_ICMP 1
#define NQE_IPPROTO_TCP 6
#define NQE_IPPROTO_UDP 17
#define NQE_IPPROTO_ICMPV6 58

#define NQE_IP_ECN_MASK 3
#define NQE_IPV4_HEADER 20
#define NQE_IPV6_HEADER 40
#define NQE_UDP_HEADER 8
#define NQE_TCP_HEADER 20 /* without options */

/**
 * struct nqe_ip - the outline of one packet
 * @version: 4 or 6
 * @protocol: protocol number after the fixed header; extension headers of IPv6 are not walked
 * @fragment: part of a fragmented packet (IPv4 only, as above)
 * @l4: offset of what follows the network header (IPv4 options skipped)
 * @len: length that the header states, at most the bytes there are
 * @address_len: 4 or 16
 * @source: offset of the source address; the destination follows it
 */
struct nqe_ip {
	u8 version;
	u8 protocol;
	bool fragment;
	u32 l4;
	u32 len;
	u32 address_len;
	u32 source;
};

/**
 * nqe_ip_parse - read and check the fixed header
 * @packet: the packet
 * @room: bytes there are
 * @ip: result
 *
 * Return: 0, or -EINVAL for anything that is no whole IP packet.
 */
int nqe_ip_parse(const u8 *packet, u32 room, struct nqe_ip *ip);

/**
 * nqe_ip_set_ce - the datagram around a packet met congestion
 * @packet: the packet
 * @ip: its outline
 *
 * RFC 6040 section 4.2, but for packets whose ends do not know ECN: they are not dropped, since the
 * sender of the datagram reacts to the mark itself (RFC 9000 section 13.4).
 */
void nqe_ip_set_ce(u8 *packet, const struct nqe_ip *ip);

#endif
