# One file, no recursion: all · run · test · abi · bench · fuzz · soak · install · clean · format · format-check · tidy
#
# Variants build side by side: make VARIANT=plain|asan|tsan|clang|fuzz (default plain); B=DIR builds elsewhere.
# For another machine: make CROSS=arm-linux-gnueabihf- B=DIR [SYSROOT=DIR] [CFLAGS=…] (docs/arm.md).
# A new actor, plugin, tool or test is a new folder or file: nothing here lists them.

VARIANT ?= plain
B       ?= build/$(VARIANT)
# One spelling, however it was given: what depends on what is kept by path.
override B := $(patsubst $(CURDIR)/%,%,$(abspath $(B)))
PREFIX  ?= /usr/local
# Where the libraries go, seen from PREFIX.
LIBDIR  ?= lib
# The release, and the number of the plugin interface, as the headers say.
VERSION := $(shell sed -n 's/^.define PIW_VERSION  *"\(.*\)"/\1/p' core/piw/version.h)
ABI     := $(shell sed -n 's/^.define PIW_ABI  *//p' core/piw/version.h)

# CROSS is the prefix of another machine's tools; SYSROOT a folder with its libraries and headers, where they aren't in the
# compiler's own places. What runs during the build is compiled by HOSTCC.
CROSS    ?=
SYSROOT  ?=
HOSTCC   ?= gcc
CC_plain := $(CROSS)gcc
CC_asan  := $(CROSS)gcc
CC_tsan  := $(CROSS)gcc
CC_fuzz  := clang
CC_clang := clang $(CROSS:%-=--target=%)
CC       := $(CC_$(VARIANT)) $(SYSROOT:%=--sysroot=%)
AR       := $(CROSS)ar
# Without a pkg-config of the cross prefix the host's is told where that machine's files are.
PKG_CONFIG := $(or $(and $(CROSS),$(shell command -v $(CROSS)pkg-config)),$(if $(CROSS),env PKG_CONFIG_PATH= \
    PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(CROSS:%-=%)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig) \
    $(SYSROOT:%=PKG_CONFIG_SYSROOT_DIR=%) pkg-config)

# A library's update may deprecate what we call: that is a warning, and stops nobody's build.
WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wwrite-strings -Wformat=2 -Wundef -Wno-missing-field-initializers \
        -Wno-error=deprecated-declarations
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread -fno-omit-frame-pointer
SAN_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN      := $(SAN_$(VARIANT))
OPT_plain := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_clang := $(OPT_plain)
OPT_asan  := -O1
OPT_tsan  := -O1
OPT_fuzz  := -O1

# Who gives flags of their own adds to these, also on the command line.
override CFLAGS := -std=gnu17 -g $(OPT_$(VARIANT)) $(WARN) $(SAN) -fPIC -fvisibility=hidden -pthread $(CFLAGS)
# Sizes of files and times have 64 bits on every machine (docs/arm.md: what that means at the borders of libraries).
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DPIW_PREFIX='"$(PREFIX)"' -Icore -I$(B)/gen -Iactors -Itools -MMD -MP
PQ_CFLAGS := $(shell $(PKG_CONFIG) --cflags libpq 2>/dev/null)
override LDFLAGS += $(SAN) -pthread -Wl,-z,relro,-z,now
DEFS_plain := -Wl,-z,defs
RPATH    = -Wl,-rpath,'$$ORIGIN/../lib' -Wl,-rpath,'$$ORIGIN/../../lib'

# Where the processor has no atomic access to 64 bits (ARMv6), the compiler's library does it.
ATOMIC    := -Wl,--push-state,--as-needed -latomic -Wl,--pop-state
# Since its version 6 msgpack has another name.
MSGPACK   := $(or $(filter -lmsgpack%,$(shell $(PKG_CONFIG) --libs-only-l msgpack-c 2>/dev/null)),-lmsgpackc)
CORE_LIBS := -lzmq $(MSGPACK) -lcbor -lcrypto -ldl -lm $(ATOMIC)
# The core's unit tests under ThreadSanitizer are linked without ports: libzmq gives false races.
NOPORTS_tsan := core/port/port.c core/port/socket.c core/port/frames.c core/port/client.c core/port/zap.c core/port/links.c \
                core/port/context.c
