/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions in netlink messages.
 */
#ifndef _NQD_NETLINK_SESSION_H
#define _NQD_NETLINK_SESSION_H

#include <net/genetlink.h>

struct nqd_device;
struct nqd_reset_token;
struct nqd_session;

int nqd_netlink_put_session_name(struct sk_buff *skb, const struct nqd_session *s, bool gone);
int nqd_netlink_put_session(struct sk_buff *skb, struct nqd_session *s);
struct nqd_device *nqd_netlink_device_of(struct nlattr *id, struct genl_info *info);
struct nqd_session *nqd_netlink_named_session(struct nlattr **tb, struct genl_info *info);
struct nqd_session *nqd_netlink_lock_session(struct nlattr **tb, struct genl_info *info);
int nqd_netlink_session_said_by_kernel(struct nlattr **tb, struct netlink_ext_ack *extack);
int nqd_netlink_session_cannot_change(struct nlattr **tb, struct netlink_ext_ack *extack);
int nqd_netlink_session_tokens(struct nqd_reset_token *tokens, u32 *count, const struct nlattr *nest,
			       struct netlink_ext_ack *extack);
int nqd_netlink_above(u64 generation, u64 newest, const struct nlattr *attr, const char *why,
		      struct netlink_ext_ack *extack);

#endif /* _NQD_NETLINK_SESSION_H */
