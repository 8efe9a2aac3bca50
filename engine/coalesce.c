// SPDX-License-Identifier: BSD-3-Clause
#include "coalesce.h"

#include "checksum.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/unaligned.h>

#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_ECE 0x40
#define IPV4_DF 0x4000

enum nqe_coalesce_id { ID_UNKNOWN, ID_RISES, ID_CONSTANT };

void nqe_coalesce_init(struct nqe_coalesce *c, u32 offloads, nqe_coalesce_write *write,
		       void *context)
{
	memset(c, 0, sizeof(*c));
	c->offloads = offloads;
	c->write = write;
	c->context = context;
}

static u32 nqe_coalesce_offload_of(const struct nqe_ip *ip)
{
	if (ip->protocol == NQE_IPPROTO_UDP)
		return NQE_COALESCE_UDP;
	if (ip->protocol == NQE_IPPROTO_TCP)
		return ip->version == 4 ? NQE_COALESCE_TCPV4 : NQE_COALESCE_TCPV6;
	return 0;
}

/* Length of both headers of a packet that may stand in a super-packet, 0 for any other. */
static u32 nqe_coalesce_header(const struct nqe_coalesce *c, const u8 *packet, u32 len,
			       const struct nqe_ip *ip)
{
	const u8 *l4 = packet + ip->l4;
	u32 header, transport = len - ip->l4;
	u64 sum;

	if (!(c->offloads & nqe_coalesce_offload_of(ip)) || ip->fragment)
		return 0;
	/* IPv4 options would have to be compared, and nobody sends them. */
	if (ip->version == 4 &&
	    (ip->l4 != NQE_IPV4_HEADER || (get_unaligned_be16(packet + 6) & 0x8000)))
		return 0;
	if (ip->protocol == NQE_IPPROTO_UDP) {
		header = ip->l4 + NQE_UDP_HEADER;
		if (len <= header || get_unaligned_be16(l4 + 4) != len - ip->l4 ||
		    !get_unaligned_be16(l4 + 6))
			return 0;
	} else {
		if (len < ip->l4 + NQE_TCP_HEADER)
			return 0;
		header = ip->l4 + (l4[12] >> 4) * 4u;
		/* Plain data: reserved bits clear, ACK, perhaps PSH and ECE, no urgent pointer. */
		if (header < ip->l4 + NQE_TCP_HEADER || len <= header || (l4[12] & 0x0f) ||
		    (l4[13] & ~(TCP_PSH | TCP_ECE)) != TCP_ACK || get_unaligned_be16(l4 + 18))
			return 0;
	}
	/*
	 * The header's own checksum is computed anew for the whole, so it too must have been right.
	 */
	if (ip->version == 4 && nqe_csum_fold(nqe_csum_add(0, packet, ip->l4)) != 0xffff)
		return 0;
	sum = nqe_csum_pseudo(packet + ip->source, 2 * (size_t)ip->address_len, ip->protocol,
			      transport);
	return nqe_csum_fold(nqe_csum_add(sum, l4, transport)) == 0xffff ? header : 0;
}

static bool nqe_coalesce_same_addresses(const struct nqe_coalesce_group *g, const u8 *packet,
					const struct nqe_ip *ip)
{
	return g->outline.version == ip->version &&
	       !memcmp(g->packet[0] + ip->source, packet + ip->source, 2 * (size_t)ip->address_len);
}

/*
 * Same addresses, protocol and ports; without ports (fragments, other protocols) the addresses
 * decide.
 */
static bool nqe_coalesce_same_flow(const struct nqe_coalesce_group *g, const u8 *packet, u32 len,
				   const struct nqe_ip *ip)
{
	bool ports = (ip->protocol == NQE_IPPROTO_TCP || ip->protocol == NQE_IPPROTO_UDP) &&
		     !ip->fragment && len >= ip->l4 + 4;

	if (!nqe_coalesce_same_addresses(g, packet, ip))
		return false;
	return !ports || (g->outline.protocol == ip->protocol &&
			  !memcmp(g->packet[0] + g->outline.l4, packet + ip->l4, 4));
}

/*
 * IPv4 identification: cutting makes it rise by one; constant will do for atomic datagrams (RFC
 * 6864).
 */
