# SPDX-License-Identifier: BSD-3-Clause
"""`nexus demo`: two agents in two network namespaces, put to work, measured, taken away again."""
