// SPDX-License-Identifier: GPL-2.0
/*
 * UDP sockets that sessions use.
 *
 * A socket of user space keeps its network namespace alive, so the module holds no descriptor of one: the
 * namespace could never go. Where sessions are to outlive the last descriptor (a persistent device), the
 * module binds a socket of its own to the same address, before the one of user space gives it up. Such a
 * socket keeps nothing alive, and goes with its last session.
 *
 * nqd_net.lock protects all that is in struct nqd_socket; the lock of the sock itself is taken inside.
 */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "device.h"
#include "netns.h"
#include "session.h"
#include "socket.h"

/* Any value but those of enum in uapi/linux/udp.h that the core acts upon. */
#define NQD_SOCKET_ENCAP_TYPE 1

static void nqd_socket_destroy(struct sock *sk);

/*
 * The hook, and all there is of it. Long headers and what belongs to no session go up to user space: so
 * nqd_rx_encap() decides for each datagram.
 */
static void nqd_socket_hook(struct nqd_socket *socket, struct sock *sk)
{
	struct udp_tunnel_sock_cfg cfg = {
		.sk_user_data = socket,
		.encap_type = NQD_SOCKET_ENCAP_TYPE,
		.encap_rcv = nqd_rx_encap,
		/* The module's own goes when its last session does. */
		.encap_destroy = socket->own ? NULL : nqd_socket_destroy,
	};

	nqd_compat_setup_udp_tunnel(socket->net->net, sk, &cfg);
}

static bool nqd_socket_is_hooked(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->encap_rcv) == nqd_rx_encap;
}

static void nqd_socket_unhook(struct nqd_socket *socket, struct sock *sk)
{
	struct udp_tunnel_sock_cfg cfg = {};

	lock_sock(sk);
	/*
	 * One of our own is about to go, and its hooks with it. And user space may have set UDP_ENCAP on
	 * its socket since, whatever that does to its sessions.
	 */
	if (!socket->own && nqd_socket_is_hooked(sk))
		nqd_compat_setup_udp_tunnel(socket->net->net, sk, &cfg);
	else
		rcu_assign_sk_user_data(sk, NULL);
	release_sock(sk);
}

/**
 * nqd_socket_put() - give a reference back
 * @socket: socket
 *
 * Context: any.
 */
void nqd_socket_put(struct nqd_socket *socket)
{
	if (refcount_dec_and_test(&socket->refs))
		kfree_rcu(socket, rcu);
}

static int nqd_socket_refuse(struct netlink_ext_ack *extack, int err, const char *why)
{
	extack->_msg = why;
	return err;
}

static const char nqd_socket_one_length[] = "session.local-cid: all of a socket are of one length";

/* Decision by decision what kind of socket may be handed over; its lock is held. */
static int nqd_socket_check(const struct nqd_net *nn, const struct sock *sk, struct netlink_ext_ack *extack)
{
	if (!net_eq(sock_net(sk), nn->net))
		return nqd_socket_refuse(extack, -EADDRNOTAVAIL, "session.socket-fd is of another namespace");
	if (!inet_sk(sk)->inet_num)
		return nqd_socket_refuse(extack, -EADDRNOTAVAIL, "session.socket-fd is not bound");
	if (sk->sk_reuseport)
		return nqd_socket_refuse(extack, -EADDRNOTAVAIL, "session.socket-fd has SO_REUSEPORT");
	if (!nqd_socket_is_hooked(sk) &&
	    (READ_ONCE(udp_sk(sk)->encap_type) || rcu_access_pointer(sk->sk_user_data)))
		return nqd_socket_refuse(extack, -EADDRNOTAVAIL,
					 "session.socket-fd belongs to another encapsulation");
	return 0;
}

/* The socket of a sock whose lock is held: the one that is there, or a new one. */
static struct nqd_socket *nqd_socket_get(struct nqd_net *nn, struct sock *sk, u8 cid_len,
					 struct netlink_ext_ack *extack)
{
	struct nqd_socket *socket;

