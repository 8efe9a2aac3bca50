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
	int ret;

	nqe_engine_lock(e);
	ret = nqe_device_create(e, name, offloads);
	nqe_engine_unlock(e);
	return ret;
}

int nqe_device_remove(struct nqe_engine *e, u32 device)
{
	struct nqe_device *d;
	int err = 0;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	if (!d) {
		err = -ENOENT;
	} else if (d->sessions) {
		err = -EBUSY;
	} else {
		nqe_tun_close(&d->tun);
		nqe_route_free(&d->routes);
		d->id = 0;
	}
	nqe_engine_unlock(e);
	return err;
}

int nqe_device_set_epoch(struct nqe_engine *e, u32 device, u64 epoch)
{
	struct nqe_device *d;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	if (d)
		d->epoch = epoch;
	nqe_engine_unlock(e);
	return d ? 0 : -ENOENT;
}

int nqe_device_stats(struct nqe_engine *e, u32 device, struct nqe_device_stats *stats)
{
	struct nqe_device *d;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	if (d) {
		*stats = d->stats;
		stats->rx_supers = d->coalesce.supers;
		stats->rx_merged = d->coalesce.merged;
		stats->rx_failed = d->coalesce.failed;
	}
	nqe_engine_unlock(e);
	return d ? 0 : -ENOENT;
}

int nqe_device_offloads(struct nqe_engine *e, u32 device)
{
	struct nqe_device *d;
	int ret;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	ret = d ? (int)d->tun.offloads : -ENOENT;
	nqe_engine_unlock(e);
	return ret;
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
	int ret;

	nqe_engine_lock(e);
	ret = nqe_socket_create(e, fd, cid_len, offloads);
	nqe_engine_unlock(e);
	return ret;
}

int nqe_socket_remove(struct nqe_engine *e, u32 socket)
{
	struct nqe_socket *k;
	int err = 0;

	nqe_engine_lock(e);
	k = nqe_engine_socket(e, socket);
	if (!k) {
		err = -ENOENT;
	} else if (k->sessions) {
		err = -EBUSY;
	} else {
		/* By hand: epoll forgets a descriptor only when its last duplicate is closed. */
		nqe_loop_watch(e, k->udp.fd, k, false);
		nqe_udp_close(&k->udp);
		close(k->event_fd);
		nqe_event_clear_other(k);
		k->id = 0;
	}
	nqe_engine_unlock(e);
	return err;
}

int nqe_socket_event_fd(struct nqe_engine *e, u32 socket)
{
	struct nqe_socket *k;
	int ret;

	nqe_engine_lock(e);
	k = nqe_engine_socket(e, socket);
	ret = k ? k->event_fd : -ENOENT;
	nqe_engine_unlock(e);
	return ret;
}

int nqe_socket_stats(struct nqe_engine *e, u32 socket, struct nqe_socket_stats *stats)
{
	struct nqe_socket *k;

	nqe_engine_lock(e);
	k = nqe_engine_socket(e, socket);
	if (k) {
		*stats = k->stats;
		stats->gso_refused = k->udp.gso_refused;
	}
	nqe_engine_unlock(e);
	return k ? 0 : -ENOENT;
}

int nqe_socket_offloads(struct nqe_engine *e, u32 socket)
{
	struct nqe_socket *k;
	int ret;

	nqe_engine_lock(e);
	k = nqe_engine_socket(e, socket);
	ret = k ? (int)k->udp.offloads : -ENOENT;
	nqe_engine_unlock(e);
	return ret;
}

int nqe_route_set(struct nqe_engine *e, u32 device, u32 session, u8 family, const u8 *ip, u8 len)
{
	struct nqe_session *s;
	struct nqe_device *d;
	int err = -ENOENT;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	s = nqe_engine_session(e, session);
	if (d && s)
		err = s->device == d ? nqe_route_add(&d->routes, family, ip, len, s) : -EXDEV;
	nqe_engine_unlock(e);
	return err;
}

int nqe_route_unset(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len)
{
	struct nqe_device *d;
	int err = -ENOENT;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	if (d)
		err = nqe_route_remove(&d->routes, family, ip, len);
	nqe_engine_unlock(e);
	return err;
}

u32 nqe_route_session(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len)
{
	struct nqe_session *s = NULL;
	struct nqe_device *d;
	u32 id;

	nqe_engine_lock(e);
	d = nqe_engine_device(e, device);
	if (d)
		s = nqe_route_get(&d->routes, family, ip, len);
	id = s ? s->id : 0;
	nqe_engine_unlock(e);
	return id;
}

int nqe_source_allow(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len)
{
	struct nqe_session *s;
	int err = -ENOENT;

	nqe_engine_lock(e);
	s = nqe_engine_session(e, session);
	if (s)
		err = nqe_route_add(&s->sources, family, ip, len, s);
	nqe_engine_unlock(e);
	return err;
}

int nqe_source_deny(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len)
{
	struct nqe_session *s;
	int err = -ENOENT;

	nqe_engine_lock(e);
	s = nqe_engine_session(e, session);
	if (s) {
		s->last_source[0] = 0;
		err = nqe_route_remove(&s->sources, family, ip, len);
	}
	nqe_engine_unlock(e);
	return err;
}