static u8 nqe_coalesce_id(const struct nqe_coalesce_group *g, const u8 *packet)
{
	u16 id = get_unaligned_be16(packet + 4);

	if (id == (u16)(g->id + 1))
		return ID_RISES;
	return id == g->id && (get_unaligned_be16(packet + 6) & IPV4_DF) ? ID_CONSTANT : ID_UNKNOWN;
}

static bool nqe_coalesce_fits(const struct nqe_coalesce_group *g, const u8 *packet, u32 len,
			      const struct nqe_ip *ip, u32 header)
{
	const u8 *first = g->packet[0], *a = first + ip->l4, *b = packet + ip->l4;
	u32 payload = len - header;

	if (g->closed || header != g->header_len || payload > g->mss ||
	    g->count == NQE_COALESCE_PACKETS || g->total + payload > U16_MAX)
		return false;
	if (ip->version == 4) {
		u8 id = nqe_coalesce_id(g, packet);

		/* Type of service; flags and offset; time to live. */
		if (first[1] != packet[1] || memcmp(first + 6, packet + 6, 2) ||
		    first[8] != packet[8] || id == ID_UNKNOWN ||
		    (g->same_id != ID_UNKNOWN && id != g->same_id))
			return false;
	} else if (memcmp(first, packet, 4) ||
		   first[7] != packet[7]) { /* class, flow label; hop limit */
		return false;
	}
	if (ip->protocol == NQE_IPPROTO_UDP)
		return true;
	return get_unaligned_be32(b + 4) == g->next_seq &&
	       !memcmp(a + 8, b + 8, 5) && /* ACK number, data offset */
	       (a[13] & ~TCP_PSH) == (b[13] & ~TCP_PSH) &&
	       !memcmp(a + 14, b + 14, 2) && /* window */
	       !memcmp(a + NQE_TCP_HEADER, b + NQE_TCP_HEADER, header - ip->l4 - NQE_TCP_HEADER);
}

static void nqe_coalesce_append(struct nqe_coalesce_group *g, u8 *packet, u32 len,
				const struct nqe_ip *ip)
{
	u32 payload = len - g->header_len;

	if (ip->version == 4) {
		if (g->count)
			g->same_id = nqe_coalesce_id(g, packet);
		g->id = get_unaligned_be16(packet + 4);
	}
	g->packet[g->count] = packet;
	g->len[g->count++] = len;
	g->total += payload;
	g->next_seq += payload;
	g->closed = payload < g->mss ||
		    (ip->protocol == NQE_IPPROTO_TCP && (packet[ip->l4 + 13] & TCP_PSH));
}

static void nqe_coalesce_start(struct nqe_coalesce_group *g, u8 *packet, u32 len,
			       const struct nqe_ip *ip, u32 header)
{
	g->count = 0;
	g->outline = *ip;
	g->header_len = header;
	g->mss = len - header;
	g->total = header;
	g->same_id = ID_UNKNOWN;
	g->next_seq = ip->protocol == NQE_IPPROTO_TCP ? get_unaligned_be32(packet + ip->l4 + 4) : 0;
	nqe_coalesce_append(g, packet, len, ip);
}

static int nqe_coalesce_write_one(struct nqe_coalesce *c, u8 *packet, u32 len, u8 flags)
{
	struct nqe_vnet vnet = { .flags = flags };
	struct iovec iov[2] = { { &vnet, sizeof(vnet) }, { packet, len } };
	int err = c->write(c->context, iov, 2);

	if (err)
		c->failed++;
	else
		c->written++;
	return err;
}

/*
 * Turns the first packet's header into that of the whole; the checksum field gets the
 * pseudo-header's sum.
 */
