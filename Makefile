# iterfs: build, try, test, install. `make run` is the way in.

PREFIX ?= /usr/local
DESTDIR ?=
# mount(8) looks for helpers in /sbin, /sbin/fs.d and /sbin/fs and nowhere else.
SBINDIR ?= /sbin
# Where `make run` mounts.
DIRECTORY ?= /mnt/iter

CARGO ?= $(or $(shell command -v cargo),$(HOME)/.cargo/bin/cargo)
TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release

# clang compiles the BPF programs; libelf and zlib are libbpf's.
BUILD_PACKAGES := gcc libc6-dev make clang libelf-dev zlib1g-dev pkgconf
# An emulator, and what makes the machines that it runs.
KERNEL_PACKAGES := qemu-system-x86 mmdebstrap e2fsprogs binutils busybox-static kmod cpio xz-utils zstd jq
# The guests to boot, by how their names begin; all without it: make test-kernels GUESTS="bullseye sid.default"
GUESTS ?=
# What the tests compare with and drive.
TEST_PACKAGES := mount util-linux procps lsof iproute2 bpftool jq python3 nodejs less libcap2-bin
# Where the tests say what they need and this kernel lacks.
NOT_HERE := $(abspath $(TARGET))/not-here
# What the benches compare with.
BENCH_PACKAGES := clang coreutils findutils procps lsof iproute2 bpftool
# The rows to measure, by how their names begin; all without it.
ONLY ?=

BINDIR := $(DESTDIR)$(PREFIX)/bin
SHAREDIR := $(DESTDIR)$(PREFIX)/share
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include/iterfs
HELPERDIR := $(DESTDIR)$(SBINDIR)
COMPLETIONS := \
	$(SHAREDIR)/bash-completion/completions/iterfs \
	$(SHAREDIR)/zsh/site-functions/_iterfs \
	$(SHAREDIR)/fish/vendor_completions.d/iterfs.fish
MANUALS := iterfs.8 mount.fuse.iterfs.8
# The helper looks for iterfs beside itself, in /usr/local/bin and in /usr/bin:
# for another PREFIX it finds a link beside itself.
BESIDE := $(if $(filter-out /usr /usr/local,$(PREFIX)),$(HELPERDIR)/iterfs)

.DEFAULT_GOAL := build
.PHONY: run test test-kernels test-two-kernels kernel-dependencies kernels-doc build docs check install uninstall clean dependencies test-dependencies \
	bench bench-formats bench-docs

# Installs those of the packages $(1) that are missing. Asks apt only then.
define install_packages
	@command -v dpkg-query >/dev/null || { \
		echo "this is no Debian: install what these packages hold: $(1)"; exit 0; }; \
	there=$$(dpkg-query -W -f '<$${Package}=$${db:Status-Status}>' $(1) 2>/dev/null); \
	missing=; \
	for package in $(1); do \
		case "$$there" in *"<$$package=installed>"*) ;; *) missing="$$missing $$package" ;; esac; \
	done; \
	test -n "$$missing" || exit 0; \
	echo "installing$$missing"; \
	test "$$(id -u)" = 0 || { echo "run this as root: apt-get install$$missing"; exit 1; }; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq install -o Dpkg::Use-Pty=0 --no-install-recommends $$missing </dev/null >/dev/null
endef

dependencies:
	$(call install_packages,$(BUILD_PACKAGES))
	@command -v "$(CARGO)" >/dev/null || { \
		echo "cargo is missing: install Rust 1.95 or later, see https://rustup.rs"; exit 1; }

test-dependencies: dependencies
	$(call install_packages,$(TEST_PACKAGES))

# Builds the release, mounts it and leaves it mounted.
run: build
	@test "$$(id -u)" = 0 || { echo "only root can mount: sudo make run"; exit 1; }
	@test -e /dev/fuse || modprobe fuse || true
	@while grep -q " $(DIRECTORY) fuse\.iterfs " /proc/mounts; do umount --lazy "$(DIRECTORY)" || exit 1; done
	@mkdir -p "$(DIRECTORY)"
	@$(RELEASE)/iterfs mount "$(DIRECTORY)"
	@echo
	@cd "$(DIRECTORY)" && find . -maxdepth 2 -path './pid/*' -prune -o -type f ! -name '*.*' -printf '%p\n' \
		| sed 's|^\./|$(DIRECTORY)/|' | sort
	@cd "$(DIRECTORY)/pid/$$$$" && find . -type f ! -name '*.*' -printf '%p\n' \
		| sed 's|^\./|$(DIRECTORY)/pid/<n>/|' | sort
	@echo
	head -n 6 "$(DIRECTORY)/tasks"
	@echo
	@echo "mounted on $(DIRECTORY); each table also is NAME.json, .jsonl and .csv. Take it off with: umount $(DIRECTORY)"

