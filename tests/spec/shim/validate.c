// SPDX-License-Identifier: BSD-3-Clause
/* Strict validation by policy, as lib/nlattr.c of the kernel documents it, and test accessors. */
#include "netlink_gen.h"

static u64 number(const struct nlattr *at)
{
	u64 value = 0;

	memcpy(&value, nla_data(at), (size_t)nla_len(at) < 8 ? (size_t)nla_len(at) : 8);
	return value;
}

static int check_value(const struct nla_policy *policy, u64 value)
{
	u64 low = policy->range ? policy->range->min : policy->min;
	u64 high = policy->range ? policy->range->max : policy->max;

	if (policy->check == CHECK_RANGE && (value < low || value > high))
		return -ERANGE;
	if (policy->check == CHECK_MASK && (value & ~high))
		return -EINVAL;
	return 0;
}

static int check_one(const struct nlattr *at, const struct nla_policy *policy, unsigned int flags,
		     struct netlink_ext_ack *extack)
{
	int len = nla_len(at);
	const char *data = nla_data(at);

	if ((flags & NL_VALIDATE_NESTED) &&
	    (policy->type == NLA_NESTED) != !!(at->nla_type & NLA_F_NESTED) &&
	    policy->type != NLA_UNSPEC)
		return -EINVAL;
	switch (policy->type) {
	case NLA_U32:
	case NLA_S32:
		return len == 4 ? check_value(policy, number(at)) : -ERANGE;
	case NLA_U64:
		return len == 8 ? check_value(policy, number(at)) : -ERANGE;
	case NLA_BINARY:
		if (policy->check == CHECK_RANGE)
			return check_value(policy, (u64)len);
		return policy->len && len > policy->len ? -ERANGE : 0;
	case NLA_NUL_STRING:
		if (!len || !memchr(data, 0, (size_t)len))
			return -EINVAL;
		return strlen(data) > policy->len ? -ERANGE : 0;
	case NLA_NESTED:
		return len ? __nla_validate(nla_data(at), len, policy->len, policy->nested_policy,
					    flags, extack) : 0;
	default:
		return 0;
	}
}

int __nla_validate(const struct nlattr *head, int len, int max, const struct nla_policy *policy,
		   unsigned int validate, struct netlink_ext_ack *extack)
{
	struct nlattr *at;
	int rest, err;

	nla_for_each_attr(at, (struct nlattr *)head, len, rest) {
		if (!nla_type(at) || nla_type(at) > max)
			continue;
		err = check_one(at, &policy[nla_type(at)], validate, extack);
		if (err) {
			if (!extack->attribute)
				extack->attribute = at;
			extack->message = "Attribute failed policy validation";
			return err;
		}
	}
	return rest > 0 && (validate & NL_VALIDATE_TRAILING) ? -EINVAL : 0;
}

int test_op_flags(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nqd_nl_ops); i++)
		if (nqd_nl_ops[i].cmd == cmd)
			return nqd_nl_ops[i].flags;
	return -1;
}

int test_group_flags(unsigned int group)
{
	return nqd_nl_mcgrps[group].flags;
}
