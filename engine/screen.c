// SPDX-License-Identifier: BSD-3-Clause
#include "screen.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#define LONG_HEADER 0x80 /* RFC 9000 section 17.2 */
#define FIXED_BIT 0x40
#define TYPE 0x30
#define TYPE_INITIAL 0
#define VERSION_1 1
#define VERSION_NEGOTIATION 0
/* First byte, version, and the lengths of two connection IDs (RFC 8999 section 5.1). */
#define DCID_LEN_AT 5
#define LONGEST_CID 20
/* RFC 9000 section 14.1: the smallest datagram that may carry a client's Initial. */
#define INITIAL_DATAGRAM 1200

int nqe_screen_start(struct nqe_screen *s, u8 cid_len)
{
	int err;

	if (!cid_len || cid_len > NQE_LOOKUP_KEY)
		return -EINVAL;
	if (s->on)
		return 0;
	err = nqe_lookup_init(&s->expected);
	if (err)
		return err;
	s->cid_len = cid_len;
	s->on = true;
	return 0;
}

void nqe_screen_free(struct nqe_screen *s)
{
	nqe_lookup_free(&s->expected);
	s->on = false;
}

int nqe_screen_expect(struct nqe_screen *s, const u8 *cid, u32 len)
{
	struct nqe_lookup_key key;

	if (!s->on || len != s->cid_len)
		return -EINVAL;
	key = nqe_lookup_cid(0, cid, s->cid_len);
	return nqe_lookup_add(&s->expected, &key, s);
}

void nqe_screen_forget(struct nqe_screen *s, const u8 *cid, u32 len)
{
	struct nqe_lookup_key key;

	if (!s->on || len != s->cid_len)
		return;
	key = nqe_lookup_cid(0, cid, s->cid_len);
	nqe_lookup_remove(&s->expected, &key);
}

static bool nqe_screen_expected(const struct nqe_screen *s, const u8 *cid)
{
	struct nqe_lookup_key key = nqe_lookup_cid(0, cid, s->cid_len);

	return nqe_lookup_get(&s->expected, &key);
}

static enum nqe_screen_verdict nqe_screen_long(const struct nqe_screen *s, const u8 *data, u32 len)
{
	u32 dcid_len, scid_at, version;

	if (len <= DCID_LEN_AT)
		return NQE_SCREEN_MALFORMED;
	dcid_len = data[DCID_LEN_AT];
	scid_at = DCID_LEN_AT + 1 + dcid_len;
	if (scid_at >= len || scid_at + 1 + data[scid_at] > len)
		return NQE_SCREEN_MALFORMED;
	if (dcid_len == s->cid_len && nqe_screen_expected(s, data + DCID_LEN_AT + 1))
		return NQE_SCREEN_ADMIT;
	version = get_unaligned_be32(data + 1);
	if (version != VERSION_1)
		/* RFC 9000 section 6.1: only what could begin a connection is told which there are. */
		return version != VERSION_NEGOTIATION && len >= INITIAL_DATAGRAM ?
			       NQE_SCREEN_ADMIT :
			       NQE_SCREEN_UNSUPPORTED_VERSION;
	/* RFC 9000 section 17.2 */
	if (!(data[0] & FIXED_BIT) || dcid_len > LONGEST_CID || data[scid_at] > LONGEST_CID)
		return NQE_SCREEN_MALFORMED;
	if ((data[0] & TYPE) != TYPE_INITIAL)
		return NQE_SCREEN_UNKNOWN_CONNECTION;
	return len >= INITIAL_DATAGRAM ? NQE_SCREEN_ADMIT : NQE_SCREEN_INITIAL_TOO_SMALL;
}

enum nqe_screen_verdict nqe_screen_judge(const struct nqe_screen *s, const u8 *data, u32 len)
{
	if (!s->on)
		return NQE_SCREEN_ADMIT;
	if (len && (data[0] & LONG_HEADER))
		return nqe_screen_long(s, data, len);
	return len > s->cid_len && nqe_screen_expected(s, data + 1) ?
		       NQE_SCREEN_ADMIT :
		       NQE_SCREEN_UNKNOWN_CONNECTION;
}
