/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Netlink attributes and policies as kernel/netlink_gen.c uses them, in user space. Written from their
 * documented meaning; the real ones are met when the module is built and run in a kernel.
 */
#ifndef SHIM_NET_NETLINK_H
#define SHIM_NET_NETLINK_H

#include <linux/kernel.h>
#include <linux/netlink.h>

enum {
	NLA_UNSPEC, NLA_U8, NLA_U16, NLA_U32, NLA_U64, NLA_STRING, NLA_FLAG, NLA_NESTED,
	NLA_NUL_STRING, NLA_BINARY, NLA_S32,
};

enum { CHECK_NONE, CHECK_RANGE, CHECK_MASK };

enum { NL_VALIDATE_TRAILING = 1, NL_VALIDATE_STRICT_ATTRS = 8, NL_VALIDATE_NESTED = 16 };

struct netlink_range_validation {
	u64 min, max;
};

struct nla_policy {
	u8 type, check;
	u16 len;
	u64 min, max;
	struct netlink_range_validation *range;
	const struct nla_policy *nested_policy;
};

#define NLA_POLICY_RANGE(kind, low, high) \
	{ .type = kind, .check = CHECK_RANGE, .min = low, .max = high }
#define NLA_POLICY_MIN(kind, low) NLA_POLICY_RANGE(kind, low, UINT64_MAX)
#define NLA_POLICY_FULL_RANGE(kind, at) { .type = kind, .check = CHECK_RANGE, .range = at }
#define NLA_POLICY_MASK(kind, bits) { .type = kind, .check = CHECK_MASK, .max = bits }
#define NLA_POLICY_EXACT_LEN(size) NLA_POLICY_RANGE(NLA_BINARY, size, size)
#define NLA_POLICY_NESTED(table) \
	{ .type = NLA_NESTED, .len = ARRAY_SIZE(table) - 1, .nested_policy = table }

struct netlink_ext_ack {
	const char *message;
	const struct nlattr *attribute;
	const struct nlattr *miss_nest;
	u32 miss_type;
};

#define NL_SET_ERR_MSG(extack, text) ((extack)->message = (text))
#define NL_SET_ERR_MSG_ATTR(extack, at, text) \
	((extack)->message = (text), (extack)->attribute = (at))
#define NL_SET_ERR_ATTR_MISS(extack, nest, type) \
	((extack)->miss_nest = (nest), (extack)->miss_type = (type))

struct sk_buff;
struct netlink_callback;

static inline void *nlmsg_data(const struct nlmsghdr *nlh)
{
	return (char *)nlh + NLMSG_HDRLEN;
}

static inline struct nlattr *nlmsg_attrdata(const struct nlmsghdr *nlh, int header)
{
	return (struct nlattr *)((char *)nlmsg_data(nlh) + header);
}

static inline int nlmsg_attrlen(const struct nlmsghdr *nlh, int header)
{
	return (int)nlh->nlmsg_len - NLMSG_HDRLEN - header;
}

static inline int nla_type(const struct nlattr *at)
{
	return at->nla_type & NLA_TYPE_MASK;
}

static inline void *nla_data(const struct nlattr *at)
{
	return (char *)at + NLA_HDRLEN;
}

static inline int nla_len(const struct nlattr *at)
{
	return at->nla_len - NLA_HDRLEN;
}

static inline u32 nla_get_u32(const struct nlattr *at)
{
	u32 value;

	memcpy(&value, nla_data(at), sizeof(value));
	return value;
}

static inline bool nla_ok(const struct nlattr *at, int rest)
{
	return rest >= NLA_HDRLEN && at->nla_len >= NLA_HDRLEN && at->nla_len <= rest;
}

static inline struct nlattr *nla_next(const struct nlattr *at, int *rest)
{
	int total = NLA_ALIGN(at->nla_len);

	*rest -= total;
	return (struct nlattr *)((char *)at + total);
}

#define nla_for_each_attr(at, head, len, rest) \
	for (at = head, rest = len; nla_ok(at, rest); at = nla_next(at, &(rest)))
#define nla_for_each_nested(at, nest, rest) \
	nla_for_each_attr(at, (struct nlattr *)nla_data(nest), nla_len(nest), rest)
#define nlmsg_for_each_attr(at, nlh, header, rest) \
	nla_for_each_attr(at, nlmsg_attrdata(nlh, header), nlmsg_attrlen(nlh, header), rest)

static inline struct nlattr *nla_find(const struct nlattr *head, int len, int type)
{
	struct nlattr *at;
	int rest;

	nla_for_each_attr(at, (struct nlattr *)head, len, rest)
		if (nla_type(at) == type)
			return at;
	return NULL;
}

static inline struct nlattr *nlmsg_find_attr(const struct nlmsghdr *nlh, int header, int type)
{
	return nla_find(nlmsg_attrdata(nlh, header), nlmsg_attrlen(nlh, header), type);
}

static inline struct nlattr *nla_find_nested(const struct nlattr *nest, int type)
{
	return nla_find(nla_data(nest), nla_len(nest), type);
}

int __nla_validate(const struct nlattr *head, int len, int max, const struct nla_policy *policy,
		   unsigned int validate, struct netlink_ext_ack *extack);

#endif
