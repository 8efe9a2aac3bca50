/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NQD_VERSION_H
#define _NQD_VERSION_H

/* Shown by modinfo, "ethtool -i" and GET_CAPS. */
#define NQD_MODULE_VERSION "0.1.0"

#endif /* _NQD_VERSION_H */
