/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header in front of every packet that a TUN device with IFF_VNET_HDR carries (virtio 1.2,
 * section 5.1.6). Own declarations: the distribution's headers lag behind the kernel (UDP
 * segmentation came with Linux 6.2).
 */
#ifndef NQE_VNET_H
#define NQE_VNET_H

#include <linux/types.h>

#define NQE_VNET_NEEDS_CSUM 1 /* the checksum from csum_start on is still to be computed */
#define NQE_VNET_DATA_VALID 2 /* the checksum has been verified */

enum nqe_vnet_gso {
	NQE_VNET_GSO_NONE = 0,
	NQE_VNET_GSO_TCPV4 = 1,
	NQE_VNET_GSO_TCPV6 = 4,
	NQE_VNET_GSO_UDP_L4 = 5,
	NQE_VNET_GSO_ECN = 0x80, /* a flag: the packet has CWR set */
};

/**
 * struct nqe_vnet - virtio_net_hdr in its legacy layout: native byte order
 * @flags: NQE_VNET_NEEDS_CSUM, NQE_VNET_DATA_VALID
 * @gso_type: enum nqe_vnet_gso
 * @hdr_len: bytes of network and transport header (a hint)
 * @gso_size: payload bytes of each segment
 * @csum_start: where summing starts, from the start of the packet
 * @csum_offset: where the checksum is stored, from @csum_start
 */
struct nqe_vnet {
	u8 flags;
	u8 gso_type;
	u16 hdr_len;
	u16 gso_size;
	u16 csum_start;
	u16 csum_offset;
};

#endif
