// SPDX-License-Identifier: GPL-2.0
/*
 * crypto_job.c with a cipher that completes at once, before the call returns, later, and after all jobs are
 * taken: every vector of its suite, both ways, comes out the same.
 */
#include <linux/completion.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "crypto_job.h"
#include "pn.h"
#include "tests/async_aead.h"
#include "tests/tables.h"
#include "tests/vectors_generated.h"

static const struct nqd_suite nqd_test_async_suite = {
	NQD_CIPHER_SUITE_AES_128_GCM_SHA256, 16, NQD_ASYNC_AEAD, false,
};

/* A packet and who waits for it. */
struct nqd_test_packet {
	struct nqd_crypto_op op;
	struct completion done;
	int err;
	bool held;
};

static void nqd_test_hold(struct nqd_crypto_op *op)
{
	struct nqd_test_packet *packet = (struct nqd_test_packet *)op->session;

	packet->held = true;
}

static void nqd_test_done(struct nqd_crypto_op *op, int err)
{
	struct nqd_test_packet *packet = (struct nqd_test_packet *)op->session;

	packet->err = err;
	complete(&packet->done);
}

static int nqd_test_start(struct nqd_test_packet *packet, const struct nqd_packet_aead *key, u8 *datagram,
			  u32 len, const struct nqd_short_header *header, bool seal)
{
	int err;

	packet->held = false;
	packet->op = (struct nqd_crypto_op){
		.key = key,
		.datagram = datagram,
		.len = len,
		.header = *header,
		.hold = nqd_test_hold,
		.done = nqd_test_done,
		/* Opaque to what is tested. */
		.session = (struct nqd_session *)packet,
	};
	init_completion(&packet->done);
	local_bh_disable();
	err = seal ? nqd_crypto_seal(&packet->op) : nqd_crypto_open(&packet->op);
	local_bh_enable();
	return err;
}

/**
 * nqd_test_crypt() - seal or open a packet, and wait for it
 * @key: key
 * @datagram: packet
 * @len: its bytes
 * @header: its header
 * @seal: seal, else open
 *
 * Return: as nqd_crypto_seal() and nqd_crypto_open(), without -EINPROGRESS.
 */
int nqd_test_crypt(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
		   const struct nqd_short_header *header, bool seal)
{
	struct nqd_test_packet packet;
	int err = nqd_test_start(&packet, key, datagram, len, header, seal);

	if (err != -EINPROGRESS)
		return packet.held ? -EPROTO : err;
	nqd_async_complete();
	wait_for_completion(&packet.done);
	return packet.held ? packet.err : -EPROTO;
}

static bool nqd_test_key(struct nqd_packet_aead *aead, const struct nqv_short_header *v, const char **why)
{
	struct nqd_packet_key key = {};

	memcpy(key.key, v->key.data, v->key.len);
	memcpy(key.iv, v->iv.data, v->iv.len);
	return !nqd_packet_aead_init(aead, &nqd_test_async_suite, &key, why);
}

/* Both ways; @plain has room for the packet, and so does @buf. */
static const char *nqd_test_both_ways(const struct nqd_packet_aead *key, const struct nqv_short_header *v,
				      u8 *plain, u8 *buf)
{
	const struct nqd_short_header header = { .pn = v->pn, .cid_len = v->dcid.len, .pn_len = v->pn_len };
	u32 at = 1 + v->dcid.len, len = v->packet.len;

	plain[0] = 0x40 | v->spin << 5 | v->key_phase << 2 | (v->pn_len - 1);
	memcpy(plain + 1, v->dcid.data, v->dcid.len);
	nqd_pn_put(plain + at, v->pn, v->pn_len);
	at += v->pn_len;
	memcpy(plain + at, v->payload.data, v->payload.len);
	memcpy(buf, plain, len - NQD_TAG_LEN);
	if (nqd_test_crypt(key, buf, len, &header, true))
		return "is not sealed";
	if (memcmp(buf + at, v->packet.data + at, len - at))
		return "is sealed to another packet";
	if (nqd_test_crypt(key, buf, len, &header, false))
		return "does not open";
	if (memcmp(buf, plain, len - NQD_TAG_LEN))
		return "opens to another packet";
	if (nqd_test_crypt(key, buf, len, &header, true))
		return "is not sealed again";
	buf[len - 1] ^= 1;
	return nqd_test_crypt(key, buf, len, &header, false) == -EBADMSG ? NULL : "opens when it is forged";
}

