# SPDX-License-Identifier: BSD-3-Clause
"""The agent: brings tunnels up, keeps them up, and cleans up behind itself.

`config` says what is wanted, `agent` runs it: a data plane (`plane`), handshakes (`client`,
`server`), one `tunnel` a peer, the host's addresses and routes (`network`), and a control socket
(`control`). `docs/operations.md` tells how to run it.
"""
