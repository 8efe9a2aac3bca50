// SPDX-License-Identifier: BSD-3-Clause
#include "udp.h"

#include <errno.h>
#include <linux/kernel.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

#define SOCKET_BUFFER (8 << 20)
#define ECN_MASK 3
/* Packet info of any family, and beside it traffic class, segment size and mark. */
#define CONTROL_ROOM (CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int)))

union nqe_udp_control {
	struct cmsghdr aligned;
	u8 room[CONTROL_ROOM];
};

union nqe_udp_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

bool nqe_address_equal(const struct nqe_address *a, const struct nqe_address *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	       !memcmp(a->ip, b->ip, sizeof(a->ip));
}

/* RFC 4291 section 2.5.5.2: an IPv6 socket sees IPv4 peers as ::ffff:a.b.c.d. */
static void nqe_udp_from_in6(const struct in6_addr *in, struct nqe_address *out)
{
	if (IN6_IS_ADDR_V4MAPPED(in)) {
		out->family = 4;
		memcpy(out->ip, in->s6_addr + 12, 4);
	} else {
		out->family = 6;
		memcpy(out->ip, in->s6_addr, 16);
	}
}

static void nqe_udp_from_sockaddr(const union nqe_udp_sockaddr *in, struct nqe_address *out)
{
	memset(out, 0, sizeof(*out));
	if (in->any.sa_family == AF_INET) {
		out->family = 4;
		out->port = ntohs(in->v4.sin_port);
		memcpy(out->ip, &in->v4.sin_addr, 4);
	} else if (in->any.sa_family == AF_INET6) {
		nqe_udp_from_in6(&in->v6.sin6_addr, out);
		out->port = ntohs(in->v6.sin6_port);
		out->scope = in->v6.sin6_scope_id;
	}
}

static void nqe_udp_to_in6(const struct nqe_address *in, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (in->family == 6) {
		memcpy(out->s6_addr, in->ip, 16);
	} else {
		memset(out->s6_addr + 10, 0xff, 2);
		memcpy(out->s6_addr + 12, in->ip, 4);
	}
}

/* Returns the length, 0 where the socket cannot reach such an address. */
static socklen_t nqe_udp_to_sockaddr(const struct nqe_udp *u, const struct nqe_address *in,
				     union nqe_udp_sockaddr *out)
{
	memset(out, 0, sizeof(*out));
	if (u->family == AF_INET6 && in->family) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(in->port);
		out->v6.sin6_scope_id = in->scope;
		nqe_udp_to_in6(in, &out->v6.sin6_addr);
		return sizeof(out->v6);
	}
	if (u->family == AF_INET && in->family == 4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(in->port);
		memcpy(&out->v4.sin_addr, in->ip, 4);
		return sizeof(out->v4);
	}
	return 0;
}

int nqe_udp_batch_init(struct nqe_udp_batch *b)
{
	memset(b, 0, sizeof(*b));
	b->memory = malloc(NQE_UDP_BATCH_BYTES);
	return b->memory ? 0 : -ENOMEM;
}

void nqe_udp_batch_free(struct nqe_udp_batch *b)
{
	free(b->memory);
	b->memory = NULL;
}

