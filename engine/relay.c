// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Receive buffer of a flow: kernel memory, for strangers. */
#define FLOW_BUFFER (256 << 10)
#define LONG_HEADER 0x80
#define CID_AT 6 /* RFC 8999 section 5.1: after first byte, version and a length */

/**
 * struct nqe_relay - see relay.h
 * @client: duplicate of the server's socket
 * @name: the target
 * @name_len: bytes of @name
 * @mark: SO_MARK of flows
 * @epoll_fd: all flows
 * @batch: receive buffers, shared by all flows
 */
struct nqe_relay {
	struct nqe_udp client;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name;
	socklen_t name_len;
	u32 mark;
	int epoll_fd;
	struct nqe_udp_batch batch;
};

static void nqe_relay_set_target(struct nqe_relay *r, const struct nqe_address *target)
{
	if (target->family == 4) {
		r->name.v4.sin_family = AF_INET;
		r->name.v4.sin_port = htons(target->port);
		memcpy(&r->name.v4.sin_addr, target->ip, 4);
		r->name_len = sizeof(r->name.v4);
	} else {
		r->name.v6.sin6_family = AF_INET6;
		r->name.v6.sin6_port = htons(target->port);
		r->name.v6.sin6_scope_id = target->scope;
		memcpy(&r->name.v6.sin6_addr, target->ip, 16);
		r->name_len = sizeof(r->name.v6);
	}
}

struct nqe_relay *nqe_relay_new(const struct nqe_address *target, int fd, u32 mark)
{
	struct nqe_relay *r = calloc(1, sizeof(*r));
	socklen_t len = sizeof(r->client.family);
	int err = 0;

	if (!r)
		return NULL;
	nqe_relay_set_target(r, target);
	r->mark = mark;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->client.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* Given up at the first refusal, see nqe_udp_send(). */
	r->client.offloads = NQE_UDP_GSO;
	if (r->epoll_fd < 0 || r->client.fd < 0 ||
	    getsockopt(r->client.fd, SOL_SOCKET, SO_DOMAIN, &r->client.family, &len))
		err = errno;
	else
		err = -nqe_udp_batch_init(&r->batch);
	if (!err)
		return r;
	nqe_relay_free(r);
	errno = err;
	return NULL;
}

void nqe_relay_free(struct nqe_relay *r)
{
	nqe_udp_batch_free(&r->batch);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	if (r->client.fd >= 0)
		close(r->client.fd);
	free(r);
}

int nqe_relay_fd(const struct nqe_relay *r)
{
	return r->epoll_fd;
}

