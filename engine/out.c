// SPDX-License-Identifier: BSD-3-Clause
/*
 * The last step out: headers, sealing in place, header protection for a batch at a time, one call
 * to the kernel for many datagrams. All of one call are of one session and equal in size, but for a
 * shorter last.
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

/*
 * Room for a datagram of @size bytes behind those that wait, which leave first where it does not
 * fit.
 */
u8 *nqe_out_reserve(struct nqe_engine *e, struct nqe_session *s, u32 size, u8 tos)
{
	struct nqe_out *out = &e->out;

	if (out->count &&
	    (out->session != s || out->tos != tos || out->closed || size > out->segment ||
	     out->count == NQE_UDP_MAX_SEGMENTS || out->len + size > NQE_UDP_MAX_SEND))
		nqe_out_flush(e);
	if (!out->count) {
		out->session = s;
		out->tos = tos;
		out->segment = size;
	}
	return out->data + out->len;
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
	struct nqe_session *s = out->session;
	u64 pn = plan->pn + index;

	if (nqe_crypto_seal(&s->tx, plan->generation, pn, packet, nqe_out_pn_at(s) + plan->pn_len,
			    plan->size - NQE_CRYPTO_TAG)) {
		nqd_conn_tx_failed(&s->conn, e->now, pn);
		s->stats.drops[NQD_DROP_AEAD_SEAL]++;
		return false;
	}
	out->pn_len[out->count++] = plan->pn_len;
	out->len += plan->size;
	out->closed = plan->size < out->segment;
	return true;
}

static int nqe_out_protect(struct nqe_out *out)
{
	u8 masks[NQE_UDP_MAX_SEGMENTS * NQE_CRYPTO_SAMPLE];
	u32 at = nqe_out_pn_at(out->session), i, k;

	/* RFC 9001 section 5.4.2: as if the packet number had four bytes. */
	for (i = 0; i < out->count; i++)
		memcpy(masks + i * NQE_CRYPTO_SAMPLE, out->data + i * out->segment + at + 4,
		       NQE_CRYPTO_SAMPLE);
	if (nqe_crypto_masks(&out->session->tx, masks, masks, out->count))
		return -EIO;
	for (i = 0; i < out->count; i++) {
		u8 *packet = out->data + i * out->segment;
		const u8 *mask = masks + i * NQE_CRYPTO_SAMPLE;

		packet[0] ^= mask[0] & 0x1f;
		for (k = 0; k < out->pn_len[i]; k++)
			packet[at + k] ^= mask[1 + k];
	}
	return 0;
}

void nqe_out_flush(struct nqe_engine *e)
{
	struct nqe_out *out = &e->out;
	struct nqe_session *s = out->session;
	u32 sent = 0;
	int err;

	if (!out->count)
		return;
	if (nqe_out_protect(out)) {
		s->stats.drops[NQD_DROP_HEADER_PROTECTION] += out->count;
	} else {
		const struct nqe_udp_header header = {
			.remote = s->config.remote,
			.local = s->config.local,
			.mark = s->config.policy.mark,
			.tos = out->tos,
		};

		err = nqe_udp_send(&s->socket->udp, &header, out->data, out->len, out->segment,
				   &sent);
		s->socket->stats.tx_datagrams += sent;
		s->socket->stats.tx_batches++;
		if (out->count > 1) {
			s->stats.gso_batches++;
			s->stats.gso_datagrams += out->count;
		}
		/* To recovery they are as lost as any packet. */
		s->stats.drops[NQD_DROP_UDP_SEND] += out->count - sent;
		/*
		 * Larger than the interface's MTU. Of a probe that was to be learnt; for what is
		 * taken to fit, fall back to what every path carries and search again (RFC 9000
		 * section 14.2).
		 */
		if (err == -EMSGSIZE && out->segment <= s->conn.pmtu.current_size)
			nqd_conn_mtu_reported(&s->conn, e->now, NQD_MIN_DATAGRAM_SIZE);
	}
	out->count = 0;
	out->len = 0;
	out->closed = false;
	out->session = NULL;
}
