/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TUN device: IP packets with a virtio header in front, super-packets where the kernel has
 * them.
 */
#ifndef NQE_TUN_H
#define NQE_TUN_H

#include "vnet.h"

#include <sys/uio.h>

/* Largest packet that the kernel hands over: an IP length field's maximum. */
#define NQE_TUN_MAX_PACKET 65535
#define NQE_TUN_NAME 16

/* What to ask the kernel for, and what it granted. */
enum nqe_tun_offload {
	NQE_TUN_CSUM = 1, /* packets may come without a transport checksum */
	NQE_TUN_TSO = 2, /* TCP super-packets, IPv4 and IPv6 */
	NQE_TUN_USO = 4, /* UDP super-packets, IPv4 and IPv6: Linux 6.2 */
};

/**
 * struct nqe_tun - an open device
 * @fd: non-blocking; -1: closed
 * @offloads: enum nqe_tun_offload, granted
 * @name: interface name
 */
struct nqe_tun {
	int fd;
	u32 offloads;
	char name[NQE_TUN_NAME];
};

/**
 * nqe_tun_open - create a TUN device in the calling thread's network namespace
 * @t: result
 * @name: wanted name; may hold a %d, as in "nexusq%d"
 * @offloads: enum nqe_tun_offload that may be used; without those that the kernel lacks it works
 * slower
 *
 * Return: 0 or a negative errno: -ENOENT or -ENODEV without /dev/net/tun, -EPERM, -EBUSY where the
 * name is taken, -EINVAL for a bad name. The device goes with its file descriptor.
 */
int nqe_tun_open(struct nqe_tun *t, const char *name, u32 offloads);

void nqe_tun_close(struct nqe_tun *t);

/**
 * nqe_tun_read - take one packet or super-packet
 * @t: device
 * @vnet: its virtio header
 * @packet: at least NQE_TUN_MAX_PACKET bytes
 *
 * Return: bytes of the packet, or a negative errno; -EAGAIN: none is there.
 */
int nqe_tun_read(struct nqe_tun *t, struct nqe_vnet *vnet, u8 *packet);

/* Gives one packet to the kernel (struct nqe_coalesce's writer); @context is the struct nqe_tun. */
int nqe_tun_write(void *context, const struct iovec *iov, int count);

#endif
