// SPDX-License-Identifier: BSD-3-Clause
#include "hello.h"
#include "varint.h"

#define FRAME_PADDING 0x00 /* RFC 9000 section 19 */
#define FRAME_PING 0x01
#define FRAME_CRYPTO 0x06
#define CLIENT_HELLO 1 /* RFC 8446 section 4 */
#define HEADER_LEN 4
#define HELLO_MAX 16384 /* as MAX_LENGTH of client_hello.py */
#define EXTENSION_KEY_SHARE 51 /* RFC 8446 section 4.2 */
#define GROUP_X25519 0x001d
#define GROUP_X25519MLKEM768 0x11ec
#define HYBRID_LEN 1216 /* an ML-KEM-768 encapsulation key in front of an X25519 share */

/**
 * struct nqe_span - bytes that are left to read
 * @at: the next one
 * @left: how many there are
 */
struct nqe_span {
	const u8 *at;
	u32 left;
};

static bool nqe_span_skip(struct nqe_span *from, u32 len)
{
	if (from->left < len)
		return false;
	from->at += len;
	from->left -= len;
	return true;
}

/* A big-endian number of @width bytes. */
static bool nqe_span_number(struct nqe_span *from, u32 width, u32 *number)
{
	const u8 *at = from->at;

	if (!nqe_span_skip(from, width))
		return false;
	for (*number = 0; at < from->at; at++)
		*number = *number << 8 | *at;
	return true;
}

/* A vector behind its length in @width bytes (RFC 8446 section 3.4). */
static bool nqe_span_vector(struct nqe_span *from, u32 width, struct nqe_span *vector)
{
	u32 len;

	if (!nqe_span_number(from, width, &len))
		return false;
	*vector = (struct nqe_span){ from->at, len };
	return nqe_span_skip(from, len);
}

static bool nqe_span_varint(struct nqe_span *from, u64 *number)
{
	int len = nqd_varint_get(from->at, from->left, number);

	return len && nqe_span_skip(from, (u32)len);
}

/* The data behind a 16-bit number: an extension among extensions, a share among shares. */
static bool nqe_span_entry(struct nqe_span from, u32 wanted, struct nqe_span *data)
{
	u32 number;

	while (nqe_span_number(&from, 2, &number) && nqe_span_vector(&from, 2, data))
		if (number == wanted)
			return true;
	return false;
}

const u8 *nqe_hello_find(const u8 *payload, u32 len, u32 *hello_len)
{
	struct nqe_span rest = { payload, len };
	u64 offset, size;

	while (rest.left && (*rest.at == FRAME_PADDING || *rest.at == FRAME_PING))
		nqe_span_skip(&rest, 1);
	if (!rest.left || *rest.at != FRAME_CRYPTO)
		return NULL;
	nqe_span_skip(&rest, 1);
	if (!nqe_span_varint(&rest, &offset) || offset || !nqe_span_varint(&rest, &size))
		return NULL;
	if (size > rest.left || size > HELLO_MAX || size < NQE_HELLO_RANDOM_AT + NQE_HELLO_RANDOM)
		return NULL;
	if (get_unaligned_be32(rest.at) != (CLIENT_HELLO << 24 | (u32)(size - HEADER_LEN)))
		return NULL;
	*hello_len = (u32)size;
	return rest.at;
}

/* What stands between the random and the extensions is of no interest here. */
static bool nqe_hello_extensions(struct nqe_span rest, struct nqe_span *extensions)
{
	struct nqe_span session_id, suites, compression;
	u32 type, len;

	return nqe_span_number(&rest, 1, &type) && type == CLIENT_HELLO &&
	       nqe_span_number(&rest, 3, &len) && len == rest.left &&
	       nqe_span_skip(&rest, NQE_HELLO_RANDOM_AT - HEADER_LEN + NQE_HELLO_RANDOM) &&
	       nqe_span_vector(&rest, 1, &session_id) && nqe_span_vector(&rest, 2, &suites) &&
	       nqe_span_vector(&rest, 1, &compression) && nqe_span_vector(&rest, 2, extensions) &&
	       !rest.left;
}

const u8 *nqe_hello_share(const u8 *hello, u32 len)
{
	struct nqe_span extensions, extension, shares, share;

	if (!nqe_hello_extensions((struct nqe_span){ hello, len }, &extensions) ||
	    !nqe_span_entry(extensions, EXTENSION_KEY_SHARE, &extension) ||
	    !nqe_span_vector(&extension, 2, &shares) || extension.left)
		return NULL;
	if (nqe_span_entry(shares, GROUP_X25519, &share))
		return share.left == NQE_HELLO_SHARE ? share.at : NULL;
	if (nqe_span_entry(shares, GROUP_X25519MLKEM768, &share) && share.left == HYBRID_LEN)
		return share.at + HYBRID_LEN - NQE_HELLO_SHARE;
	return NULL;
}
