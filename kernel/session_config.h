/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What user space sets of a session: taken from a request, checked as a whole, put into force.
 */
#ifndef _NQD_SESSION_CONFIG_H
#define _NQD_SESSION_CONFIG_H

#include <linux/netlink.h>

#include "session.h"

int nqd_session_config_parse(struct nqd_session_config *config, struct nlattr **tb, const struct nlattr *nest,
			     struct netlink_ext_ack *extack);
int nqd_session_config_check(const struct nqd_session_config *config, const struct nqd_suite *suite,
			     struct nlattr **tb, struct netlink_ext_ack *extack);
int nqd_session_config_tuple(const struct nlattr *attr, union nqd_address *local, union nqd_address *remote,
			     struct netlink_ext_ack *extack);
int nqd_session_config_address(const struct nqd_udp_tuple *tuple, union nqd_address *local,
			       union nqd_address *remote, const char **why);
struct nqd_routes *nqd_session_config_sources(const struct nqd_session_config *config);
void nqd_session_config_outer(struct nqd_session *s);
u64 nqd_session_config_idle(const struct nqd_session_config *config);
u32 nqd_session_config_ceiling(const struct nqd_session *s, const struct nqd_session_config *config);

#endif /* _NQD_SESSION_CONFIG_H */