static int nqe_udp_option(const struct nqe_udp *u, int level, int name, int value)
{
	return setsockopt(u->fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Large socket buffers; beyond the system's limit only with CAP_NET_ADMIN. */
static void nqe_udp_buffers(const struct nqe_udp *u)
{
	if (nqe_udp_option(u, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER))
		nqe_udp_option(u, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	if (nqe_udp_option(u, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER))
		nqe_udp_option(u, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
}

int nqe_udp_open(struct nqe_udp *u, int fd, u32 offloads)
{
	union nqe_udp_sockaddr name;
	struct nqe_address local;
	socklen_t len = sizeof(name);
	int type, err;

	memset(u, 0, sizeof(*u));
	u->fd = fd;
	if (getsockname(fd, &name.any, &len))
		return -errno;
	len = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	u->family = name.any.sa_family;
	if (type != SOCK_DGRAM || (u->family != AF_INET && u->family != AF_INET6))
		return -EPROTOTYPE;
	nqe_udp_from_sockaddr(&name, &local);
	u->port = local.port;
	if (!u->port)
		return -EINVAL;
	/*
	 * RFC 9000 section 14: never fragmented. PROBE sets DF and leaves the size to the MTU
	 * search. An IPv6 socket gets IPv4's options too, for mapped peers; where it is IPv6 only
	 * they are refused, harmlessly.
	 */
	if (u->family == AF_INET6) {
		err = nqe_udp_option(u, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
		if (!err)
			err = nqe_udp_option(u, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		if (!err)
			err = nqe_udp_option(u, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		if (err)
			return err;
	}
	err = nqe_udp_option(u, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (!err)
		err = nqe_udp_option(u, IPPROTO_IP, IP_RECVTOS, 1);
	if (!err && u->family == AF_INET)
		err = nqe_udp_option(u, IPPROTO_IP, IP_PKTINFO, 1);
	if (err && u->family == AF_INET)
		return err;
	nqe_udp_buffers(u);
	if ((offloads & NQE_UDP_GRO) && !nqe_udp_option(u, IPPROTO_UDP, UDP_GRO, 1))
		u->offloads |= NQE_UDP_GRO;
	/* Segment size 0 asks for nothing, but tells whether the option is known. */
	if ((offloads & NQE_UDP_GSO) && !nqe_udp_option(u, IPPROTO_UDP, UDP_SEGMENT, 0))
		u->offloads |= NQE_UDP_GSO;
	return 0;
}

void nqe_udp_close(struct nqe_udp *u)
{
	/* Other descriptors of this socket do not expect several datagrams in one. */
	if (u->offloads & NQE_UDP_GRO)
		nqe_udp_option(u, IPPROTO_UDP, UDP_GRO, 0);
	close(u->fd);
	u->fd = -1;
}

static void nqe_udp_parse_control(struct msghdr *header, struct nqe_udp_message *m, u16 port)
{
	struct cmsghdr *c;
	int value;

	for (c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			if (value > 0)
				m->segment = (u32)value;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			m->ecn = *CMSG_DATA(c) & ECN_MASK;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			m->ecn = (u8)(value & ECN_MASK);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			m->local.family = 4;
			m->local.port = port;
			memcpy(m->local.ip, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			nqe_udp_from_in6(&info.ipi6_addr, &m->local);
			m->local.port = port;
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				m->local.scope = info.ipi6_ifindex;
		}
	}
}

int nqe_udp_receive(struct nqe_udp *u, struct nqe_udp_batch *b)
{
	/* A GRO super-packet needs a large buffer each; single datagrams need many. */
	u32 count = u->offloads & NQE_UDP_GRO ? NQE_UDP_BATCH_BYTES >> 16 : NQE_UDP_BATCH_MESSAGES;
	u32 room = NQE_UDP_BATCH_BYTES / count;
	struct mmsghdr header[NQE_UDP_BATCH_MESSAGES];
	union nqe_udp_sockaddr name[NQE_UDP_BATCH_MESSAGES];
	struct iovec iov[NQE_UDP_BATCH_MESSAGES];
	union nqe_udp_control control[NQE_UDP_BATCH_MESSAGES];
	int n, i, made = 0;
	u32 k;

	for (k = 0; k < count; k++) {
		iov[k] = (struct iovec){ b->memory + (size_t)k * room, room };
		header[k].msg_hdr = (struct msghdr){
			.msg_name = &name[k],
			.msg_namelen = sizeof(name[k]),
			.msg_iov = &iov[k],
			.msg_iovlen = 1,
			.msg_control = &control[k],
			.msg_controllen = CONTROL_ROOM,
		};
	}
	n = recvmmsg(u->fd, header, count, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		struct nqe_udp_message *m = &b->message[made];

		/* Nothing that QUIC sends is empty or larger than a buffer. */
		if (!header[i].msg_len || (header[i].msg_hdr.msg_flags & MSG_TRUNC))
			continue;
		*m = (struct nqe_udp_message){
			.data = iov[i].iov_base,
			.len = header[i].msg_len,
			.segment = header[i].msg_len,
		};
		nqe_udp_from_sockaddr(&name[i], &m->remote);
		nqe_udp_parse_control(&header[i].msg_hdr, m, u->port);
		made++;
	}
	return made;
}

static struct cmsghdr *nqe_udp_put_control(struct msghdr *header, int level, int type,
					   const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((u8 *)header->msg_control + header->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	header->msg_controllen += CMSG_SPACE(len);
	return c;
}

static void nqe_udp_build_control(const struct nqe_udp *u, struct msghdr *header,
				  const struct nqe_udp_header *to)
{
	const struct nqe_address *local = &to->local;
	int value = to->tos;

	/*
	 * To an IPv4 peer an IPv6 socket sends IPv4 packets: their TOS, but still an IPv6 packet
	 * info.
	 */
	if (value && to->remote.family == 4)
		nqe_udp_put_control(header, IPPROTO_IP, IP_TOS, &value, sizeof(value));
	else if (value)
		nqe_udp_put_control(header, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value));
	if (to->mark)
		nqe_udp_put_control(header, SOL_SOCKET, SO_MARK, &to->mark, sizeof(to->mark));
	if (!local->family)
		return;
	if (u->family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		nqe_udp_put_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = local->scope };

		nqe_udp_to_in6(local, &info.ipi6_addr);
		nqe_udp_put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

/* One datagram at a time, as many as the kernel takes in a call. */
static int nqe_udp_send_each(const struct nqe_udp *u, const struct msghdr *common, u8 *data,
			     u32 len, u32 segment, u32 *sent)
{
	struct mmsghdr header[NQE_UDP_MAX_SEGMENTS] = { 0 };
	struct iovec iov[NQE_UDP_MAX_SEGMENTS];
	u32 count = 0, offset;
	int n;

	for (offset = 0; offset < len && count < NQE_UDP_MAX_SEGMENTS; offset += segment, count++) {
		iov[count] = (struct iovec){ data + offset,
					     len - offset < segment ? len - offset : segment };
		header[count].msg_hdr = *common;
		header[count].msg_hdr.msg_iov = &iov[count];
		header[count].msg_hdr.msg_iovlen = 1;
	}
	while (*sent < count) {
		n = sendmmsg(u->fd, header + *sent, count - *sent, MSG_DONTWAIT);
		if (n < 0)
			return -errno;
		*sent += (u32)n;
	}
	return 0;
}

int nqe_udp_send(struct nqe_udp *u, const struct nqe_udp_header *to, const u8 *data, u32 len,
		 u32 segment, u32 *sent)
{
	union nqe_udp_control control = { 0 };
	struct msghdr header = { .msg_control = &control };
	struct iovec iov = { (void *)data, len };
	u32 count = (len + segment - 1) / segment;
	u16 size = (u16)segment;
	union nqe_udp_sockaddr name;
	size_t plain;
	int err;

	*sent = 0;
	header.msg_name = &name;
	header.msg_namelen = nqe_udp_to_sockaddr(u, &to->remote, &name);
	if (!header.msg_namelen)
		return -EAFNOSUPPORT;
	header.msg_iov = &iov;
	header.msg_iovlen = 1;
	nqe_udp_build_control(u, &header, to);
	plain = header.msg_controllen;
	if (count > 1 && !(u->offloads & NQE_UDP_GSO))
		return nqe_udp_send_each(u, &header, iov.iov_base, len, segment, sent);
	if (count > 1)
		nqe_udp_put_control(&header, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	if (sendmsg(u->fd, &header, MSG_DONTWAIT) >= 0) {
		*sent = count;
		return 0;
	}
	err = -errno;
	if (count == 1 || (err != -EINVAL && err != -EIO && err != -EMSGSIZE && err != -EOPNOTSUPP))
		return err;
	/*
	 * The path to this peer cannot do it, or a segment is larger than the MTU: one by one the
	 * kernel says which. Only where that works is the offload to blame, and given up for this
	 * socket.
	 */
	header.msg_controllen = plain;
	err = nqe_udp_send_each(u, &header, iov.iov_base, len, segment, sent);
	if (!err) {
		u->gso_refused++;
		u->offloads &= ~(u32)NQE_UDP_GSO;
	}
	return err;
}
