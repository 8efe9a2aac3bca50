// SPDX-License-Identifier: BSD-3-Clause
#include "inspect.h"
#include "crypto.h"
#include "initial.h"

#include <linux/errno.h>
#include <linux/string.h>

static enum nqe_inspection nqe_inspect_hello(struct nqe_opener *o, const u8 *hello, u32 len,
					     struct nqe_inspected *found)
{
	u8 server_key[NQE_AUTHENTICATOR_KEY];
	int err;

	memcpy(found->random, hello + NQE_HELLO_RANDOM_AT, NQE_HELLO_RANDOM);
	err = nqe_authenticator_open(o, hello, len, found->plaintext, server_key);
	/* Whoever is let in, user space derives it once more. */
	nqe_crypto_wipe(server_key, sizeof(server_key));
	switch (err) {
	case 0:
		return NQE_INSPECT_AUTHENTIC;
	case -ENOKEY:
		return NQE_INSPECT_NO_SHARE;
	case -EBADMSG:
		return NQE_INSPECT_BAD_TAG;
	default:
		return NQE_INSPECT_UNCLEAR;
	}
}

enum nqe_inspection nqe_inspect(struct nqe_opener *o, const u8 *dcid, u32 dcid_len,
				const u8 *packet, u32 pn_offset, u32 len,
				struct nqe_inspected *found)
{
	u8 work[NQE_INSPECT_MAX];
	const u8 *hello;
	u32 hello_len;
	int header;
	u64 pn;

	if (len > sizeof(work))
		return NQE_INSPECT_UNCLEAR;
	memcpy(work, packet, len);
	header = nqe_initial_open(nqe_opener_hmac(o), dcid, dcid_len, true, work, pn_offset, len,
				  &pn);
	if (header < 0)
		return header == -EBADMSG ? NQE_INSPECT_CLOSED : NQE_INSPECT_UNCLEAR;
	hello = nqe_hello_find(work + header, len - NQE_CRYPTO_TAG - (u32)header, &hello_len);
	return hello ? nqe_inspect_hello(o, hello, hello_len, found) : NQE_INSPECT_UNCLEAR;
}
