# Weir. `make help` lists what there is to call; docs and flags are explained where they are set.
# Variants are built side by side: BUILD=release (default), asan, tsan, cover, fuzz (clang).
VERSION ?= 0.1.0
BUILD   ?= release
PREFIX  ?= /usr/local
WERROR  ?= 1
CC      := $(if $(filter default,$(origin CC)),$(if $(filter fuzz,$(BUILD)),$(notdir $(firstword $(shell which clang clang-14 2>/dev/null) clang)),gcc),$(CC))
PYTHON  ?= /usr/bin/python3
MAKEFLAGS += --no-builtin-rules

OUT := $(if $(filter release,$(BUILD)),build,build/$(BUILD))
OBJ := build/obj/$(BUILD)
GEN := build/gen

# libmicrohttpd 1.0.1 or newer: ours of `make deps` (static) if it had to be built, else the system's.
ifneq ($(wildcard deps/lib/libmicrohttpd.a),)
MHD_CFLAGS := -isystem $(CURDIR)/deps/include
MHD_LIBS   := $(CURDIR)/deps/lib/libmicrohttpd.a -lgnutls
else
MHD_CFLAGS := $(shell pkg-config --cflags 'libmicrohttpd >= 1.0.1' 2>/dev/null)
MHD_LIBS   := $(shell pkg-config --libs 'libmicrohttpd >= 1.0.1' 2>/dev/null)
endif
PKGS       := jansson libpq libjwt libssl libcrypto libcurl zlib gnutls libpcre2-8
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN     := -Wall -Wextra -Wconversion -Wshadow -Wvla $(if $(filter 1,$(WERROR)),-Werror)
HARDEN_x86_64  := -fcf-protection=full
HARDEN_aarch64 := -mbranch-protection=standard
HARDEN   := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection $(HARDEN_$(shell uname -m)) \
            -ftrivial-auto-var-init=zero
FLAGS_release := -O2 $(HARDEN)
FLAGS_asan    := -Og -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g1 -fsanitize=thread -fno-omit-frame-pointer
FLAGS_cover   := -O0 --coverage
FLAGS_fuzz    := -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer
CPPFLAGS := -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. -I$(GEN) $(MHD_CFLAGS) $(PKG_CFLAGS)
CFLAGS   := -std=c11 -g -fPIE -pthread $(WARN) $(FLAGS_$(BUILD)) -ffile-prefix-map=$(CURDIR)=.
LDFLAGS  := -pie -pthread -Wl,--as-needed -Wl,-z,relro,-z,now,-z,noexecstack $(filter -fsanitize% --coverage,$(FLAGS_$(BUILD)))
LIBS     := $(MHD_LIBS) $(PKG_LIBS) -lm
# Programs of tests are many and run once: not optimized, and linked by the quicker linker where it is there.
TEST_CFLAGS  := $(if $(filter fuzz,$(BUILD)),,-O0 -U_FORTIFY_SOURCE)
TEST_LDFLAGS := $(LDFLAGS) $(if $(filter fuzz,$(BUILD)),,$(if $(shell which ld.gold 2>/dev/null),-fuse-ld=gold))

# Sources by folder: a new file needs no entry here. Generated ones: SQL texts, migrations, embedded pages.
GEN_SRC := $(GEN)/migrations.c $(GEN)/metaschemas.c $(GEN)/assets.c
SRC     := $(shell find gateway handlers db -name '*.c' 2>/dev/null | LC_ALL=C sort) $(GEN_SRC)
LIB_OBJ := $(patsubst %.c,$(OBJ)/%.o,$(filter-out gateway/main.c,$(SRC)))
LIB     := $(OBJ)/libweir.a

