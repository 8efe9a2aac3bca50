/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first look at an Initial of somebody unknown, all in one call: most come from strangers, a
 * thousand a second in a flood, and this says so of those who send a whole ClientHello. It lets in
 * nobody: of whom it does not take for a stranger, user space forms its own opinion.
 */
#ifndef NQE_INSPECT_H
#define NQE_INSPECT_H

#include "authenticator.h"
#include "hello.h"

/* Packets above that many bytes are left to user space; a browser's have 1,200 to 1,400. */
#define NQE_INSPECT_MAX 4096

/**
 * enum nqe_inspection - what an Initial is
 * @NQE_INSPECT_CLOSED: not authentic as a packet
 * @NQE_INSPECT_UNCLEAR: left to user space: the hello is in pieces, say, or libcrypto fails
 * @NQE_INSPECT_NO_SHARE: a stranger's: there is no share that an authenticator could be bound to
 * @NQE_INSPECT_BAD_TAG: a stranger's: there is no valid authenticator
 * @NQE_INSPECT_AUTHENTIC: the authenticator's tag is valid
 */
enum nqe_inspection {
	NQE_INSPECT_CLOSED,
	NQE_INSPECT_UNCLEAR,
	NQE_INSPECT_NO_SHARE,
	NQE_INSPECT_BAD_TAG,
	NQE_INSPECT_AUTHENTIC,
};

/**
 * struct nqe_inspected - what was found in a whole hello
 * @random: of the hello
 * @plaintext: of the authenticator; zeros where that is not valid
 */
struct nqe_inspected {
	u8 random[NQE_HELLO_RANDOM];
	u8 plaintext[NQE_AUTHENTICATOR_PLAINTEXT];
};

/**
 * nqe_inspect - look into the first packet of a client's first datagram
 * @o: opener
 * @dcid: its Destination Connection ID
 * @dcid_len: bytes of that
 * @packet: the packet, from its first byte on
 * @pn_offset: where its packet number is
 * @len: bytes of the packet, tag included
 * @found: untouched where CLOSED or UNCLEAR
 *
 * Return: what it is. The work is the same whether an authenticator is valid or not.
 */
enum nqe_inspection nqe_inspect(struct nqe_opener *o, const u8 *dcid, u32 dcid_len,
				const u8 *packet, u32 pn_offset, u32 len,
				struct nqe_inspected *found);

#endif
