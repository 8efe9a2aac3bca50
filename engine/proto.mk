# SPDX-License-Identifier: BSD-3-Clause
# Builds the protocol core of kernel/proto/ for user space, against the shim, in several flavours.
#   make -f engine/proto.mk [FLAVOURS="m64 m32 ubsan asan ppc64"]   -> build/proto/FLAVOUR/libnqdproto.a
PROTO_SRC := $(wildcard kernel/proto/*.c)
FLAVOURS ?= m64
OUT ?= build/proto
WARN := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wno-address-of-packed-member -Wno-unused-parameter
COMMON := -std=gnu11 -O2 -g -fno-strict-aliasing -fno-common -Iengine/shim -Ikernel -Ikernel/proto $(WARN)

CC_m64 := gcc
CFLAGS_m64 := -fPIC
# gcc-multilib itself conflicts with cross compilers, hence the path to the architecture's headers.
CC_m32 := gcc
CFLAGS_m32 := -m32 -idirafter /usr/include/x86_64-linux-gnu
# What Python loads: no ASan, which would have to be loaded before the interpreter.
CC_ubsan := gcc
CFLAGS_ubsan := -fPIC -fsanitize=undefined -fno-sanitize-recover=all
CC_asan := clang
CFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_ppc64 := powerpc64-linux-gnu-gcc
CFLAGS_ppc64 :=

all: $(FLAVOURS:%=$(OUT)/%/libnqdproto.a)

define flavour
$(OUT)/$(1)/%.o: kernel/proto/%.c $(wildcard kernel/proto/*.h) $(wildcard engine/shim/linux/*.h) engine/proto.mk
	@mkdir -p $$(@D)
	@echo "  CC [$(1)] $$<"; \
	$(CC_$(1)) $(COMMON) $(CFLAGS_$(1)) -c -o $$@ $$<
$(OUT)/$(1)/libnqdproto.a: $(PROTO_SRC:kernel/proto/%.c=$(OUT)/$(1)/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach f,m64 m32 ubsan asan ppc64,$(eval $(call flavour,$(f))))

.PHONY: all
