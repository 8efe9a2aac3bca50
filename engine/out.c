// SPDX-License-Identifier: BSD-3-Clause
/*
 * The last step out: headers, sealing in place, header protection for a parcel at a time, one call
 * to the kernel for the parcels of many sessions.
 */
#include "engine_priv.h"

#include "pn.h"

#include <errno.h>
#include <linux/unaligned.h>
#include <string.h>

static u32 nqe_out_pn_at(const struct nqe_session *s)
{
	return 1u + s->config.peer_cid_len;
}

static bool nqe_out_fits(const struct nqe_out *out, const struct nqe_session *s, u32 size, u8 tos)
{
	const struct nqe_udp_parcel *parcel;

	if (!out->parcels)
		return false;
	parcel = &out->parcel[out->parcels - 1];
	return out->session[out->parcels - 1] == s && parcel->tos == tos && parcel->len &&
	       size <= parcel->segment && parcel->len % parcel->segment == 0 &&
	       nqe_udp_datagrams(parcel) < NQE_UDP_MAX_SEGMENTS;
}

/*
 * Room for a datagram of @size bytes behind those that wait, which leave first where there is none.
 */
u8 *nqe_out_reserve(struct nqe_engine *e, struct nqe_session *s, u32 size, u8 tos)
{
	struct nqe_out *out = &e->out;
	struct nqe_udp_parcel *parcel;

	if (out->len + size > NQE_UDP_MAX_SEND || out->datagrams == NQE_OUT_DATAGRAMS)
		nqe_out_flush(e);
	if (nqe_out_fits(out, s, size, tos))
		return out->data + out->len;
	/* One that got nothing, because sealing failed, is begun anew. */
	if (out->parcels && !out->parcel[out->parcels - 1].len)
		out->parcels--;
	if (out->parcels == NQE_UDP_MAX_PARCELS)
		nqe_out_flush(e);
	parcel = &out->parcel[out->parcels];
	parcel->remote = &s->config.remote;
	parcel->local = &s->config.local;
	parcel->data = out->data + out->len;
	parcel->len = 0;
	parcel->segment = size;
	parcel->mark = s->config.policy.mark;
	parcel->tos = tos;
	out->session[out->parcels++] = s;
	return parcel->data;
}

/* Writes the header of packet @index of a plan, not yet protected. Returns the byte after it. */
u8 *nqe_out_header(struct nqe_session *s, const struct nqd_conn_plan *plan, u32 index, u8 *packet)
{
	u32 at = nqe_out_pn_at(s), i;
	u64 pn = plan->pn + index;

	/* RFC 9000 section 17.3.1. */
	packet[0] = plan->first_byte;
	memcpy(packet + 1, s->config.peer_cid, s->config.peer_cid_len);
	for (i = 0; i < plan->pn_len; i++)
		packet[at + i] = (u8)(pn >> 8 * (plan->pn_len - 1 - i));
	return packet + at + plan->pn_len;
}

/* Seals what nqe_out_reserve() gave and puts it in line. False: that packet does not leave. */
bool nqe_out_seal(struct nqe_engine *e, const struct nqd_conn_plan *plan, u32 index, u8 *packet)
{
	struct nqe_out *out = &e->out;
	struct nqe_session *s = out->session[out->parcels - 1];
	u64 pn = plan->pn + index;

	if (nqe_crypto_seal(&s->tx, plan->generation, pn, packet, nqe_out_pn_at(s) + plan->pn_len,
			    plan->size - NQE_CRYPTO_TAG)) {
		nqd_conn_tx_failed(&s->conn, e->now, pn);
		s->stats.drops[NQD_DROP_AEAD_SEAL]++;
		return false;
	}
	out->pn_len[out->datagrams++] = plan->pn_len;
	out->parcel[out->parcels - 1].len += plan->size;
	out->len += plan->size;
	return true;
}

static int nqe_out_protect(struct nqe_session *s, const struct nqe_udp_parcel *parcel,
			   const u8 *pn_len)
{
	u8 masks[NQE_UDP_MAX_SEGMENTS * NQE_CRYPTO_SAMPLE];
	u32 at = nqe_out_pn_at(s), count = nqe_udp_datagrams(parcel), i, k;

	if (!count)
		return 0;
	/* RFC 9001 section 5.4.2: as if the packet number had four bytes. */
	for (i = 0; i < count; i++)
		memcpy(masks + i * NQE_CRYPTO_SAMPLE, parcel->data + i * parcel->segment + at + 4,
		       NQE_CRYPTO_SAMPLE);
	if (nqe_crypto_masks(&s->tx, masks, masks, count))
		return -EIO;
	for (i = 0; i < count; i++) {
		u8 *packet = parcel->data + i * parcel->segment;
		const u8 *mask = masks + i * NQE_CRYPTO_SAMPLE;

		packet[0] ^= mask[0] & 0x1f;
		for (k = 0; k < pn_len[i]; k++)
			packet[at + k] ^= mask[1 + k];
	}
	return 0;
}

/* What became of a parcel. */
static void nqe_out_sent(struct nqe_engine *e, struct nqe_session *s,
			 const struct nqe_udp_parcel *parcel)
{
	u32 count = nqe_udp_datagrams(parcel);

	s->socket->stats.tx_datagrams += parcel->sent;
	if (count > 1) {
		s->stats.gso_batches++;
		s->stats.gso_datagrams += count;
	}
	/* To recovery they are as lost as any packet. */
	s->stats.drops[NQD_DROP_UDP_SEND] += count - parcel->sent;
	/*
	 * Larger than the interface's MTU. Of a probe that was to be learnt; for what is taken to
	 * fit, fall back to what every path carries and search again (RFC 9000 section 14.2).
	 */
	if (parcel->err == -EMSGSIZE && parcel->segment <= s->conn.pmtu.current_size)
		nqd_conn_mtu_reported(&s->conn, e->now, NQD_MIN_DATAGRAM_SIZE);
}

/* Protects the headers; a parcel where that is impossible leaves the row. */
static void nqe_out_protect_all(struct nqe_out *out)
{
	u32 i, kept = 0, pn = 0;

	for (i = 0; i < out->parcels; i++) {
		struct nqe_session *s = out->session[i];
		u32 count = nqe_udp_datagrams(&out->parcel[i]);

		if (nqe_out_protect(s, &out->parcel[i], out->pn_len + pn)) {
			s->stats.drops[NQD_DROP_HEADER_PROTECTION] += count;
		} else if (count) {
			out->parcel[kept] = out->parcel[i];
			out->session[kept++] = s;
		}
		pn += count;
	}
	out->parcels = kept;
}

void nqe_out_flush(struct nqe_engine *e)
{
	struct nqe_out *out = &e->out;
	u32 first, end, i;

	nqe_out_protect_all(out);
	for (first = 0; first < out->parcels; first = end) {
		struct nqe_socket *k = out->session[first]->socket;

		for (end = first + 1; end < out->parcels; end++)
			if (out->session[end]->socket != k)
				break;
		k->stats.tx_batches += nqe_udp_send(&k->udp, out->parcel + first, end - first);
		for (i = first; i < end; i++)
			nqe_out_sent(e, out->session[i], &out->parcel[i]);
	}
	out->parcels = 0;
	out->datagrams = 0;
	out->len = 0;
}