build: dependencies
	$(CARGO) build --release --package iterfs --package iterfs-mount-helper

# The integration tests drive the programs in the target directory, which
# `cargo test` alone would not build.
test: test-dependencies
	@test "$$(id -u)" = 0 || { echo "the tests mount, which only root can: sudo make test"; exit 1; }
	$(CARGO) build --workspace
	@rm -f $(NOT_HERE)
	ITERFS_NOT_HERE=$(NOT_HERE) $(CARGO) test --workspace --no-fail-fast; status=$$?; \
		test ! -s $(NOT_HERE) || { echo "tests that this kernel lacks something for:"; sort $(NOT_HERE); }; \
		exit $$status

kernel-dependencies: dependencies
	$(call install_packages,$(KERNEL_PACKAGES))

# Boots other kernels and machines of other shapes in an emulator, runs the test
# binaries there, and writes docs/KERNELS.md. Takes hours; kernels and images are
# kept in ~/.cache/iterfs-vm. The guests use BPF objects that `make test` left.
test-kernels: kernel-dependencies
	$(CARGO) build --workspace
	CARGO="$(CARGO)" $(TARGET)/debug/kernels run $(GUESTS); status=$$?; \
		$(MAKE) kernels-doc && exit $$status

# The same for the oldest and the newest kernel, with a few tests, in minutes.
test-two-kernels: kernel-dependencies
	$(CARGO) build --workspace
	CARGO="$(CARGO)" $(TARGET)/debug/kernels small

# Writes docs/KERNELS.md from the logs of the guests that were booted last.
kernels-doc:
	$(TARGET)/debug/kernels document docs/KERNELS.md

# The reference of the tables, from what their programs say of themselves.
docs: build
	$(RELEASE)/iterfs tables >docs/TABLES.md

# Measures beside other tools what docs/PERFORMANCE.md tells of, in two to five minutes; to
# measure some rows: make bench ONLY="files small". The figures also go to BENCH_JSON.
BENCH_JSON ?= $(TARGET)/bench.json
bench: dependencies
	$(call install_packages,$(BENCH_PACKAGES))
	@test "$$(id -u)" = 0 || { echo "the benches mount, which only root can: sudo make bench"; exit 1; }
	$(CARGO) build --release --package iterfs --package iterfs-tests --bins
	$(RELEASE)/bench --json $(BENCH_JSON) $(ONLY)

# Decoding and formatting alone; neither root nor a kernel is asked for.
bench-formats: dependencies
	$(CARGO) bench --package iterfs --bench formats

# Writes what the two found into the document.
bench-docs:
	$(RELEASE)/bench document $(BENCH_JSON) $(TARGET)/criterion docs/PERFORMANCE.md docs/performance.svg

check: dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings

install: build
	install -D -m 0755 $(RELEASE)/iterfs $(BINDIR)/iterfs
	install -D -m 0755 $(RELEASE)/mount-fuse-iterfs $(HELPERDIR)/mount.fuse.iterfs
	ln -sf mount.fuse.iterfs $(HELPERDIR)/mount.iterfs
	$(if $(BESIDE),ln -sf $(PREFIX)/bin/iterfs $(BESIDE))
	install -d $(dir $(COMPLETIONS)) $(SHAREDIR)/man/man8
	$(RELEASE)/iterfs completions bash >$(word 1,$(COMPLETIONS))
	$(RELEASE)/iterfs completions zsh >$(word 2,$(COMPLETIONS))
	$(RELEASE)/iterfs completions fish >$(word 3,$(COMPLETIONS))
	install -m 0644 $(addprefix docs/,$(MANUALS)) $(SHAREDIR)/man/man8
	install -D -m 0644 bpf/programs/iterfs/row.h $(INCLUDEDIR)/row.h

uninstall:
	rm -f $(BINDIR)/iterfs $(HELPERDIR)/mount.fuse.iterfs $(HELPERDIR)/mount.iterfs $(BESIDE)
	rm -f $(COMPLETIONS) $(addprefix $(SHAREDIR)/man/man8/,$(MANUALS))
	rm -f $(INCLUDEDIR)/row.h
	rmdir $(INCLUDEDIR) 2>/dev/null || true

clean:
	$(CARGO) clean
