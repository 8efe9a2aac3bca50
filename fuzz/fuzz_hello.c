// SPDX-License-Identifier: BSD-3-Clause
/*
 * The input is the payload of a stranger's Initial. A hello that is found in it, and the share in
 * that, lie inside; and the hello is one by its own words.
 */
#include "hello.h"
#include "script.h"

#include <linux/unaligned.h>

static void check_share(const u8 *hello, u32 len)
{
	const u8 *share = nqe_hello_share(hello, len);

	if (!share)
		return;
	CHECK(share >= hello + NQE_HELLO_RANDOM_AT + NQE_HELLO_RANDOM);
	CHECK(share + NQE_HELLO_SHARE <= hello + len);
	/* One byte less is another message, and not a whole one. */
	CHECK(!nqe_hello_share(hello, len - 1));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const u8 *hello;
	u32 len = 0;

	check_share(data, (u32)size);
	hello = nqe_hello_find(data, (u32)size, &len);
	if (!hello)
		return 0;
	CHECK(hello > data && hello + len <= data + size);
	CHECK(len >= NQE_HELLO_RANDOM_AT + NQE_HELLO_RANDOM);
	CHECK(get_unaligned_be32(hello) == (1U << 24 | (len - 4)));
	check_share(hello, len);
	return 0;
}
