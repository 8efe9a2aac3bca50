/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: what user space is told unasked.
 */
#ifndef _NQD_EVENT_H
#define _NQD_EVENT_H

struct nqd_device;

void nqd_event_device_down(struct nqd_device *nd);

#endif /* _NQD_EVENT_H */
