# SPDX-License-Identifier: BSD-3-Clause
"""QUIC v1 handshakes up to the point where a data plane takes over.

What is here is the `tls` mode: ordinary certificates or pinned fingerprints, for lab and interop
use. It hides nothing: a probe that connects sees a server of its own kind. `docs/handshake.md`
tells how it works.
"""