static void nqe_coalesce_build(struct nqe_coalesce_group *g, struct nqe_vnet *vnet)
{
	const struct nqe_ip *ip = &g->outline;
	bool udp = ip->protocol == NQE_IPPROTO_UDP;
	u8 *packet = g->packet[0], *l4 = packet + ip->l4;
	u32 transport_len = g->total - ip->l4;

	memcpy(g->saved, packet, g->header_len);
	if (ip->version == 4) {
		put_unaligned_be16((u16)g->total, packet + 2);
		put_unaligned_be16(0, packet + 10);
		nqe_csum_store(packet + 10, nqe_csum_finish(nqe_csum_add(0, packet, ip->l4)));
	} else {
		put_unaligned_be16((u16)transport_len, packet + 4);
	}
	vnet->flags = NQE_VNET_NEEDS_CSUM;
	vnet->hdr_len = (u16)g->header_len;
	vnet->gso_size = (u16)g->mss;
	vnet->csum_start = (u16)ip->l4;
	if (udp) {
		vnet->gso_type = NQE_VNET_GSO_UDP_L4;
		vnet->csum_offset = 6;
		put_unaligned_be16((u16)transport_len, l4 + 4);
	} else {
		vnet->gso_type = ip->version == 4 ? NQE_VNET_GSO_TCPV4 : NQE_VNET_GSO_TCPV6;
		vnet->csum_offset = 16;
		/* PSH of the last packet: it closed the group. */
		l4[13] |= g->packet[g->count - 1][ip->l4 + 13] & TCP_PSH;
	}
	nqe_csum_store(l4 + vnet->csum_offset,
		       nqe_csum_fold(nqe_csum_pseudo(packet + ip->source,
						     2 * (size_t)ip->address_len, ip->protocol,
						     transport_len)));
}

static void nqe_coalesce_close(struct nqe_coalesce *c, struct nqe_coalesce_group *g)
{
	struct iovec iov[NQE_COALESCE_PACKETS + 1];
	struct nqe_vnet vnet = { 0 };
	u32 i, count = g->count;
	int err;

	if (count == 1) {
		g->count = 0;
		nqe_coalesce_write_one(c, g->packet[0], g->len[0], NQE_VNET_DATA_VALID);
		return;
	}
	nqe_coalesce_build(g, &vnet);
	g->count = 0;
	iov[0] = (struct iovec){ &vnet, sizeof(vnet) };
	iov[1] = (struct iovec){ g->packet[0], g->len[0] };
	for (i = 1; i < count; i++)
		iov[i + 1] =
			(struct iovec){ g->packet[i] + g->header_len, g->len[i] - g->header_len };
	err = c->write(c->context, iov, (int)count + 1);
	if (!err) {
		c->written++;
		c->supers++;
		c->merged += count;
		return;
	}
	/*
	 * The device does not take this kind after all: the packets go one by one, now and from now
	 * on.
	 */
	if (err == -EINVAL || err == -EOPNOTSUPP)
		c->offloads &= ~nqe_coalesce_offload_of(&g->outline);
	memcpy(g->packet[0], g->saved, g->header_len);
	for (i = 0; i < count; i++)
		nqe_coalesce_write_one(c, g->packet[i], g->len[i], NQE_VNET_DATA_VALID);
}

void nqe_coalesce_add(struct nqe_coalesce *c, u8 *packet, u32 len, const struct nqe_ip *ip)
{
	u32 header = nqe_coalesce_header(c, packet, len, ip);
	struct nqe_coalesce_group *g, *spare = NULL;
	u32 i;

	for (i = 0; i < NQE_COALESCE_FLOWS; i++) {
		g = &c->group[i];
		if (!g->count) {
			spare = g;
			continue;
		}
		if (!nqe_coalesce_same_flow(g, packet, len, ip))
			continue;
		if (header && nqe_coalesce_fits(g, packet, len, ip, header)) {
			nqe_coalesce_append(g, packet, len, ip);
			return;
		}
		nqe_coalesce_close(c, g);
		spare = g;
	}
	if (!header) {
		nqe_coalesce_write_one(c, packet, len, 0);
		return;
	}
	if (!spare) {
		spare = &c->group[c->next++ % NQE_COALESCE_FLOWS];
		nqe_coalesce_close(c, spare);
	}
	nqe_coalesce_start(spare, packet, len, ip, header);
}

void nqe_coalesce_flush(struct nqe_coalesce *c)
{
	u32 i;

	for (i = 0; i < NQE_COALESCE_FLOWS; i++)
		if (c->group[i].count)
			nqe_coalesce_close(c, &c->group[i]);
}
