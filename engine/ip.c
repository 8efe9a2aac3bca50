// SPDX-License-Identifier: BSD-3-Clause
#include "ip.h"

#include "checksum.h"

#include <linux/errno.h>
#include <linux/unaligned.h>

int nqe_ip_parse(const u8 *packet, u32 room, struct nqe_ip *ip)
{
	if (!room)
		return -EINVAL;
	ip->version = packet[0] >> 4;
	if (ip->version == 4) {
		if (room < NQE_IPV4_HEADER)
			return -EINVAL;
		ip->l4 = (packet[0] & 15) * 4u;
		ip->len = get_unaligned_be16(packet + 2);
		ip->protocol = packet[9];
		/* RFC 791: more-fragments flag, or an offset. */
		ip->fragment = get_unaligned_be16(packet + 6) & 0x3fff;
		ip->address_len = 4;
		ip->source = 12;
		if (ip->l4 < NQE_IPV4_HEADER || ip->len < ip->l4)
			return -EINVAL;
	} else if (ip->version == 6) {
		if (room < NQE_IPV6_HEADER)
			return -EINVAL;
		ip->l4 = NQE_IPV6_HEADER;
		ip->len = NQE_IPV6_HEADER + get_unaligned_be16(packet + 4);
		ip->protocol = packet[6];
		ip->fragment = false;
		ip->address_len = 16;
		ip->source = 8;
	} else {
		return -EINVAL;
	}
	return ip->len <= room ? 0 : -EINVAL;
}

void nqe_ip_set_ce(u8 *packet, const struct nqe_ip *ip)
{
	/* IPv6: the traffic class begins in the first byte's lower half. */
	u8 *field = packet + 1, shift = ip->version == 4 ? 0 : 4;

	if (!(*field >> shift & NQE_IP_ECN_MASK))
		return;
	*field |= (u8)(NQE_IP_ECN_MASK << shift);
	if (ip->version == 4) {
		memset(packet + 10, 0, 2);
		nqe_csum_store(packet + 10, nqe_csum_finish(nqe_csum_add(0, packet, ip->l4)));
	}
}
