// SPDX-License-Identifier: BSD-3-Clause
/* Devices, sockets and prefixes, as the caller manages them. */
#include "engine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static u32 nqe_device_coalesce_offloads(u32 offloads)
{
	u32 set = 0;

	if (offloads & NQE_TUN_TSO)
		set |= NQE_COALESCE_TCPV4 | NQE_COALESCE_TCPV6;
	if (offloads & NQE_TUN_USO)
		set |= NQE_COALESCE_UDP;
	return set;
}

static int nqe_device_create(struct nqe_engine *e, char *name, u32 offloads)
{
	struct nqe_device *d = NULL;
	u32 i;
	int err;

	for (i = 0; i < NQE_MAX_DEVICES && !d; i++)
		if (!e->device[i].id)
			d = &e->device[i];
	if (!d)
		return -ENFILE;
	memset(d, 0, sizeof(*d));
	err = nqe_tun_open(&d->tun, name, offloads);
	if (!err && e->reading)
		err = nqe_loop_watch(e, d->tun.fd, d, true);
	if (err) {
		nqe_tun_close(&d->tun);
		return err;
	}
	nqe_coalesce_init(&d->coalesce, nqe_device_coalesce_offloads(d->tun.offloads),
			  nqe_tun_write, &d->tun);
	memcpy(name, d->tun.name, NQE_TUN_NAME);
	d->id = ++e->next_id;
	return (int)d->id;
}

int nqe_device_add(struct nqe_engine *e, char *name, u32 offloads)
{
	nqe_engine_guard(e);

	return nqe_device_create(e, name, offloads);
}

int nqe_device_remove(struct nqe_engine *e, u32 device)
{
	nqe_engine_guard(e);
	struct nqe_device *d = nqe_engine_device(e, device);

	if (!d)
		return -ENOENT;
	if (d->sessions)
		return -EBUSY;
	nqe_tun_close(&d->tun);
	nqe_route_free(&d->routes);
	d->id = 0;
	return 0;
}

int nqe_device_set_epoch(struct nqe_engine *e, u32 device, u64 epoch)
{
	nqe_engine_guard(e);
	struct nqe_device *d = nqe_engine_device(e, device);

	if (!d)
		return -ENOENT;
	d->epoch = epoch;
	return 0;
}

int nqe_device_stats(struct nqe_engine *e, u32 device, struct nqe_device_stats *stats)
{
	nqe_engine_guard(e);
	const struct nqe_device *d = nqe_engine_device(e, device);

	if (!d)
		return -ENOENT;
	*stats = d->stats;
	stats->rx_supers = d->coalesce.supers;
	stats->rx_merged = d->coalesce.merged;
	stats->rx_failed = d->coalesce.failed;
	return 0;
}

int nqe_device_offloads(struct nqe_engine *e, u32 device)
{
	nqe_engine_guard(e);
	const struct nqe_device *d = nqe_engine_device(e, device);

	return d ? (int)d->tun.offloads : -ENOENT;
}

static int nqe_socket_create(struct nqe_engine *e, int fd, u8 cid_len, u32 offloads)
{
	struct nqe_socket *k = NULL;
	int err, own;
	u32 i;

	if (cid_len > NQD_CID_MAX_LEN)
		return -EINVAL;
	for (i = 0; i < NQE_MAX_SOCKETS && !k; i++)
		if (!e->socket[i].id)
			k = &e->socket[i];
	if (!k)
		return -ENFILE;
	memset(k, 0, sizeof(*k));
	/* The caller may close its own: the socket lives as long as it is used here. */
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	k->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = k->event_fd < 0 ? -errno : nqe_udp_open(&k->udp, own, offloads);
	if (!err)
		err = nqe_loop_watch(e, own, k, true);
	if (err) {
		if (k->event_fd >= 0)
			close(k->event_fd);
		close(own);
		return err;
	}
	k->cid_len = cid_len;
	k->id = ++e->next_id;
	return (int)k->id;
}

int nqe_socket_add(struct nqe_engine *e, int fd, u8 cid_len, u32 offloads)
{
	nqe_engine_guard(e);

	return nqe_socket_create(e, fd, cid_len, offloads);
}

int nqe_socket_remove(struct nqe_engine *e, u32 socket)
{
	nqe_engine_guard(e);
	struct nqe_socket *k = nqe_engine_socket(e, socket);

	if (!k)
		return -ENOENT;
	if (k->sessions)
		return -EBUSY;
	/* By hand: epoll forgets a descriptor only when its last duplicate is closed. */
	nqe_loop_watch(e, k->udp.fd, k, false);
	nqe_udp_close(&k->udp);
	close(k->event_fd);
	nqe_event_clear_other(k);
	nqe_screen_free(&k->screen);
	k->id = 0;
	return 0;
}

int nqe_socket_event_fd(struct nqe_engine *e, u32 socket)
{
	nqe_engine_guard(e);
	const struct nqe_socket *k = nqe_engine_socket(e, socket);

	return k ? k->event_fd : -ENOENT;
}

int nqe_socket_screen(struct nqe_engine *e, u32 socket)
{
	nqe_engine_guard(e);
	struct nqe_socket *k = nqe_engine_socket(e, socket);

	return k ? nqe_screen_start(&k->screen, k->cid_len) : -ENOENT;
}

int nqe_socket_expect(struct nqe_engine *e, u32 socket, const u8 *cid, u32 len)
{
	nqe_engine_guard(e);
	struct nqe_socket *k = nqe_engine_socket(e, socket);

	return k ? nqe_screen_expect(&k->screen, cid, len) : -ENOENT;
}

int nqe_socket_forget(struct nqe_engine *e, u32 socket, const u8 *cid, u32 len)
{
	nqe_engine_guard(e);
	struct nqe_socket *k = nqe_engine_socket(e, socket);

	if (!k)
		return -ENOENT;
	nqe_screen_forget(&k->screen, cid, len);
	return 0;
}

int nqe_socket_stats(struct nqe_engine *e, u32 socket, struct nqe_socket_stats *stats)
{
	nqe_engine_guard(e);
	const struct nqe_socket *k = nqe_engine_socket(e, socket);

	if (!k)
		return -ENOENT;
	*stats = k->stats;
	stats->gso_refused = k->udp.gso_refused;
	return 0;
}

int nqe_socket_offloads(struct nqe_engine *e, u32 socket)
{
	nqe_engine_guard(e);
	const struct nqe_socket *k = nqe_engine_socket(e, socket);

	return k ? (int)k->udp.offloads : -ENOENT;
}

int nqe_route_set(struct nqe_engine *e, u32 device, u32 session, u8 family, const u8 *ip, u8 len)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	struct nqe_device *d = nqe_engine_device(e, device);

	if (!d || !s)
		return -ENOENT;
	return s->device == d ? nqe_route_add(&d->routes, family, ip, len, s) : -EXDEV;
}

int nqe_route_unset(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len)
{
	nqe_engine_guard(e);
	struct nqe_device *d = nqe_engine_device(e, device);

	return d ? nqe_route_remove(&d->routes, family, ip, len) : -ENOENT;
}

u32 nqe_route_session(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len)
{
	nqe_engine_guard(e);
	const struct nqe_device *d = nqe_engine_device(e, device);
	const struct nqe_session *s = d ? nqe_route_get(&d->routes, family, ip, len) : NULL;

	return s ? s->id : 0;
}

int nqe_source_allow(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	return s ? nqe_route_add(&s->sources, family, ip, len, s) : -ENOENT;
}

int nqe_source_deny(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	s->last_source[0] = 0;
	return nqe_route_remove(&s->sources, family, ip, len);
}