static int nqe_relay_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int nqe_relay_options(const struct nqe_relay *r, struct nqe_udp *u)
{
	int err;

	/* DF, whatever the kernel believes about the path: QUIC's endpoints probe it. */
	if (u->family == AF_INET) {
		err = nqe_relay_option(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		if (!err)
			err = nqe_relay_option(u->fd, IPPROTO_IP, IP_RECVTOS, 1);
	} else {
		err = nqe_relay_option(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
		if (!err)
			err = nqe_relay_option(u->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	}
	if (!err)
		err = nqe_relay_option(u->fd, SOL_SOCKET, SO_RCVBUF, FLOW_BUFFER);
	if (!err && r->mark)
		err = nqe_relay_option(u->fd, SOL_SOCKET, SO_MARK, (int)r->mark);
	if (!nqe_relay_option(u->fd, IPPROTO_UDP, UDP_GRO, 1))
		u->offloads = NQE_UDP_GRO;
	return err;
}

/* Connected: nobody but the target can answer. */
static int nqe_relay_connect(const struct nqe_relay *r, struct nqe_relay_flow *flow)
{
	struct nqe_udp *u = &flow->udp;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = flow };
	int err;

	u->family = r->name.any.sa_family;
	u->fd = socket(u->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return -errno;
	err = nqe_relay_options(r, u);
	if (!err && (connect(u->fd, &r->name.any, r->name_len) ||
		     epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, u->fd, &event)))
		err = -errno;
	if (err)
		close(u->fd);
	return err;
}

struct nqe_relay_flow *nqe_relay_open(struct nqe_relay *r, u64 number)
{
	struct nqe_relay_flow *flow = calloc(1, sizeof(*flow));
	int err;

	if (!flow)
		return NULL;
	flow->number = number;
	flow->last = &flow->held;
	err = nqe_relay_connect(r, flow);
	if (!err)
		return flow;
	free(flow);
	errno = -err;
	return NULL;
}

void nqe_relay_discard(struct nqe_relay_flow *flow)
{
	struct nqe_relay_reply *reply;

	while ((reply = flow->held)) {
		flow->held = reply->next;
		free(reply);
	}
	flow->last = &flow->held;
}

void nqe_relay_close(struct nqe_relay_flow *flow)
{
	nqe_relay_discard(flow);
	close(flow->udp.fd);
	free(flow);
}

int nqe_relay_send(const struct nqe_relay_flow *flow, const u8 *data, u32 len, u8 ecn)
{
	bool v4 = flow->udp.family == AF_INET;
	struct iovec iov = { (void *)data, len };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr aligned;
		u8 room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	int value = ecn;

	if (ecn) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.aligned.cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
		control.aligned.cmsg_type = v4 ? IP_TOS : IPV6_TCLASS;
		control.aligned.cmsg_len = CMSG_LEN(sizeof(value));
		memcpy(CMSG_DATA(&control.aligned), &value, sizeof(value));
	}
	return sendmsg(flow->udp.fd, &header, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static struct nqe_udp_parcel nqe_relay_parcel(const struct nqe_relay_flow *flow, u8 *data, u32 len,
					      u32 segment, u8 ecn)
{
	return (struct nqe_udp_parcel){
		.remote = &flow->remote,
		.local = &flow->local,
		.data = data,
		.len = len,
		.segment = segment,
		.tos = ecn,
	};
}

void nqe_relay_settle(struct nqe_relay *r, struct nqe_relay_flow *flow,
		      const struct nqe_address *remote, const struct nqe_address *local)
{
	struct nqe_relay_reply *reply;

	flow->remote = *remote;
	flow->local = *local;
	flow->settled = true;
	for (reply = flow->held; reply; reply = reply->next) {
		struct nqe_udp_parcel parcel = nqe_relay_parcel(flow, reply->data, reply->len,
								reply->segment, reply->ecn);

		nqe_udp_send(&r->client, &parcel, 1);
	}
	nqe_relay_discard(flow);
}

/* RFC 8999 section 5.1: all versions have a long header's connection IDs in the same place. */
static void nqe_relay_learn(struct nqe_relay_flow *flow, const u8 *data, u32 len)
{
	u32 at, size, i;

	if (len <= CID_AT || !(data[0] & LONG_HEADER))
		return;
	at = CID_AT + data[CID_AT - 1];
	if (at >= len)
		return;
	size = data[at++];
	if (!size || size > NQE_RELAY_CID_LEN || at + size > len)
		return;
	for (i = 0; i < flow->cids; i++)
		if (flow->cid_len[i] == size && !memcmp(flow->cid[i], data + at, size))
			return;
	if (i == NQE_RELAY_CIDS)
		return;
	memcpy(flow->cid[i], data + at, size);
	flow->cid_len[i] = (u8)size;
	flow->cids++;
}

static bool nqe_relay_hold(struct nqe_relay_flow *flow, const struct nqe_udp_message *m)
{
	struct nqe_relay_reply *reply = malloc(sizeof(*reply) + m->len);

	if (!reply)
		return false;
	reply->next = NULL;
	reply->len = m->len;
	reply->segment = m->segment;
	reply->ecn = m->ecn;
	memcpy(reply->data, m->data, m->len);
	*flow->last = reply;
	flow->last = &reply->next;
	return true;
}

static struct nqe_relay_report nqe_relay_read(struct nqe_relay *r, struct nqe_relay_flow *flow)
{
	struct nqe_relay_report report = { .flow = flow, .number = flow->number };
	struct nqe_udp_parcel parcel[NQE_UDP_BATCH_MESSAGES];
	u32 cids = flow->cids, offset, i;
	/* An ICMP error of the target is nothing that a client could be told. */
	u32 count = (u32)max(nqe_udp_receive(&flow->udp, &r->batch), 0);

	for (i = 0; i < count; i++) {
		struct nqe_udp_message *m = &r->batch.message[i];

		for (offset = 0; offset < m->len; offset += m->segment)
			nqe_relay_learn(flow, m->data + offset, min(m->segment, m->len - offset));
		parcel[i] = nqe_relay_parcel(flow, m->data, m->len, m->segment, m->ecn);
		if (!flow->settled && nqe_relay_hold(flow, m)) {
			report.held += nqe_udp_datagrams(&parcel[i]);
			report.octets += m->len;
		}
	}
	if (flow->settled)
		nqe_udp_send(&r->client, parcel, count);
	report.cids = flow->cids - cids;
	return report;
}

u32 nqe_relay_receive(struct nqe_relay *r, struct nqe_relay_report *report, u32 max)
{
	struct epoll_event event[NQE_RELAY_READY];
	int n, i;

	n = epoll_wait(r->epoll_fd, event, (int)min(max, (u32)NQE_RELAY_READY), 0);
	for (i = 0; i < n; i++)
		report[i] = nqe_relay_read(r, event[i].data.ptr);
	return n < 0 ? 0 : (u32)n;
}
