# SPDX-License-Identifier: BSD-3-Clause
"""What pyproject.toml cannot say: the extension module that cffi builds."""

from setuptools import setup

setup(cffi_modules=["engine/build_ext.py:ffibuilder"])
