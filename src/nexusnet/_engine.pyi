# SPDX-License-Identifier: BSD-3-Clause
# Built by engine/build_ext.py from the engine's C files; cffi's objects have no types.
from typing import Any

ffi: Any
lib: Any
