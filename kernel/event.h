/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: what user space is told unasked.
 */
#ifndef _NQD_EVENT_H
#define _NQD_EVENT_H

#include "uapi/nexus_quic_dco.h"

struct nqd_device;

enum nqd_down_reason nqd_event_device_reason(const struct nqd_device *nd);
void nqd_event_device_down(struct nqd_device *nd);

#endif /* _NQD_EVENT_H */