	if (nqd_socket_is_hooked(sk)) {
		socket = rcu_dereference_protected(__sk_user_data(sk), lockdep_is_held(&nn->lock));
		if (socket->cid_len != cid_len)
			return ERR_PTR(nqd_socket_refuse(extack, -EINVAL, nqd_socket_one_length));
		return socket;
	}
	socket = kzalloc(sizeof(*socket), GFP_KERNEL);
	if (!socket)
		return ERR_PTR(nqd_socket_refuse(extack, -ENOMEM, "no memory for the socket"));
	socket->net = nn;
	socket->family = sk->sk_family;
	socket->cid_len = cid_len;
	INIT_LIST_HEAD(&socket->sessions);
	refcount_set(&socket->refs, 1);
	sock_hold(sk);
	RCU_INIT_POINTER(socket->sk, sk);
	nqd_socket_hook(socket, sk);
	return socket;
}

/**
 * nqd_socket_use() - take a socket for one more session
 * @nn: namespace
 * @fd: descriptor of the calling process
 * @cid_len: bytes of the session's local connection IDs
 * @extack: where a refusal says why
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: the socket with a reference for the session, which the caller puts into its list or gives back
 * by nqd_socket_leave() and nqd_socket_put(); or an error pointer: -EBADF, -ENOTSOCK, -EPROTOTYPE,
 * -EADDRNOTAVAIL, -EINVAL, -ENOMEM.
 */
struct nqd_socket *nqd_socket_use(struct nqd_net *nn, u32 fd, u8 cid_len, struct netlink_ext_ack *extack)
{
	struct nqd_socket *socket;
	struct socket *sock;
	struct sock *sk;
	int err;

	lockdep_assert_held(&nn->lock);
	sock = sockfd_lookup(fd, &err);
	if (!sock) {
		nqd_socket_refuse(extack, err, err == -ENOTSOCK ? "session.socket-fd is no socket" :
								  "session.socket-fd is not open");
		return ERR_PTR(err);
	}
	sk = sock->sk;
	if (!sk || (sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
	    sk->sk_protocol != IPPROTO_UDP ||
	    sk->sk_type != SOCK_DGRAM) {
		socket = ERR_PTR(nqd_socket_refuse(extack, -EPROTOTYPE,
						   "session.socket-fd is no UDP socket"));
		goto put;
	}
	lock_sock(sk);
	err = nqd_socket_check(nn, sk, extack);
	socket = err ? ERR_PTR(err) : nqd_socket_get(nn, sk, cid_len, extack);
	release_sock(sk);
	if (!IS_ERR(socket))
		refcount_inc(&socket->refs);
put:
	sockfd_put(sock);
	return socket;
}

/**
 * nqd_socket_leave() - a session uses the socket no more; the last one takes the hook off
 * @socket: socket, whose list the session has left
 *
 * Context: nqd_net.lock is held; may sleep. References are the callers'.
 */
void nqd_socket_leave(struct nqd_socket *socket)
{
	struct sock *sk = rcu_dereference_protected(socket->sk, lockdep_is_held(&socket->net->lock));

	if (!list_empty(&socket->sessions) || !sk)
		return;
	nqd_socket_unhook(socket, sk);
	RCU_INIT_POINTER(socket->sk, NULL);
	if (socket->own)
		sock_release(socket->own);
	socket->own = NULL;
	/* A UDP socket is freed after a grace period (SOCK_RCU_FREE). */
	sock_put(sk);
	nqd_socket_put(socket);
}

static int nqd_socket_own_address(const struct sock *from, struct sockaddr_storage *local,
				  struct sockaddr_storage *remote)
{
	const struct inet_sock *inet = inet_sk(from);

	memset(local, 0, sizeof(*local));
	memset(remote, 0, sizeof(*remote));
	local->ss_family = from->sk_family;
	remote->ss_family = from->sk_family;
	if (from->sk_family == AF_INET) {
		struct sockaddr_in *to = (struct sockaddr_in *)local, *peer = (struct sockaddr_in *)remote;

		to->sin_addr.s_addr = inet->inet_rcv_saddr;
		to->sin_port = htons(inet->inet_num);
		peer->sin_addr.s_addr = inet->inet_daddr;
		peer->sin_port = inet->inet_dport;
		return sizeof(*to);
	}
#if IS_ENABLED(CONFIG_IPV6)
	{
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)local, *peer = (struct sockaddr_in6 *)remote;

