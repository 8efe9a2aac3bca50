// SPDX-License-Identifier: GPL-2.0
/*
 * Golden vectors of packet protection: sealing makes the packet byte for byte, opening gives the payload
 * back, and what must not open does not. Vectors that need a connection's memory (duplicates, reserved
 * bits, frames) are the connection's tests; here they must open, because they are authentic.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "pn.h"
#include "protection.h"
#include "tests/tables.h"
#include "tests/vectors_generated.h"

/* Both keys of a vector, ready for use. */
struct nqd_test_keys {
	struct nqd_packet_aead aead;
	struct nqd_header_cipher hp;
};

/**
 * nqd_test_fail() - something is wrong
 * @report: where it goes
 * @vector: name of the case
 * @what: what is wrong with it
 */
void nqd_test_fail(struct nqd_test_report *report, const char *vector, const char *what)
{
	report->failures++;
	report->fail(report, vector, what);
}

static const struct nqd_suite *nqd_test_suite(u32 suite)
{
	switch (suite) {
	case NQV_AES_128_GCM:
		return nqd_suite_find(NQD_CIPHER_SUITE_AES_128_GCM_SHA256);
	case NQV_AES_256_GCM:
		return nqd_suite_find(NQD_CIPHER_SUITE_AES_256_GCM_SHA384);
	default:
		return nqd_suite_find(NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256);
	}
}

static void nqd_test_keys_clear(struct nqd_test_keys *keys)
{
	nqd_header_cipher_clear(&keys->hp);
	nqd_packet_aead_clear(&keys->aead);
}

static bool nqd_test_keys_init(struct nqd_test_keys *keys, const struct nqv_short_header *v,
			       struct nqd_test_report *report)
{
	const struct nqd_suite *suite = nqd_test_suite(v->suite);
	struct nqd_packet_key key = {};
	struct nqd_header_key hp = {};
	const char *why = "";
	int err;

	memset(keys, 0, sizeof(*keys));
	memcpy(key.key, v->key.data, v->key.len);
	memcpy(key.iv, v->iv.data, v->iv.len);
	memcpy(hp.key, v->hp.data, v->hp.len);
	err = nqd_packet_aead_init(&keys->aead, suite, &key, &why);
	if (!err)
		err = nqd_header_cipher_init(&keys->hp, suite, &hp, &why);
	if (err) {
		nqd_test_keys_clear(keys);
		nqd_test_fail(report, v->name, why);
	}
	return !err;
}

/* Opens the packet in @buf; what it says of it. */
static const char *nqd_test_open(const struct nqd_test_keys *keys, const struct nqv_short_header *v, u8 *buf,
				 enum nqd_drop_reason *reason, struct nqd_short_header *header)
{
	u64 largest = v->largest_pn == NQV_NONE_YET ? NQD_PN_NONE : v->largest_pn;
	u32 truncated;
	int err;

	header->cid_len = v->dcid.len;
	*reason = nqd_header_unprotect(&keys->hp, buf, v->packet.len, header, &truncated);
	if (*reason != NQD_DROP_NONE)
		return NULL;
	header->pn = nqd_pn_decode(largest, truncated, header->pn_len);
	if (header->pn > NQD_PN_MAX) {
		*reason = NQD_DROP_PACKET_NUMBER;
		return NULL;
	}
	err = nqd_test_crypt(&keys->aead, buf, v->packet.len, header, false);
	if (err == -EBADMSG)
		*reason = NQD_DROP_AEAD;
	else if (err)
		return "the cipher failed";
	return NULL;
}

