// SPDX-License-Identifier: BSD-3-Clause
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if_tun.h>

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/*
 * Asks for as much as is wanted, then for less: older kernels refuse a set with unknown bits as a
 * whole.
 */
static void nqe_tun_offload(struct nqe_tun *t, u32 wanted)
{
	static const u32 sets[] = {
		NQE_TUN_CSUM | NQE_TUN_TSO | NQE_TUN_USO,
		NQE_TUN_CSUM | NQE_TUN_TSO,
		NQE_TUN_CSUM,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		unsigned long flags = TUN_F_CSUM;

		if (sets[i] & ~wanted)
			continue;
		if (sets[i] & NQE_TUN_TSO)
			flags |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
		if (sets[i] & NQE_TUN_USO)
			flags |= TUN_F_USO4 | TUN_F_USO6;
		if (!ioctl(t->fd, TUNSETOFFLOAD, flags)) {
			t->offloads = sets[i];
			return;
		}
	}
	ioctl(t->fd, TUNSETOFFLOAD, 0UL);
}

int nqe_tun_open(struct nqe_tun *t, const char *name, u32 offloads)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR |
						      IFF_TUN_EXCL) };
	int header = sizeof(struct nqe_vnet);
	size_t len = strlen(name);
	int err;

	memset(t, 0, sizeof(*t));
	t->fd = -1;
	if (!len || len >= sizeof(request.ifr_name))
		return -EINVAL;
	memcpy(request.ifr_name, name, len);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	if (ioctl(t->fd, TUNSETIFF, &request) || ioctl(t->fd, TUNSETVNETHDRSZ, &header)) {
		err = -errno;
		nqe_tun_close(t);
		return err;
	}
	memcpy(t->name, request.ifr_name, sizeof(t->name));
	nqe_tun_offload(t, offloads);
	return 0;
}

void nqe_tun_close(struct nqe_tun *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int nqe_tun_read(struct nqe_tun *t, struct nqe_vnet *vnet, u8 *packet)
{
	struct iovec iov[2] = { { vnet, sizeof(*vnet) }, { packet, NQE_TUN_MAX_PACKET } };
	ssize_t n = readv(t->fd, iov, 2);

	if (n < 0)
		return -errno;
	return n > (ssize_t)sizeof(*vnet) ? (int)(n - (ssize_t)sizeof(*vnet)) : -EINVAL;
}

int nqe_tun_write(void *context, const struct iovec *iov, int count)
{
	const struct nqe_tun *t = context;

	return writev(t->fd, iov, count) < 0 ? -errno : 0;
}
