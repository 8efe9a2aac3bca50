// SPDX-License-Identifier: BSD-3-Clause
#include "initial.h"
#include "crypto.h"

#include <linux/errno.h>
#include <linux/string.h>

#define NQE_INITIAL_SAMPLE_OFFSET 4 /* from the packet number on (RFC 9001 section 5.4.2) */
#define NQE_INITIAL_LONG_BITS 0x0f /* of the first byte, protected (RFC 9001 section 5.4.1) */

/* RFC 9001 section 5.2 */
static const u8 nqe_initial_salt[] = { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
				       0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a };

/* HKDF-Expand-Label (RFC 8446 section 7.1); @out has room for a whole hash. */
static int nqe_initial_expand(struct nqe_hmac *hmac, const u8 *secret, const char *label, u32 len,
			      u8 *out)
{
	u8 info[NQE_CRYPTO_INFO];
	u32 info_len = nqe_crypto_info(label, len, info);

	return nqe_hmac(hmac, secret, NQE_HMAC_LEN, info, info_len, out);
}

static int nqe_initial_keys(struct nqe_hmac *hmac, struct nqe_crypto *crypto, const u8 *dcid,
			    u32 dcid_len, bool from_client)
{
	const u32 suite = NQD_CIPHER_SUITE_AES_128_GCM_SHA256, len = nqe_crypto_key_len(suite);
	u8 initial[NQE_HMAC_LEN], secret[NQE_HMAC_LEN];
	u8 key[NQE_HMAC_LEN], iv[NQE_HMAC_LEN], hp[NQE_HMAC_LEN];
	int err;

	/* Everybody can have these keys: nothing is wiped. */
	err = nqe_hmac(hmac, nqe_initial_salt, sizeof(nqe_initial_salt), dcid, dcid_len, initial);
	if (!err)
		err = nqe_initial_expand(hmac, initial, from_client ? "client in" : "server in",
					 NQE_HMAC_LEN, secret);
	if (!err)
		err = nqe_initial_expand(hmac, secret, "quic key", len, key);
	if (!err)
		err = nqe_initial_expand(hmac, secret, "quic iv", NQE_CRYPTO_IV, iv);
	if (!err)
		err = nqe_initial_expand(hmac, secret, "quic hp", len, hp);
	if (!err)
		err = nqe_crypto_init(crypto, suite, false, hp, len);
	if (!err)
		err = nqe_crypto_install(crypto, 0, key, len, iv);
	return err;
}

static int nqe_initial_unprotect(struct nqe_crypto *crypto, u8 *packet, u32 pn_offset, u32 len,
				 u64 *pn)
{
	u8 sample[NQE_CRYPTO_SAMPLE], mask[NQE_CRYPTO_SAMPLE];
	u32 at = pn_offset + NQE_INITIAL_SAMPLE_OFFSET, pn_len, i;

	if (len < at + NQE_CRYPTO_SAMPLE)
		return -EBADMSG;
	memcpy(sample, packet + at, sizeof(sample));
	if (nqe_crypto_masks(crypto, sample, mask, 1))
		return -EIO;
	packet[0] ^= mask[0] & NQE_INITIAL_LONG_BITS;
	pn_len = (packet[0] & 3) + 1;
	*pn = 0;
	for (i = 0; i < pn_len; i++) {
		packet[pn_offset + i] ^= mask[1 + i];
		*pn = *pn << 8 | packet[pn_offset + i];
	}
	return (int)(pn_offset + pn_len);
}

int nqe_initial_open(struct nqe_hmac *hmac, const u8 *dcid, u32 dcid_len, bool from_client,
		     u8 *packet, u32 pn_offset, u32 len, u64 *pn)
{
	struct nqe_crypto crypto = { 0 };
	int err, header = 0;

	err = nqe_initial_keys(hmac, &crypto, dcid, dcid_len, from_client);
	if (!err)
		header = nqe_initial_unprotect(&crypto, packet, pn_offset, len, pn);
	if (header > 0)
		err = nqe_crypto_open(&crypto, 0, *pn, packet, (u32)header, len);
	nqe_crypto_free(&crypto);
	if (err)
		return err;
	return header;
}