static const char *nqd_test_open_valid(const struct nqd_test_keys *keys, const struct nqv_short_header *v,
				       u8 *buf)
{
	struct nqd_short_header header = {};
	enum nqd_drop_reason reason;
	const char *wrong;
	u32 at;

	memcpy(buf, v->packet.data, v->packet.len);
	wrong = nqd_test_open(keys, v, buf, &reason, &header);
	if (wrong)
		return wrong;
	if (reason != NQD_DROP_NONE)
		return "does not open";
	if (header.pn != v->pn || header.pn_len != v->pn_len)
		return "opens with another packet number";
	if (!!(buf[0] & 0x04) != v->key_phase || !!(buf[0] & 0x20) != v->spin)
		return "has another key phase or spin bit";
	at = nqd_short_header_len(&header);
	if (v->packet.len != at + v->payload.len + NQD_TAG_LEN ||
	    memcmp(buf + at, v->payload.data, v->payload.len))
		return "opens to another payload";
	return NULL;
}

static const char *nqd_test_seal_valid(const struct nqd_test_keys *keys, const struct nqv_short_header *v,
				       u8 *buf)
{
	const struct nqd_short_header header = {
		.pn = v->pn,
		.cid_len = v->dcid.len,
		.pn_len = v->pn_len,
	};
	u32 at = 1 + v->dcid.len;

	/* RFC 9000 section 17.3.1: fixed bit, spin, two reserved bits, key phase, packet number length. */
	buf[0] = 0x40 | v->spin << 5 | v->key_phase << 2 | (v->pn_len - 1);
	memcpy(buf + 1, v->dcid.data, v->dcid.len);
	nqd_pn_put(buf + at, v->pn, v->pn_len);
	memcpy(buf + at + v->pn_len, v->payload.data, v->payload.len);
	if (nqd_test_crypt(&keys->aead, buf, v->packet.len, &header, true))
		return "is not sealed";
	if (nqd_header_protect(&keys->hp, buf, v->packet.len, &header))
		return "its header is not protected";
	if (memcmp(buf, v->packet.data, v->packet.len))
		return "is sealed to another packet";
	return NULL;
}

static void nqd_test_each(struct nqd_test_report *report, const struct nqv_short_header *table, u32 count,
			  u32 longest,
			  const char *(*one)(const struct nqd_test_keys *keys,
					     const struct nqv_short_header *v, u8 *buf))
{
	struct nqd_test_keys keys;
	const char *wrong;
	u32 i;
	u8 *buf;

	for (i = 0; i < count; i++) {
		if (table[i].packet.len > longest)
			continue;
		report->vectors++;
		if (!nqd_test_keys_init(&keys, &table[i], report))
			continue;
		/* Exactly as long as the packet: a byte too far is seen by KASAN. */
		buf = kmalloc(max_t(u32, table[i].packet.len, 1), GFP_KERNEL);
		wrong = buf ? one(&keys, &table[i], buf) : "no memory for the packet";
		if (wrong)
			nqd_test_fail(report, table[i].name, wrong);
		kfree(buf);
		nqd_test_keys_clear(&keys);
	}
}

static void nqd_test_opens(struct nqd_test_report *report)
{
	nqd_test_each(report, nqv_short_headers, NQV_COUNT(nqv_short_headers), U32_MAX,
		      nqd_test_open_valid);
}

static void nqd_test_seals(struct nqd_test_report *report)
{
	nqd_test_each(report, nqv_short_headers, NQV_COUNT(nqv_short_headers), U32_MAX,
		      nqd_test_seal_valid);
}

/* Which reason this layer must find; NQD_DROP_NONE for what a connection finds later. */
static enum nqd_drop_reason nqd_test_expected(u32 error)
{
	switch (error) {
	case NQV_TRUNCATED:
		return NQD_DROP_TRUNCATED;
	case NQV_FIXED_BIT_CLEAR:
	case NQV_LONG_HEADER:
		return NQD_DROP_FIXED_BIT;
	case NQV_PACKET_NUMBER_OUT_OF_RANGE:
		return NQD_DROP_PACKET_NUMBER;
	case NQV_BAD_TAG:
		return NQD_DROP_AEAD;
	default:
		return NQD_DROP_NONE;
	}
}