# A program per tests/{unit,db}/test_*.c and tests/fuzz/*.c; other files there are shared by the programs of their folder.
test_programs = $(patsubst %.c,$(OUT)/%,$(wildcard tests/$(1)/test_*.c))
shared_objs   = $(patsubst %.c,$(OBJ)/%.o,$(filter-out $(wildcard tests/$(1)/test_*.c),$(wildcard tests/$(1)/*.c)))
UNIT_TESTS := $(call test_programs,unit)
DB_TESTS   := $(call test_programs,db)
FUZZERS    := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/*.c))
BENCHERS   := $(patsubst %.c,$(OUT)/%,$(wildcard tests/bench/*.c))

.PHONY: all install help deps run test soak bench lint asan tsan fuzz cover clean tests unit-tests db-tests fuzzers bench-programs
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

all: $(OUT)/weir                ## Build the gateway: build/weir

help:                           ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

deps:                           ## Install what Weir needs to build and test (apt as root; npm for the pages); quick when all is there
	@deploy/deps.sh

run: deps                       ## Build and start a gateway with its own private PostgreSQL under ./.weir
	@$(MAKE) --no-print-directory all
	build/weir dev

test: deps                      ## Build and run every test: unit, database, fuzz corpora, API, lint, sanitizers
	@$(PYTHON) tests/support/run.py

soak: deps                      ## Run the long tests: kill -9, restarts, failing PostgreSQL, thousands of readers
	@$(PYTHON) tests/support/run.py --soak

bench: deps                     ## Measure the goals of the performance page and print the ratios (tests/bench)
	@$(MAKE) --no-print-directory all bench-programs
	@$(PYTHON) tests/support/run.py --bench

lint:                           ## Check format, include directions, sizes and where SQL may stand
	@$(PYTHON) tests/support/lint.py

asan:                           ## Build build/asan/weir and its tests with AddressSanitizer and UBSan, and run the unit tests
	@$(PYTHON) tests/support/run.py asan-build asan-unit

tsan:                           ## Build build/tsan/weir and its tests with ThreadSanitizer, and run the unit tests
	@$(PYTHON) tests/support/run.py tsan-build tsan-unit

fuzz:                           ## Fuzz each target of tests/fuzz for FUZZ_SECONDS (60) with libFuzzer (needs clang)
	@$(PYTHON) tests/support/run.py --fuzz

cover:                          ## Run the unit and API tests with gcov and print the lines covered, file by file
	@$(PYTHON) tests/support/run.py --cover

install: all                    ## Install the program and its systemd unit under PREFIX (/usr/local), below DESTDIR
	install -D -m 755 $(OUT)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -D -m 644 deploy/weir.service $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	sed -i 's|/usr/local/bin|$(PREFIX)/bin|' $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	install -D -m 644 deploy/weir.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/weir.conf
	install -D -m 600 deploy/weir.env.example $(DESTDIR)/etc/weir/weir.env.example

clean:                          ## Remove what was built (deps/ stays)
	rm -rf build

unit-tests: $(UNIT_TESTS)
db-tests: $(DB_TESTS)
fuzzers: $(FUZZERS)
bench-programs: $(BENCHERS)
tests: unit-tests db-tests fuzzers

# --- rules ---------------------------------------------------------------------------------------------------------------
$(OUT)/weir: $(OBJ)/gateway/main.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(OBJ)/%.o: %.c $(OBJ)/flags | $(GEN)/sql.h need-mhd
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/tests/unit/%.o $(OBJ)/tests/db/%.o $(OBJ)/tests/fuzz/%.o: CFLAGS += $(TEST_CFLAGS)
$(OUT)/tests/unit/%: $(OBJ)/tests/unit/%.o $(call shared_objs,unit) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(OUT)/tests/db/%: $(OBJ)/tests/db/%.o $(call shared_objs,db) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# A fuzz target is replayed over its corpus by replay.c; in the variant fuzz libFuzzer drives it.
$(OUT)/tests/fuzz/%: $(OBJ)/tests/fuzz/%.o $(if $(filter fuzz,$(BUILD)),,$(OBJ)/tests/support/replay.o) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_LDFLAGS) $(if $(filter fuzz,$(BUILD)),-fsanitize=fuzzer) -o $@ $^ $(LIBS)

$(OUT)/tests/bench/%: $(OBJ)/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# Objects are rebuilt when the compiler or its flags change, and the archive when a source goes away.
$(OBJ)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(CPPFLAGS)) $(CFLAGS) $(TEST_CFLAGS) $(LIB_OBJ)' | cmp -s - $@ || \
	    echo '$(CC) $(subst ','\'',$(CPPFLAGS)) $(CFLAGS) $(TEST_CFLAGS) $(LIB_OBJ)' > $@
.PHONY: FORCE need-mhd
need-mhd:
	@$(if $(MHD_LIBS),:,echo 'libmicrohttpd 1.0.1 or newer is missing: run `make deps` first' >&2; exit 1)

$(GEN)/sql.h: db/sql/gen.py $(wildcard db/sql/*.sql)
	@mkdir -p $(@D)
	$(PYTHON) db/sql/gen.py statements $@ $(filter %.sql,$^)
$(GEN)/migrations.c: db/sql/gen.py $(wildcard migrations/*.sql)
	@mkdir -p $(@D)
	$(PYTHON) db/sql/gen.py migrations $@ $(filter %.sql,$^)
$(GEN)/metaschemas.c: gateway/jsonschema/metaschemas.py $(wildcard gateway/jsonschema/metaschemas/*.json)
	@mkdir -p $(@D)
	$(PYTHON) gateway/jsonschema/metaschemas.py $@ $(filter %.json,$^)
$(GEN)/assets.c: openapi/assets.py $(GEN)/ui/app.js $(shell find openapi -type f -not -path '*/node_modules/*' -not -name '*.pyc')
	@mkdir -p $(@D)
	$(PYTHON) openapi/assets.py
# Folders stand among the sources too, so that a file that goes away is noticed.
$(GEN)/ui/app.js: $(shell find dashboard -not -path '*/node_modules*')
	node dashboard/build.mjs $(@D)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
