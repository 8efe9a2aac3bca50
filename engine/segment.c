// SPDX-License-Identifier: BSD-3-Clause
#include "segment.h"

#include "checksum.h"
#include "ip.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/unaligned.h>

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

/*
 * A single packet whose transport checksum the kernel left to us: the field holds the
 * pseudo-header's sum.
 */
static int nqe_segment_complete(u8 *packet, u32 len, const struct nqe_vnet *vnet)
{
	u32 at = (u32)vnet->csum_start + vnet->csum_offset;
	u16 sum;

	if (vnet->csum_start >= len || at + sizeof(sum) > len)
		return -EINVAL;
	sum = nqe_csum_finish(nqe_csum_add(0, packet + vnet->csum_start, len - vnet->csum_start));
	/* RFC 768: a computed zero is sent as all ones (only UDP keeps its checksum at offset 6). */
	nqe_csum_store(packet + at, !sum && vnet->csum_offset == 6 ? 0xffff : sum);
	return 0;
}

int nqe_segment_init(struct nqe_segment *s, u8 *packet, u32 len, const struct nqe_vnet *vnet)
{
	u8 type = vnet->gso_type & (u8)~NQE_VNET_GSO_ECN;
	u32 transport, check;
	struct nqe_ip ip;
	u16 seed;
	int err;

	*s = (struct nqe_segment){ .packet = packet };
	err = nqe_ip_parse(packet, len, &ip);
	if (err)
		return err;
	s->len = ip.len;
	if (type == NQE_VNET_GSO_NONE) {
		s->mss = s->len;
		return vnet->flags & NQE_VNET_NEEDS_CSUM
			       ? nqe_segment_complete(packet, s->len, vnet)
			       : 0;
	}
	if (type != NQE_VNET_GSO_UDP_L4 && type != NQE_VNET_GSO_TCPV4 && type != NQE_VNET_GSO_TCPV6)
		return -EOPNOTSUPP;
	if ((type == NQE_VNET_GSO_TCPV4 && ip.version != 4) ||
	    (type == NQE_VNET_GSO_TCPV6 && ip.version != 6))
		return -EINVAL;
	/* csum_start is the transport header, extension headers of IPv6 in between or not. */
	s->l4 = vnet->csum_start;
	s->udp = type == NQE_VNET_GSO_UDP_L4;
	check = s->udp ? 6 : 16;
	transport = s->udp ? NQE_UDP_HEADER : NQE_TCP_HEADER;
	if (!(vnet->flags & NQE_VNET_NEEDS_CSUM) || vnet->csum_offset != check || s->l4 < ip.l4 ||
	    s->l4 + transport > s->len || !vnet->gso_size)
		return -EINVAL;
	if (!s->udp) {
		transport = (packet[s->l4 + 12] >> 4) * 4u;
		if (transport < NQE_TCP_HEADER)
			return -EINVAL;
	}
	s->header_len = s->l4 + transport;
	if (s->header_len >= s->len)
		return -EINVAL;
	s->mss = vnet->gso_size;
	/*
	 * The field holds the pseudo-header's sum with the length of the whole. Taking that length
	 * out gives what all segments share, whatever the addresses (a routing header's final
	 * destination included).
	 */
	memcpy(&seed, packet + s->l4 + check, sizeof(seed));
	s->partial = nqe_csum_add16(seed, (u16)~(s->len - s->l4));
	return 0;
}

u32 nqe_segment_len(const struct nqe_segment *s)
{
	return s->header_len
		       ? (s->header_len + s->offset < s->len
				  ? s->header_len + min(s->mss, s->len - s->header_len - s->offset)
				  : 0)
		       : s->len - s->offset;
}

u32 nqe_segment_equal(const struct nqe_segment *s)
{
	return (s->len - s->header_len - s->offset) / s->mss;
}

u32 nqe_segment_left(const struct nqe_segment *s)
{
	return (s->len - s->header_len - s->offset + s->mss - 1) / s->mss;
}

void nqe_segment_skip(struct nqe_segment *s)
{
	s->offset += min(s->mss, s->len - s->header_len - s->offset);
	s->index++;
}

static void nqe_segment_network_header(const struct nqe_segment *s, u8 *out, u32 len)
{
	u32 header = (out[0] & 15) * 4u;

	if (out[0] >> 4 == 6) {
		put_unaligned_be16((u16)(len - NQE_IPV6_HEADER), out + 4);
		return;
	}
	put_unaligned_be16((u16)len, out + 2);
	put_unaligned_be16((u16)(get_unaligned_be16(out + 4) + s->index), out + 4);
	put_unaligned_be16(0, out + 10);
	nqe_csum_store(out + 10, nqe_csum_finish(nqe_csum_add(0, out, header)));
}

u32 nqe_segment_copy(struct nqe_segment *s, u8 *out)
{
	u32 len = nqe_segment_len(s);
	u32 payload = len - s->header_len;
	u8 *l4 = out + s->l4;
	bool last;
	u64 partial;
	u16 sum;

	if (!s->header_len) {
		memcpy(out, s->packet, len);
		s->offset = s->len;
		return len;
	}
	last = s->header_len + s->offset + payload == s->len;
	memcpy(out, s->packet, s->header_len);
	memcpy(out + s->header_len, s->packet + s->header_len + s->offset, payload);
	nqe_segment_network_header(s, out, len);
	if (s->udp) {
		put_unaligned_be16((u16)(len - s->l4), l4 + 4);
		put_unaligned_be16(0, l4 + 6);
	} else {
		put_unaligned_be32(get_unaligned_be32(l4 + 4) + s->offset, l4 + 4);
		/*
		 * FIN and PSH belong to the end of the data, CWR (RFC 3168 section 6.1.2) to its
		 * first segment.
		 */
		if (!last)
			l4[13] &= (u8)~TCP_FIN_PSH;
		if (s->index)
			l4[13] &= (u8)~TCP_CWR;
		put_unaligned_be16(0, l4 + 16);
	}
	partial = nqe_csum_add16(s->partial, (u16)(len - s->l4));
	sum = nqe_csum_finish(nqe_csum_add(partial, l4, len - s->l4));
	if (s->udp)
		nqe_csum_store(l4 + 6, sum ? sum : 0xffff);
	else
		nqe_csum_store(l4 + 16, sum);
	nqe_segment_skip(s);
	return len;
}