static const char *nqd_test_invalid(const struct nqd_test_keys *keys, const struct nqv_short_header *v,
				    u8 *buf)
{
	struct nqd_short_header header = {};
	enum nqd_drop_reason reason;
	const char *wrong;

	/* The connection ID, and the Key Phase, choose the keys: not this layer's. */
	if (v->error == NQV_UNKNOWN_CONNECTION_ID || v->error == NQV_WRONG_KEY_PHASE)
		return NULL;
	memcpy(buf, v->packet.data, v->packet.len);
	wrong = nqd_test_open(keys, v, buf, &reason, &header);
	if (wrong)
		return wrong;
	if (reason != nqd_test_expected(v->error))
		return reason == NQD_DROP_NONE ? "opens" : "is dropped for another reason";
	return NULL;
}

static void nqd_test_refuses(struct nqd_test_report *report)
{
	nqd_test_each(report, nqv_short_headers_invalid, NQV_COUNT(nqv_short_headers_invalid), U32_MAX,
		      nqd_test_invalid);
}

/* Every bit of a packet flipped, one at a time: none opens. */
static const char *nqd_test_flipped(const struct nqd_test_keys *keys, const struct nqv_short_header *v,
				    u8 *buf)
{
	struct nqd_short_header header = {};
	enum nqd_drop_reason reason;
	const char *wrong;
	u32 bit;

	for (bit = 0; bit < v->packet.len * 8; bit++) {
		/* Another connection ID would not have come here, but is associated data all the same. */
		memcpy(buf, v->packet.data, v->packet.len);
		buf[bit / 8] ^= 1 << bit % 8;
		wrong = nqd_test_open(keys, v, buf, &reason, &header);
		if (wrong)
			return wrong;
		if (reason == NQD_DROP_NONE)
			return "opens with a bit flipped";
	}
	return NULL;
}

static void nqd_test_flips(struct nqd_test_report *report)
{
	nqd_test_each(report, nqv_short_headers, NQV_COUNT(nqv_short_headers), 64, nqd_test_flipped);
}

/* Keys longer than the suite's are refused: nobody means them. */
static void nqd_test_key_lengths(struct nqd_test_report *report)
{
	unsigned int i;

	for (i = 0; i < NQD_SUITES; i++) {
		const struct nqd_suite *suite = &nqd_suites[i];
		struct nqd_packet_key key = {};
		struct nqd_packet_aead aead = {};
		struct nqd_header_key hp_key = {};
		struct nqd_header_cipher hp = {};
		const char *why = NULL;

		report->vectors++;
		key.pad[0] = 1;
		if (nqd_packet_aead_init(&aead, suite, &key, &why) != -EINVAL || !why || aead.aead)
			nqd_test_fail(report, suite->aead, "takes a packet key with padding");
		if (suite->key_len == sizeof(key.key))
			continue;
		memset(&key, 0, sizeof(key));
		key.key[suite->key_len] = 1;
		hp_key.key[suite->key_len] = 1;
		if (nqd_packet_aead_init(&aead, suite, &key, &why) != -EINVAL || aead.aead)
			nqd_test_fail(report, suite->aead, "takes a packet key that is too long");
		if (nqd_header_cipher_init(&hp, suite, &hp_key, &why) != -EINVAL || hp.suite)
			nqd_test_fail(report, suite->aead, "takes a header protection key that is too long");
	}
}

const struct nqd_test nqd_tests[NQD_TESTS] = {
	{ "short_header_opens", nqd_test_opens },
	{ "short_header_seals", nqd_test_seals },
	{ "short_header_invalid", nqd_test_refuses },
	{ "short_header_bit_flips", nqd_test_flips },
	{ "key_lengths", nqd_test_key_lengths },
	{ "crypto_jobs", nqd_test_async },
	{ "queue", nqd_test_queue },
	{ "routes", nqd_test_routes },
	{ "bad_prefixes", nqd_test_bad_prefixes },
};
