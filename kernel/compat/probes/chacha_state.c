// SPDX-License-Identifier: GPL-2.0
/* ChaCha's state is a struct, not an array. */
#include <crypto/chacha.h>

void nqd_probe(struct chacha_state *state, const u32 *key, const u8 *iv);
void nqd_probe(struct chacha_state *state, const u32 *key, const u8 *iv)
{
	chacha_init(state, key, iv);
	chacha_zeroize_state(state);
}
