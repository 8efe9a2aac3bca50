/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions as a developer wants to see them.
 */
#ifndef _NQD_DEBUGFS_H
#define _NQD_DEBUGFS_H

void nqd_debugfs_init(void);
void nqd_debugfs_exit(void);

#endif /* _NQD_DEBUGFS_H */