static void nqd_test_async_vector(struct nqd_test_report *report, const struct nqv_short_header *v)
{
	u8 *plain = kmalloc(v->packet.len, GFP_KERNEL), *buf = kmalloc(v->packet.len, GFP_KERNEL);
	const char *wrong = "no memory for the packet";
	struct nqd_packet_aead key = {};

	if (plain && buf && nqd_test_key(&key, v, &wrong)) {
		wrong = key.asynchronous ? nqd_test_both_ways(&key, v, plain, buf) :
					   "the cipher is not taken for an asynchronous one";
		nqd_packet_aead_clear(&key);
	}
	if (wrong)
		nqd_test_fail(report, v->name, wrong);
	kfree(plain);
	kfree(buf);
}

/* As many packets as there are jobs, then one more: that is refused, and the others come out right. */
static void nqd_test_async_pool(struct nqd_test_report *report, const struct nqv_short_header *v)
{
	const struct nqd_short_header header = { .pn = v->pn, .cid_len = v->dcid.len, .pn_len = v->pn_len };
	u32 jobs = 0, most = 2048, i, len = v->packet.len, at = 1 + v->dcid.len + v->pn_len;
	struct nqd_test_packet *packet = kvcalloc(most, sizeof(*packet), GFP_KERNEL);
	u8 *bytes = kvcalloc(most, len, GFP_KERNEL);
	const char *wrong = "no memory for the packets";
	struct nqd_packet_aead key = {};

	report->vectors++;
	if (!packet || !bytes || !nqd_test_key(&key, v, &wrong))
		goto out;
	wrong = NULL;
	nqd_async_set(NQD_ASYNC_BY_HAND);
	/* All on one CPU: the jobs of the others stay theirs. */
	migrate_disable();
	for (; jobs < most; jobs++)
		if (nqd_test_start(&packet[jobs], &key, bytes + jobs * len, len, &header, true) !=
		    -EINPROGRESS)
			break;
	if (jobs < 2 || jobs == most ||
	    nqd_test_start(&packet[jobs], &key, bytes + jobs * len, len, &header, true) != -ENOBUFS)
		wrong = "the pool does not end where it should";
	nqd_async_complete();
	for (i = 0; i < jobs; i++) {
		wait_for_completion(&packet[i].done);
		if (packet[i].err || memcmp(bytes + i * len + at, bytes + at, len - at))
			wrong = "a packet that was held comes out wrong";
	}
	nqd_async_set(NQD_ASYNC_AT_ONCE);
	if (!wrong && nqd_test_crypt(&key, bytes, len, &header, false))
		wrong = "does not open after the pool was empty";
	migrate_enable();
	nqd_packet_aead_clear(&key);
out:
	if (wrong)
		nqd_test_fail(report, v->name, wrong);
	kvfree(bytes);
	kvfree(packet);
}

/**
 * nqd_test_async() - asynchronous completion
 * @report: where failures go
 */
void nqd_test_async(struct nqd_test_report *report)
{
	const struct nqv_short_header *v, *last = NULL;
	enum nqd_async_mode mode;
	u32 i;

	if (nqd_async_register()) {
		nqd_test_fail(report, NQD_ASYNC_AEAD, "is not registered");
		return;
	}
	for (mode = NQD_ASYNC_AT_ONCE; mode < NQD_ASYNC_MODES; mode++) {
		nqd_async_set(mode);
		for (i = 0; i < NQV_COUNT(nqv_short_headers); i++) {
			v = &nqv_short_headers[i];
			if (v->suite != NQV_AES_128_GCM)
				continue;
			report->vectors++;
			nqd_test_async_vector(report, v);
			last = v;
		}
	}
	if (last)
		nqd_test_async_pool(report, last);
	nqd_async_unregister();
}