		to->sin6_addr = from->sk_v6_rcv_saddr;
		to->sin6_port = htons(inet->inet_num);
		to->sin6_scope_id = from->sk_bound_dev_if;
		peer->sin6_addr = from->sk_v6_daddr;
		peer->sin6_port = inet->inet_dport;
		peer->sin6_scope_id = from->sk_bound_dev_if;
		return sizeof(*to);
	}
#else
	return -EAFNOSUPPORT;
#endif
}

/* A socket of the module's own, bound as @from is, which still is. */
static struct socket *nqd_socket_bind_own(struct net *net, struct sock *from)
{
	struct sockaddr_storage local, remote;
	struct socket *own;
	int len, err;

	len = nqd_socket_own_address(from, &local, &remote);
	if (len < 0)
		return ERR_PTR(len);
	err = sock_create_kern(net, from->sk_family, SOCK_DGRAM, IPPROTO_UDP, &own);
	if (err)
		return ERR_PTR(err);
	own->sk->sk_bound_dev_if = from->sk_bound_dev_if;
	own->sk->sk_ipv6only = from->sk_ipv6only;
	/* Both may have the address for the moment that @from has left. */
	own->sk->sk_reuse = SK_CAN_REUSE;
	from->sk_reuse = SK_CAN_REUSE;
	/* What is for no session has no reader. */
	own->sk->sk_rcvbuf = SOCK_MIN_RCVBUF;
	/* Addresses that an interface lost meanwhile were good enough for @from. */
	ip_sock_set_freebind(own->sk);
	err = kernel_bind(own, (void *)&local, len);
	own->sk->sk_reuse = SK_NO_REUSE;
	if (!err && inet_sk(from)->inet_dport)
		err = kernel_connect(own, (void *)&remote, len, 0);
	if (!err)
		return own;
	sock_release(own);
	return ERR_PTR(err);
}

/*
 * Sessions of persistent devices go on over a socket of the module's own; false: there are none, or it
 * failed.
 */
static bool nqd_socket_take_over(struct nqd_socket *socket, struct sock *from)
{
	struct socket *own;

	if (list_empty(&socket->sessions))
		return false;
	own = nqd_socket_bind_own(socket->net->net, from);
	if (IS_ERR(own))
		return false;
	socket->own = own;
	sock_hold(own->sk);
	nqd_socket_hook(socket, own->sk);
	rcu_assign_pointer(socket->sk, own->sk);
	/* @from is hooked until nobody finds it any more: no datagram of a session is lost. */
	sock_put(from);
	return true;
}

/* The last descriptor of a socket is closed. */
static void nqd_socket_closed(struct nqd_socket *socket, struct sock *sk)
{
	struct nqd_net *nn = socket->net;
	struct nqd_session *s, *next;
	LIST_HEAD(ended);

	mutex_lock(&nn->lock);
	if (rcu_access_pointer(socket->sk) == sk) {
		/* The last of these takes the hook off; not while others are there. */
		list_for_each_entry_safe(s, next, &socket->sessions, socket_node)
			if (!(s->device->config.flags & NQD_DEVICE_FLAG_PERSIST))
				nqd_session_unlink(s, NQD_DOWN_REASON_SOCKET_CLOSED, &ended);
		if (!nqd_socket_take_over(socket, sk))
			list_for_each_entry_safe(s, next, &socket->sessions, socket_node)
				nqd_session_unlink(s, NQD_DOWN_REASON_SOCKET_CLOSED, &ended);
	}
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
}

/* Called by the UDP layer without a lock, in process context, while the socket can still be found. */
static void nqd_socket_destroy(struct sock *sk)
{
	struct nqd_socket *socket;

	rcu_read_lock();
	socket = rcu_dereference_sk_user_data(sk);
	if (socket && !refcount_inc_not_zero(&socket->refs))
		socket = NULL;
	rcu_read_unlock();
	if (!socket)
		return;
	nqd_socket_closed(socket, sk);
	nqd_socket_put(socket);
}
