/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Initial packets, which everyone on the path can open (RFC 9001 section 5.2): a server in mode
 * reality looks into those of strangers, and there may be a thousand of them a second.
 */
#ifndef NQE_INITIAL_H
#define NQE_INITIAL_H

#include "hmac.h"

/**
 * nqe_initial_open - open an Initial packet of QUIC v1 in place
 * @hmac: derives the keys
 * @dcid: Destination Connection ID of the client's first Initial: whoever saw it has the keys
 * @dcid_len: its bytes
 * @from_client: whose packet it is
 * @packet: the packet, from its first byte on
 * @pn_offset: where its packet number is
 * @len: bytes of the packet, tag included
 * @pn: packet number out, as it stands there: an early one needs no more
 *
 * Return: bytes of the header; the payload is what follows but for the tag at its end. -EBADMSG: not
 * authentic, or too short to be; -EIO or -ENOMEM where libcrypto fails.
 */
int nqe_initial_open(struct nqe_hmac *hmac, const u8 *dcid, u32 dcid_len, bool from_client,
		     u8 *packet, u32 pn_offset, u32 len, u64 *pn);

#endif
