/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UDP sockets that sessions use: user space binds one and hands it over by its descriptor (ADD_SESSION).
 *
 * The hook, nqd_rx_encap(), is there while a session uses the socket. When the last descriptor is closed
 * its sessions end; those of persistent devices go on over a socket of the module's own, which takes the
 * address of the one that goes.
 */
#ifndef _NQD_SOCKET_H
#define _NQD_SOCKET_H

#include <linux/list.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <net/sock.h>

#include "rcu.h"
#include "uapi/nexus_quic_dco.h"

struct nqd_net;

/**
 * struct nqd_socket - a UDP socket in use; sk_user_data of @sk
 * @sk: the socket, a reference; NULL once it is closed. Read under RCU, changed under nqd_net.lock
 * @own: the module's own socket, or NULL; protected by nqd_net.lock
 * @net: namespace of the socket and of its sessions' devices
 * @family: of the socket: one of AF_INET6 may carry IPv4 too
 * @cid_len: bytes of the local connection IDs of all sessions; 0: they are told apart by the peer's address
 * @sessions: that can be found through it; protected by nqd_net.lock
 * @refs: one while it is hooked, one of each session until that is freed
 * @rcu: frees it
 */
struct nqd_socket {
	struct sock __rcu *sk;
	struct socket *own;
	struct nqd_net *net;
	u16 family;
	u8 cid_len;
	struct list_head sessions;
	refcount_t refs;
	struct rcu_head rcu;
};

struct nqd_socket *nqd_socket_use(struct nqd_net *nn, u32 fd, u8 cid_len, struct netlink_ext_ack *extack);
void nqd_socket_leave(struct nqd_socket *socket);
void nqd_socket_put(struct nqd_socket *socket);

/**
 * nqd_socket_sk() - the socket, to send by it
 * @socket: socket
 *
 * Context: rcu_read_lock() is held, or BH is off.
 *
 * Return: the socket, valid as long as the lock is held, or NULL if it is closed.
 */
static inline struct sock *nqd_socket_sk(const struct nqd_socket *socket)
{
	return nqd_rcu_dereference(socket->sk);
}

#endif /* _NQD_SOCKET_H */
