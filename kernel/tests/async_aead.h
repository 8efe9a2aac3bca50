/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A cipher that completes when a test wants it to.
 */
#ifndef _NQD_TESTS_ASYNC_AEAD_H
#define _NQD_TESTS_ASYNC_AEAD_H

#define NQD_ASYNC_AEAD "nqd-test-async"

/**
 * enum nqd_async_mode - when a request completes
 * @NQD_ASYNC_AT_ONCE: with the call, as nearly always
 * @NQD_ASYNC_BEFORE_RETURN: by its callback, before the call returns
 * @NQD_ASYNC_LATER: by its callback, in a work
 * @NQD_ASYNC_BY_HAND: with nqd_async_complete()
 * @NQD_ASYNC_MODES: number of them
 */
enum nqd_async_mode {
	NQD_ASYNC_AT_ONCE,
	NQD_ASYNC_BEFORE_RETURN,
	NQD_ASYNC_LATER,
	NQD_ASYNC_BY_HAND,
	NQD_ASYNC_MODES,
};

void nqd_async_set(enum nqd_async_mode mode);
void nqd_async_complete(void);
int nqd_async_register(void);
void nqd_async_unregister(void);

#endif /* _NQD_TESTS_ASYNC_AEAD_H */