PORTS_tsan   := core/port/noports.c
CORE_SRC  := $(filter-out core/port/noports.c $(NOPORTS_$(VARIANT)),$(wildcard core/*/*.c)) $(PORTS_$(VARIANT))
CORE_LIBS_tsan := $(MSGPACK) -lcbor -lcrypto -ldl -lm $(ATOMIC)
CORE_LIBS := $(or $(CORE_LIBS_$(VARIANT)),$(CORE_LIBS))

PROTO     := $(wildcard proto/*.piw)
GEN       := $(PROTO:proto/%.piw=$(B)/gen/%.piw)
IDL       := $(B)/$(if $(CROSS),host/)bin/piw-idl
ACTORS    := $(filter-out shared,$(notdir $(patsubst %/,%,$(dir $(wildcard actors/*/*.c)))))
PLUGINS   := $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/*.c))))
ACTORS    := $(sort $(ACTORS))
PLUGINS   := $(sort $(PLUGINS))
TOOLS     := $(sort $(filter-out piw-idl common,$(notdir $(patsubst %/,%,$(dir $(wildcard tools/*/*.c))))))
UNIT      := $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
BENCHES   := $(patsubst test/bench/%.c,%,$(wildcard test/bench/*.c))
FIXTURES  := $(patsubst test/plugins/%.c,%,$(wildcard test/plugins/*.c))
TESTPROTO := $(patsubst test/proto/%.piw,%,$(wildcard test/proto/*.piw))

# Libraries that single parts need beside libpiw.
LIBS_the_oracle    := -lpq -lcjson
LIBS_the_architect := -lpq
LIBS_cloud_gazer   := -lcurl -lexpat -lyajl -lcjson
LIBS_file_juggler  := -lz -lcrypto -ldeflate
LIBS_fetch         := -lcurl
LIBS_metrics       := -lmicrohttpd
LIBS_notify        := -lcurl -lcjson -lcrypto
LIBS_piw-add       := -lcurl -lcjson
LIBS_piw-audit     := -lpq -lcjson -lz -lcrypto
LIBS_piw-ctl       := -lcjson -lz
LIBS_piw-initdb    := -lpq
# libzmq finds the accept4, recv and close of tools/piw-master/accept.c.
LIBS_piw-master    := -Wl,--export-dynamic-symbol=accept4 -Wl,--export-dynamic-symbol=recv -Wl,--export-dynamic-symbol=close
LIBS_piw-monitor   := -lncursesw -ltinfo -lz
# The plugin and libpiw find the clock of tools/piw-replay/clock.c (on 32 bits by the name with 64).
LIBS_piw-replay    := $(foreach s,clock_gettime __clock_gettime64 time __time64 gettimeofday __gettimeofday64,-Wl,--export-dynamic-symbol=$(s))
LIBS_piw-slave     := -lz -lcrypto -larchive -lcjson
LIBS_piw-logger    := -lz -lcjson
LIBS_web_server    := -lmicrohttpd -lz -lcjson
LIBS_piw-pypi      := -lmicrohttpd -lcrypto -lz -larchive
LIBS_shared        := -lz -lcrypto -lelf -ldeflate
LIBS_unit          := -lcheck -lsubunit -lrt -lm -lcjson -larchive -lpq -lexpat -lyajl $(ATOMIC)
LIBS_bench         := -lzmq -lpq -lcrypto $(ATOMIC)

.PHONY: all man run test bench fuzz soak install clean format format-check tidy deps docs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/lock.checked $(B)/bin/piw-idl $(B)/lib/libpiw.so $(ACTORS:%=$(B)/plugins/%.so) $(PLUGINS:%=$(B)/plugins/%.so) $(TOOLS:%=$(B)/bin/%) $(B)/pkgconfig/piwheels.pc

# --- the IDL compiler stands alone; everything else may use what it emits ---
# It ends with its parse trees still in memory, which is no leak worth stopping a sanitizer's build for.
RUN_IDL := ASAN_OPTIONS=detect_leaks=0 $(IDL)
$(B)/bin/piw-idl: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/piw-idl/*.c))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

# Built for another machine it wouldn't run here, so there is one more.
$(B)/host/bin/piw-idl: $(wildcard tools/piw-idl/*.c tools/piw-idl/*.h)
	@mkdir -p $(@D)
	$(HOSTCC) -std=gnu17 -O1 $(filter-out -MMD -MP,$(CPPFLAGS)) -o $@ $(filter %.c,$^)

$(B)/gen/%.piw.c: proto/%.piw $(IDL) $(wildcard proto/*.piw)
	@mkdir -p $(@D)
	$(RUN_IDL) --import proto --out $(B)/gen $<

$(B)/gen/test/%.piw.c: test/proto/%.piw $(IDL) $(wildcard proto/*.piw)
	@mkdir -p $(@D)
	$(RUN_IDL) --import proto --out $(@D) $<

$(B)/gen/plugins/%.piw.c: plugins/%.piw $(IDL) $(wildcard proto/*.piw)
	@mkdir -p $(@D)
	$(RUN_IDL) --import proto --out $(@D) $<

# Names every protocol, for tests and tools.
$(B)/gen/protocols.h: $(IDL) $(PROTO)
	@mkdir -p $(@D)
	$(RUN_IDL) --import proto --index $@ $(PROTO)

# Shapes of protocols change only so that peers of other versions still understand (docs/idl.md).
$(B)/lock.checked: $(IDL) $(PROTO) $(wildcard proto/lock)
	$(RUN_IDL) --import proto --check-lock proto/lock $(PROTO)
	@touch $@

docs: $(IDL)
	$(RUN_IDL) --import proto --docs docs/protocol.md $(PROTO)
	$(RUN_IDL) --import proto --lock proto/lock $(PROTO)

GEN_STAMP := $(GEN:=.c) $(B)/gen/protocols.h
# tally.piw in three versions, for plugins whose state grows.
TALLIES   := $(patsubst test/proto/%/tally.piw,%,$(wildcard test/proto/tally_*/tally.piw))
TEST_GEN  := $(TESTPROTO:%=$(B)/gen/test/%.piw.c) $(TALLIES:%=$(B)/gen/test/%/tally.piw.c)
# A plugin may bring protocols of its own, which are compiled into it.
PLUGIN_PROTO := $(wildcard plugins/*/*.piw)
PLUGIN_GEN   := $(PLUGIN_PROTO:plugins/%.piw=$(B)/gen/plugins/%.piw.c)

$(B)/lib/libproto.a: $(GEN:$(B)/gen/%=$(B)/obj/gen/%.o)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^
$(B)/lib/libtestproto.a: $(TESTPROTO:%=$(B)/obj/gen/test/%.piw.o)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^
$(B)/obj/gen/%.o: $(B)/gen/%.c | $(GEN_STAMP) $(TEST_GEN) $(PLUGIN_GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# --- core ---
# The admin queue, the service that shows the tasks, and recordings are the core's own: their protocols are inside.
CORE_PROTO := admin orders tasks recording
CORE_OBJ := $(CORE_SRC:%.c=$(B)/obj/%.o) $(CORE_PROTO:%=$(B)/obj/gen/%.piw.o)
$(B)/lib/libpiw.so: $(CORE_OBJ) core/libpiw.map
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(DEFS_$(VARIANT)) -shared -Wl,-soname,libpiw.so.$(ABI) -Wl,--version-script,core/libpiw.map \
	    -o $@.$(ABI) $(filter %.o,$^) $(CORE_LIBS)
	ln -sfn libpiw.so.$(ABI) $@
# The same library for tests and benches, which call what is its own (piw__) too. Plugins name it as they name the other, so that
# there is one core in a process.
$(B)/test/lib/libpiw.so: $(CORE_OBJ) core/libpiw.map
	@mkdir -p $(@D)
	sed 's/piw_\[!_\]\*/piw_*/' core/libpiw.map >$(@D)/libpiw.map
	$(CC) $(LDFLAGS) $(DEFS_$(VARIANT)) -shared -Wl,-soname,libpiw.so.$(ABI) -Wl,--version-script,$(@D)/libpiw.map \
	    -o $@.$(ABI) $(filter %.o,$^) $(CORE_LIBS)
	ln -sfn libpiw.so.$(ABI) $@

# --- what the farm's parts share ---
SHARED_SRC := $(wildcard actors/shared/*.c actors/shared/*/*.c)
$(B)/lib/libshared.a: $(SHARED_SRC:%.c=$(B)/obj/%.o)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/obj/tools/piw-idl/%.o: tools/piw-idl/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(B)/obj/%.o: %.c | $(GEN_STAMP) $(TEST_GEN) $(PLUGIN_GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(if $(findstring -lpq,$(LIBS_$(notdir $(<D))))$(findstring pq-fe,$(file <$<)),$(PQ_CFLAGS)) $(CFLAGS) -c -o $@ $<

# The SQL files are inside piw-initdb.
$(B)/obj/tools/piw-initdb/schema.o: $(wildcard schema/*.sql schema/upgrade/*.sql)

# The templates of the site are inside the writers of it.
$(B)/obj/actors/shared/scribe/site_files.o: $(wildcard site/*)

# --- tasks: one shared object each, one exported symbol ---
PLUGIN_LINK = $(CC) $(LDFLAGS) $(DEFS_$(VARIANT)) -shared -Wl,--exclude-libs,ALL $(RPATH) -o $@ $(filter %.o,$^) \
              $(filter %.a,$^) -L$(B)/lib -lpiw $(LIBS_$(*F)) $(LIBS_shared)
define PLUGIN_RULE
$$(B)/obj/$(1)/$(2)/%.o: override CPPFLAGS += -I$$(B)/gen/$(1)/$(2)
$$(B)/plugins/$(2).so: $$(patsubst %.c,$$(B)/obj/%.o,$$(wildcard $(1)/$(2)/*.c)) \
    $$(patsubst $(1)/$(2)/%.piw,$$(B)/obj/gen/$(1)/$(2)/%.piw.o,$$(wildcard $(1)/$(2)/*.piw)) $$(B)/lib/libshared.a $$(B)/lib/libproto.a | $$(B)/lib/libpiw.so
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) $$(DEFS_$$(VARIANT)) -shared -Wl,--exclude-libs,ALL $$(RPATH) -o $$@ $$(filter %.o,$$^) \
	    $$(filter %.a,$$^) -L$$(B)/lib -lpiw $$(LIBS_$(2)) -Wl,--as-needed $$(LIBS_shared)
endef
$(foreach a,$(ACTORS),$(eval $(call PLUGIN_RULE,actors,$(a))))
$(foreach p,$(PLUGINS),$(eval $(call PLUGIN_RULE,plugins,$(p))))

# --- programs: a folder each; tools/common/ is what several of them share ---
$(B)/lib/libtools.a: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/common/*.c))
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

define TOOL_RULE
$$(B)/bin/$(1): $$(patsubst %.c,$$(B)/obj/%.o,$$(wildcard tools/$(1)/*.c)) $$(B)/lib/libtools.a $$(B)/lib/libshared.a $$(B)/lib/libproto.a | $$(B)/lib/libpiw.so
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) $$(RPATH) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) -L$$(B)/lib -lpiw $$(LIBS_$(1)) $$(ATOMIC) -Wl,--as-needed $$(LIBS_shared)
endef
$(foreach t,$(TOOLS),$(eval $(call TOOL_RULE,$(t))))
# What piw-new-task doesn't call a task: the farm's tasks, files and services of messages, and what has a state or record NAME_state
# already, which would be the new task's. The folders change when something comes or goes in them.
TAKEN := $(B)/gen/taken.inc
$(TAKEN): actors plugins $(PROTO)
	@mkdir -p $(@D)
	printf '"%s",\n' $(sort $(ACTORS) $(PLUGINS) $(basename $(notdir $(PROTO))) \
	    $(shell sed -n 's/^\(service\|queue\) \([a-z_]*\).*/\2/p; s/^[a-z]* \([a-z_]*\)_state\>.*/\1/p' $(PROTO))) >$@
$(B)/obj/tools/piw-new-task/main.o: $(TAKEN)
$(B)/obj/tools/piw-new-task/template.o: $(wildcard tools/piw-new-task/template/*)
# Where a task outside of this tree finds a checkout: make PIWHEELS=… in what piw-new-task makes.
$(B)/pkgconfig/piwheels.pc: packaging/piwheels-checkout.pc.in core/piw/version.h
	@mkdir -p $(@D)
	sed 's|@SOURCE@|$(CURDIR)|; s|@BUILD@|$(abspath $(B))|; s|@VERSION@|$(VERSION)|' $< >$@
# systemd hears of a slave as of a master, by code of the runtime that is none of its interface.
$(B)/bin/piw-slave: $(B)/obj/core/base/sdnotify.o

# --- tests and benches ---
$(B)/test/unit/%: $(B)/obj/test/unit/%.o $(B)/obj/test/unit/main.o $(B)/lib/libshared.a $(B)/lib/libtestproto.a $(B)/lib/libproto.a \
    | $(B)/test/lib/libpiw.so $(B)/lib/libpiw.so
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../lib' -o $@ $(filter %.o,$^) $(filter %.a,$^) -L$(B)/test/lib -lpiw $(LIBS_unit) \
	    -Wl,--as-needed $(LIBS_shared)
# Unit programs that include "TOOL/….h" are linked with that program's objects, but for what needs more than the library:
# main.c, and a terminal.c.
define TOOL_UNIT_RULE
$$(patsubst test/unit/%.c,$$(B)/test/unit/%,$(2)): $$(patsubst %.c,$$(B)/obj/%.o,$$(filter-out %/main.c %/terminal.c,$$(wildcard tools/$(1)/*.c))) $$(B)/lib/libtools.a
endef
$(foreach t,$(TOOLS),$(foreach u,$(shell grep -lE '^.include "$(t)/' test/unit/test_*.c /dev/null),$(eval $(call TOOL_UNIT_RULE,$(t),$(u)))))
$(patsubst test/unit/%.c,$(B)/test/unit/%,$(shell grep -lE '^.include "common/' test/unit/test_*.c /dev/null)): $(B)/lib/libtools.a
# Unit programs that reach inside the library (hidden functions) are linked with its objects instead of it.
INSIDE := $(patsubst test/unit/%.c,%,$(shell grep -lE '^.include "(actor/record|bus/outbox|port/incoming|port/networks|port/peers|port/port|port_side|record/shape)\.h"' test/unit/test_*.c /dev/null))
$(B)/lib/libcore.a: $(CORE_OBJ)
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^
$(INSIDE:%=$(B)/test/unit/%): $(B)/test/unit/%: $(B)/obj/test/unit/%.o $(B)/obj/test/unit/main.o $(B)/lib/libshared.a $(B)/lib/libtestproto.a $(B)/lib/libproto.a $(B)/lib/libcore.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(CORE_LIBS) $(LIBS_unit) -Wl,--as-needed $(LIBS_shared)
$(B)/test/unit/test_state: $(B)/obj/gen/test/tally_v1/tally.piw.o
$(TALLIES:%=$(B)/obj/test/plugins/%.o): CPPFLAGS += -I$(B)/gen/test/$(basename $(@F))
$(TALLIES:%=$(B)/test/plugins/%.so): $(B)/test/plugins/%.so: $(B)/obj/test/plugins/%.o $(B)/obj/gen/test/%/tally.piw.o | $(B)/lib/libpiw.so
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared $(RPATH) -o $@ $^ -L$(B)/lib -lpiw
$(B)/test/plugins/%.so: $(B)/obj/test/plugins/%.o $(B)/lib/libtestproto.a $(B)/lib/libproto.a | $(B)/lib/libpiw.so
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared -Wl,--exclude-libs,ALL $(RPATH) -o $@ $(filter %.o,$^) $(filter %.a,$^) -L$(B)/lib -lpiw
$(B)/bench/%: $(B)/obj/test/bench/%.o $(B)/lib/libshared.a $(B)/lib/libtestproto.a $(B)/lib/libproto.a | $(B)/test/lib/libpiw.so $(B)/lib/libpiw.so
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../test/lib' -o $@ $^ -L$(B)/test/lib -lpiw $(LIBS_bench) -Wl,--as-needed $(LIBS_shared)

unit-programs: $(UNIT:%=$(B)/test/unit/%) $(FIXTURES:%=$(B)/test/plugins/%.so)
bench-programs: $(BENCHES:%=$(B)/bench/%)
.PHONY: unit-programs bench-programs

deps:
	@tools/install-deps

test: deps
	@test/run $(ONLY)

# What plugins were compiled against must stay: the plain build, whatever VARIANT says, is compared with packaging/abi/
# (docs/plugin-api.md). UPDATE=1 writes that anew.
abi: deps
	@$(MAKE) --no-print-directory -s VARIANT=plain B=build/plain build/plain/lib/libpiw.so build/plain/plugins/hello.so
	@UPDATE=$(UPDATE) test/abi build/plain
.PHONY: abi

# Readers of what comes from outside under libFuzzer, for MINUTES (default 5) in all; FUZZ=zip: one of them.
FUZZ_TARGETS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
# Of actors and programs, whose code is in no library: the files that a target's readers are in.
$(B)/fuzz/json: $(patsubst %,$(B)/obj/actors/cloud_gazer/%.o,json_reader listing page project)
$(B)/fuzz/xmlrpc: $(B)/obj/actors/cloud_gazer/xmlrpc.o
$(B)/fuzz/web_log: $(patsubst %.c,$(B)/obj/%.o,$(filter-out %/main.c,$(wildcard tools/piw-logger/*.c)))
$(B)/fuzz/web_request: $(patsubst %,$(B)/obj/plugins/web_server/%.o,target negotiate conditions)
$(B)/fuzz/idl: $(patsubst %.c,$(B)/obj/%.o,$(filter-out %/main.c,$(wildcard tools/piw-idl/*.c)))
$(B)/fuzz/idl: override LDFLAGS += -Wl,--wrap=exit,--wrap=calloc,--wrap=realloc,--wrap=vasprintf,--wrap=idl_read
$(B)/fuzz/%: $(B)/obj/test/fuzz/fuzz_%.o $(B)/lib/libshared.a $(B)/lib/libproto.a $(B)/lib/libcore.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CORE_LIBS) $(LIBS_unit) -Wl,--as-needed $(LIBS_shared)
fuzz-programs: $(FUZZ_TARGETS:%=$(B)/fuzz/%)
fuzz: deps
	@$(MAKE) --no-print-directory -s VARIANT=fuzz B=build/fuzz fuzz-programs
	@test/fuzz/run build/fuzz $(FUZZ)
.PHONY: fuzz-programs

# Hostile bytes, and storms of swaps, failures and hostile peers with ever new seeds, PIW_TIMES times as long as in the tests, for
# MINUTES (default 60), under AddressSanitizer. Then ten of these minutes (or MINUTES) of kill -9 of a whole farm's parts, and an audit.
SOAK := test_attack test_codec test_idl test_storm test_swap test_ends test_port_hostile
soak: deps
	@$(MAKE) --no-print-directory -s VARIANT=asan B=build/asan $(SOAK:%=build/asan/test/unit/%) build/asan/bin/piw-idl \
	    $(FIXTURES:%=build/asan/test/plugins/%.so)
	@MINUTES=$${MINUTES:-60} PIW_TIMES=$${PIW_TIMES:-10} test/seeded $(SOAK:%=build/asan/test/unit/%)
	@$(MAKE) --no-print-directory -s VARIANT=plain B=build/plain all
	@B=build/plain test/soak

run: deps
	@tools/demo/run

bench: deps
	@$(MAKE) --no-print-directory -s all bench-programs
	@test/bench/run $(AGAINST:%=--against %) '$(if $(PLOT),growth,$(BENCH))' $(SCALE)

# Manual pages, and what bash and zsh complete, from the option tables that the programs and tasks themselves have: a library that
# is loaded before theirs gets each table in place of the configuration's reader (packaging/man/). $(B)/man/share is laid out as
# below PREFIX. Programs for another machine can't be asked here, nor sanitized ones, which want to be loaded first themselves.
MUTE := $(CROSS)$(SAN)
man: $(if $(MUTE),,$(B)/man/made)
$(B)/man/tables.so: $(B)/obj/packaging/man/tables.o $(B)/obj/core/config/program.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared -o $@ $^
$(B)/man/sections: $(B)/obj/packaging/man/sections.o $(B)/obj/tools/piw-master/options.o $(B)/lib/libtools.a | $(B)/lib/libpiw.so
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -L$(B)/lib -lpiw -ldl
$(B)/man/made: $(B)/man/tables.so $(B)/man/sections $(TOOLS:%=$(B)/bin/%) $(B)/bin/piw-idl $(ACTORS:%=$(B)/plugins/%.so) \
    $(PLUGINS:%=$(B)/plugins/%.so) packaging/man/write.py
	rm -rf $(B)/man/share
	packaging/man/write.py $(B) $(VERSION) $(TOOLS) piw-idl
	@touch $@

# What a task outside of this tree needs is installed too: headers, piw-idl, the farm's protocols as sources, headers and
# tables (libpiwproto.a), and piwheels.pc, which knows where they are (docs/writing-a-task.md).
DEST := $(DESTDIR)$(PREFIX)
install: all $(if $(MUTE),,man)
	install -d $(DEST)/bin $(DEST)/$(LIBDIR)/pkgconfig $(DEST)/lib/piwheels/plugins $(DEST)/lib/systemd/system \
	    $(DEST)/lib/tmpfiles.d $(DEST)/include/piw $(DEST)/include/piwheels $(DEST)/share/piwheels/proto \
	    $(DEST)/share/piwheels/templates $(DEST)/share/doc/piwheels/examples
	install -m 644 site/* $(DEST)/share/piwheels/templates
	install $(TOOLS:%=$(B)/bin/%) $(B)/bin/piw-idl $(DEST)/bin
	install -m 644 $(B)/lib/libpiw.so.$(ABI) $(DEST)/$(LIBDIR)
	ln -sfn libpiw.so.$(ABI) $(DEST)/$(LIBDIR)/libpiw.so
	install -m 644 $(B)/lib/libproto.a $(DEST)/$(LIBDIR)/libpiwproto.a
	install -m 644 $(ACTORS:%=$(B)/plugins/%.so) $(PLUGINS:%=$(B)/plugins/%.so) $(DEST)/lib/piwheels/plugins
	install -m 644 core/piw/*.h $(DEST)/include/piw
	install -m 644 $(GEN:=.h) $(DEST)/include/piwheels
	install -m 644 $(PROTO) $(DEST)/share/piwheels/proto
	install -m 644 README.md LICENSE piwheels.conf.example docs/*.md $(DEST)/share/doc/piwheels
	install -m 644 packaging/prometheus/* $(DEST)/share/doc/piwheels/examples
	for server in nginx apache; do \
	    install -m 644 packaging/$$server/piwheels.conf $(DEST)/share/doc/piwheels/examples/$$server.conf || exit 1; done
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' packaging/piwheels.pc.in \
	    >$(DEST)/$(LIBDIR)/pkgconfig/piwheels.pc
	for unit in packaging/systemd/*.service; do \
	    sed 's|/usr/bin/piw-|$(PREFIX)/bin/piw-|' $$unit >$(DEST)/lib/systemd/system/$${unit##*/} || exit 1; done
	install -m 644 packaging/tmpfiles/piwheels.conf $(DEST)/lib/tmpfiles.d
	$(if $(MUTE),,cp -R $(B)/man/share $(DEST))

clean:
	rm -rf build

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

format-check:
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

# clang-tidy over all that is installed, a file a run (.clang-tidy says what is looked for). Nothing is compiled, but the
# headers that piw-idl writes must be there; a plugin's own lie in its folder. core/base/err.c defines what test/tidy.h wraps.
TIDY := $(wildcard core/*/*.c actors/*/*.c actors/*/*/*.c tools/*/*.c plugins/*/*.c)
tidy: $(TIDY:%=$(B)/tidy/%)
$(B)/tidy/%.c: %.c .clang-tidy test/tidy.h | $(GEN_STAMP) $(PLUGIN_GEN) $(TAKEN)
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- -std=gnu17 $(filter-out -MMD -MP,$(CPPFLAGS)) -I$(B)/gen/$(<D) $(PQ_CFLAGS) \
	    $(if $(filter-out core/base/err.c,$<),-include test/tidy.h)
	@touch $@

-include $(shell test -d $(B)/obj && find $(B)/obj -name '*.d')
