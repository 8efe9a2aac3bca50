# SPDX-License-Identifier: BSD-3-Clause
# Builds the protocol core of kernel/proto/ for user space, against the shim, in several flavours.
#   make -f engine/proto.mk [FLAVOURS="m64 m32 m32san ubsan asan ppc64"]   -> build/proto/FLAVOUR/libnqdproto.a
PROTO_SRC := $(wildcard kernel/proto/*.c)
FLAVOURS ?= m64
OUT ?= build/proto
WARN := -Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wcast-qual -Wpointer-arith -Wwrite-strings \
	-Wimplicit-fallthrough -Wdeclaration-after-statement -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wno-address-of-packed-member -Wno-unused-parameter
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
# m32 itself stays as the kernel would compile it: what symbols it needs is looked at.
CC_m32san := gcc
CFLAGS_m32san := $(CFLAGS_m32) -fsanitize=address,undefined -fno-sanitize-recover=all
CC_ppc64 := powerpc64-linux-gnu-gcc
CFLAGS_ppc64 :=
# The emulator has no shared libraries of that machine.
LDFLAGS_ppc64 := -static
# Fuzz targets: sanitizers and libFuzzer; and another build that counts lines.
CC_fuzz := clang
CFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_fuzz := -fsanitize=fuzzer
CC_cover := clang
CFLAGS_cover := -O0 -fprofile-instr-generate -fcoverage-mapping
LDFLAGS_cover := -fsanitize=fuzzer

all: $(FLAVOURS:%=$(OUT)/%/libnqdproto.a)

define flavour
$(OUT)/$(1)/%.o: kernel/proto/%.c $(wildcard kernel/proto/*.h) $(wildcard kernel/uapi/*.h engine/shim/linux/*.h) engine/proto.mk
	@mkdir -p $$(@D)
	@echo "  CC [$(1)] $$<"; \
	$(CC_$(1)) $(COMMON) $(CFLAGS_$(1)) -c -o $$@ $$<
$(OUT)/$(1)/libnqdproto.a: $(PROTO_SRC:kernel/proto/%.c=$(OUT)/$(1)/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^
# The golden vectors as a program: build/proto/FLAVOUR/vectors
$(OUT)/$(1)/vectors: tests/proto/wire/vectors_main.c kernel/tests/vectors_generated.h $(OUT)/$(1)/libnqdproto.a
	$(CC_$(1)) $(COMMON) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) -o $$@ $$< $(OUT)/$(1)/libnqdproto.a
endef
# Of the engine: what reads strangers' bytes and needs no library.
FUZZ_SHARED := fuzz/frames.c fuzz/conn_home.c engine/hello.c
define fuzzer
$(OUT)/$(1)/fuzz_%: fuzz/fuzz_%.c $(FUZZ_SHARED) $(wildcard fuzz/*.h) engine/hello.h $(OUT)/$(1)/libnqdproto.a
	$(CC_$(1)) $(COMMON) $(CFLAGS_$(1)) -Ifuzz -Iengine -o $$@ $$< $(FUZZ_SHARED) $(OUT)/$(1)/libnqdproto.a $(LDFLAGS_$(1))
endef
$(foreach f,fuzz cover,$(eval $(call fuzzer,$(f))))
$(foreach f,m64 m32 m32san ubsan asan ppc64 fuzz cover,$(eval $(call flavour,$(f))))

.PHONY: all
