/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UDP socket that user space handed over: batches in (recvmmsg, UDP_GRO), batches out
 * (UDP_SEGMENT), with ECN and local address of every datagram. What the kernel lacks is done packet
 * by packet.
 */
#ifndef NQE_UDP_H
#define NQE_UDP_H

#include <linux/types.h>
#include <sys/socket.h>

/*
 * Datagrams that one UDP_SEGMENT call may carry (UDP_MAX_SEGMENTS before Linux 6.9), and their
 * bytes.
 */
#define NQE_UDP_MAX_SEGMENTS 64
#define NQE_UDP_MAX_SEND 65000
/* Room of all receive buffers together. */
#define NQE_UDP_BATCH_BYTES (1 << 20)
#define NQE_UDP_BATCH_MESSAGES 64

enum nqe_udp_offload {
	NQE_UDP_GSO = 1,
	NQE_UDP_GRO = 2,
};

/**
 * struct nqe_address - an IP address and port, the same for an IPv4 address however the socket saw
 * it
 * @family: 4, 6, or 0 for none
 * @port: host byte order
 * @scope: interface of a link-local IPv6 address, else 0
 * @ip: 4 or 16 bytes, the rest zero
 */
struct nqe_address {
	u8 family;
	u16 port;
	u32 scope;
	u8 ip[16];
};

/**
 * struct nqe_udp - a socket
 * @fd: owned
 * @family: AF_INET or AF_INET6
 * @offloads: enum nqe_udp_offload, those that failed taken out
 * @port: local port
 * @gso_refused: times a batch had to be sent packet by packet
 */
struct nqe_udp {
	int fd;
	int family;
	u32 offloads;
	u16 port;
	u64 gso_refused;
};

/**
 * struct nqe_udp_message - datagrams that arrived from one peer back to back
 * @data: the bytes
 * @len: all of them
 * @segment: bytes of each datagram; the last may be shorter
 * @ecn: enum nqd_ecn of their IP headers
 * @remote: where they came from
 * @local: where they were sent to; family 0 where the kernel did not say
 */
struct nqe_udp_message {
	u8 *data;
	u32 len;
	u32 segment;
	u8 ecn;
	struct nqe_address remote;
	struct nqe_address local;
};

/**
 * struct nqe_udp_batch - receive buffers, shared by all sockets of an engine
 * @memory: NQE_UDP_BATCH_BYTES
 * @message: what the last nqe_udp_receive() got
 */
struct nqe_udp_batch {
	u8 *memory;
	struct nqe_udp_message message[NQE_UDP_BATCH_MESSAGES];
};

int nqe_udp_batch_init(struct nqe_udp_batch *b);
void nqe_udp_batch_free(struct nqe_udp_batch *b);

/**
 * nqe_udp_open - prepare a bound socket
 * @u: result
 * @fd: UDP socket, IPv4 or IPv6, bound; owned from now on if that succeeds
 * @offloads: enum nqe_udp_offload that may be used
 *
 * Return: 0; -EINVAL: not bound; -EPROTOTYPE: not UDP over IP; or another negative errno.
 */
int nqe_udp_open(struct nqe_udp *u, int fd, u32 offloads);

/* Gives the socket back as it was for its other users, and closes the descriptor. */
void nqe_udp_close(struct nqe_udp *u);

/**
 * nqe_udp_receive - take what is there, without waiting
 * @u: socket
 * @b: buffers; what they held is gone
 *
 * Return: number of messages, 0: none, or a negative errno.
 */
int nqe_udp_receive(struct nqe_udp *u, struct nqe_udp_batch *b);

/**
 * struct nqe_udp_header - what datagrams of one call have in common
 * @remote: peer
 * @local: source address; family 0 leaves it to routing
 * @mark: SO_MARK; 0: that of the socket
 * @tos: DSCP and ECN of the IP header; 0: those of the socket
 */
struct nqe_udp_header {
	struct nqe_address remote;
	struct nqe_address local;
	u32 mark;
	u8 tos;
};

/**
 * nqe_udp_send - send datagrams to one peer
 * @u: socket
 * @to: where to, and how
 * @data: the datagrams, back to back
 * @len: bytes of all, at most NQE_UDP_MAX_SEND
 * @segment: bytes of each; the last may be shorter; at most NQE_UDP_MAX_SEGMENTS of them
 * @sent: datagrams that the kernel took
 *
 * Return: 0, or the negative errno that stopped it; -EAGAIN: the socket's buffer is full;
 * -EMSGSIZE: a datagram is larger than the interface's MTU.
 */
int nqe_udp_send(struct nqe_udp *u, const struct nqe_udp_header *to, const u8 *data, u32 len,
		 u32 segment, u32 *sent);

/* Same address and port. */
bool nqe_address_equal(const struct nqe_address *a, const struct nqe_address *b);

#endif
