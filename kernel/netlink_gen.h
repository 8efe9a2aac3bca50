/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.
 * Change them, then run `make generate`.
 */
#ifndef _NQD_NETLINK_GEN_H
#define _NQD_NETLINK_GEN_H

#include <net/genetlink.h>
#include <net/netlink.h>

#include "uapi/nexus_quic_dco.h"

/* How NQD_A_REQUIRED names an attribute; nest 0 is the top level. */
#define NQD_NL_PLACE(nest, type) ((u32)(nest) << 16 | (type))

/*
 * Validation of values: strict in all but unknown attributes, which the ABI lets a
 * receiver ignore. The netlink core parses liberally (GENL_DONT_VALIDATE_STRICT), then
 * nqd_nl_check() validates again with these flags.
 */
#define NQD_NL_VALIDATE \
	(NL_VALIDATE_TRAILING | NL_VALIDATE_STRICT_ATTRS | NL_VALIDATE_NESTED)

extern const struct genl_ops nqd_nl_ops[22];

enum {
	NQD_NLGRP_STATE,
};
extern const struct genl_multicast_group nqd_nl_mcgrps[1];

extern const struct nla_policy nqd_device_nl_policy[NQD_A_DEVICE_MAX + 1];
extern const struct nla_policy nqd_session_nl_policy[NQD_A_SESSION_MAX + 1];
extern const struct nla_policy nqd_state_nl_policy[NQD_A_STATE_MAX + 1];
extern const struct nla_policy nqd_keys_nl_policy[NQD_A_KEYS_MAX + 1];
extern const struct nla_policy nqd_held_nl_policy[NQD_A_HELD_MAX + 1];
extern const struct nla_policy nqd_route_nl_policy[NQD_A_ROUTE_MAX + 1];
extern const struct nla_policy nqd_close_nl_policy[NQD_A_CLOSE_MAX + 1];
extern const struct nla_policy nqd_frames_nl_policy[NQD_A_FRAMES_MAX + 1];
extern const struct nla_policy nqd_event_nl_policy[NQD_A_EVENT_MAX + 1];
extern const struct nla_policy nqd_debug_nl_policy[NQD_A_DEBUG_MAX + 1];

int nqd_nl_get_caps_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_create_device_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_update_device_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_delete_device_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_device_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_device_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int nqd_nl_adopt_device_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_add_session_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_activate_session_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_update_session_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_delete_session_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_session_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_session_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int nqd_nl_set_keys_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_key_update_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_add_route_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_delete_route_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_route_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_route_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int nqd_nl_send_frames_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_send_datagram_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_event_ack_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_stats_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_get_stats_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int nqd_nl_flush_stats_doit(struct sk_buff *skb, struct genl_info *info);
int nqd_nl_set_debug_doit(struct sk_buff *skb, struct genl_info *info);

int nqd_nl_dump_start(struct netlink_callback *cb);
int nqd_nl_check(const struct nlmsghdr *nlh, struct netlink_ext_ack *extack);
bool nqd_nl_is_secret(u16 nest, u16 type);
void nqd_nl_wipe(struct nlmsghdr *nlh);

#endif /* _NQD_NETLINK_GEN_H */
