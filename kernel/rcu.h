/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading under RCU in the data path.
 */
#ifndef _NQD_RCU_H
#define _NQD_RCU_H

#include <linux/rcupdate.h>

/*
 * ndo_start_xmit is called with BH off: as long as that lasts no grace period ends, and a rcu_read_lock() for
 * each packet would be one too many. What is received comes under rcu_read_lock().
 */
#define nqd_rcu_dereference(pointer) rcu_dereference_check(pointer, rcu_read_lock_bh_held())

#endif /* _NQD_RCU_H */
