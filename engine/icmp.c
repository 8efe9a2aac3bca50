// SPDX-License-Identifier: BSD-3-Clause
#include "icmp.h"

#include "checksum.h"
#include "ip.h"

#include <linux/minmax.h>
#include <linux/unaligned.h>

#define ICMP_HEADER 8
#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_PACKET_TOO_BIG 2
#define HOP_LIMIT 64
/*
 * RFC 792 asks for 8 bytes of the original's payload, RFC 1812 section 4.3.2.3 for as much as fits
 * 576.
 */
#define ICMPV4_MAX 576
#define ICMPV6_MAX 1280 /* RFC 4443 section 2.4 (c) */

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): errors are never answered with errors. */
static bool nqe_icmp_is_error(const u8 *packet, const struct nqe_ip *ip)
{
	u8 type;

	if (ip->len <= ip->l4)
		return false;
	type = packet[ip->l4];
	if (ip->version == 4)
		return ip->protocol == NQE_IPPROTO_ICMP &&
		       (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
	return ip->protocol == NQE_IPPROTO_ICMPV6 && type < 128;
}

static u32 nqe_icmp_v4(const u8 *packet, const struct nqe_ip *ip, u32 mtu, u8 *out)
{
	u32 quoted = min(ip->len, (u32)(ICMPV4_MAX - NQE_IPV4_HEADER - ICMP_HEADER));
	u32 len = NQE_IPV4_HEADER + ICMP_HEADER + quoted;
	u8 *icmp = out + NQE_IPV4_HEADER;

	/* Not the first fragment; broadcast and multicast; no address to answer to. */
	if ((get_unaligned_be16(packet + 6) & 0x1fff) || packet[16] >= 224 || packet[12] >= 224 ||
	    !packet[12] || packet[12] == 127)
		return 0;
	memset(out, 0, NQE_IPV4_HEADER + ICMP_HEADER);
	out[0] = 0x45;
	out[1] = 0xc0; /* RFC 1812 section 4.3.2.5: internetwork control */
	put_unaligned_be16((u16)len, out + 2);
	out[8] = HOP_LIMIT;
	out[9] = NQE_IPPROTO_ICMP;
	memcpy(out + 12, packet + 16, 4);
	memcpy(out + 16, packet + 12, 4);
	nqe_csum_store(out + 10, nqe_csum_finish(nqe_csum_add(0, out, NQE_IPV4_HEADER)));
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_FRAGMENTATION_NEEDED;
	put_unaligned_be16((u16)mtu, icmp + 6);
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	nqe_csum_store(icmp + 2, nqe_csum_finish(nqe_csum_add(0, icmp, ICMP_HEADER + quoted)));
	return len;
}

static u32 nqe_icmp_v6(const u8 *packet, const struct nqe_ip *ip, u32 mtu, u8 *out)
{
	static const u8 unspecified[16];
	u32 quoted = min(ip->len, (u32)(ICMPV6_MAX - NQE_IPV6_HEADER - ICMP_HEADER));
	u32 payload = ICMP_HEADER + quoted;
	u8 *icmp = out + NQE_IPV6_HEADER;
	u64 sum;

	/*
	 * No answer to an unspecified or multicast source. A multicast destination may be answered
	 * (RFC 4443 section 2.4 (e.3)), but not from its own address, and we have no other.
	 */
	if (packet[8] == 0xff || packet[24] == 0xff || !memcmp(packet + 8, unspecified, 16))
		return 0;
	memset(out, 0, NQE_IPV6_HEADER + ICMP_HEADER);
	out[0] = 0x60;
	put_unaligned_be16((u16)payload, out + 4);
	out[6] = NQE_IPPROTO_ICMPV6;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, packet + 24, 16);
	memcpy(out + 24, packet + 8, 16);
	icmp[0] = ICMPV6_PACKET_TOO_BIG;
	put_unaligned_be32(mtu, icmp + 4);
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	sum = nqe_csum_pseudo(out + 8, 32, NQE_IPPROTO_ICMPV6, payload);
	nqe_csum_store(icmp + 2, nqe_csum_finish(nqe_csum_add(sum, icmp, payload)));
	return NQE_IPV6_HEADER + payload;
}

u32 nqe_icmp_too_big(const u8 *packet, u32 len, u32 mtu, u8 *out)
{
	struct nqe_ip ip;

	if (nqe_ip_parse(packet, len, &ip) || nqe_icmp_is_error(packet, &ip))
		return 0;
	return ip.version == 4 ? nqe_icmp_v4(packet, &ip, mtu, out)
			       : nqe_icmp_v6(packet, &ip, mtu, out);
}
