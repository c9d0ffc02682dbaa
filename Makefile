# Builds, runs, tests and installs iterfs. Start with `make run`.

PREFIX ?= /usr/local
DESTDIR ?=
# mount(8) looks for helpers only in /sbin, /sbin/fs.d and /sbin/fs.
SBINDIR ?= /sbin
# The directory that `make run` mounts on.
DIRECTORY ?= /mnt/iter

CARGO ?= $(or $(shell command -v cargo),$(HOME)/.cargo/bin/cargo)
TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release

# clang compiles the BPF programs; libbpf needs libelf and zlib.
BUILD_PACKAGES := gcc libc6-dev make clang libelf-dev zlib1g-dev pkgconf
# The emulator, and the tools that create the machines that it runs.
KERNEL_PACKAGES := qemu-system-x86 mmdebstrap e2fsprogs binutils busybox-static kmod cpio xz-utils zstd jq
# The guests to boot, by the beginning of their names; empty boots all of them.
# For example: make test-kernels GUESTS="bullseye sid.default"
GUESTS ?=
# The seconds after which a guest begins no more tests: make test-kernels GUEST_SECONDS=300
GUEST_SECONDS ?=
# The programs that the tests drive and compare with.
TEST_PACKAGES := mount util-linux procps lsof iproute2 bpftool jq python3 python3-pip nodejs less libcap2-bin zsh fish rsync
# The Python packages that read whole files in the tests, and where the tests look for them.
PYTHON_PACKAGES := duckdb==2.0.1 polars==2.1.0
PEERS := $(TARGET)/peers
# The file in which the tests record what they need and this kernel lacks.
NOT_HERE := $(abspath $(TARGET))/not-here
# The programs that the benchmarks compare with.
BENCH_PACKAGES := clang coreutils findutils procps lsof iproute2 bpftool
# The rows to measure, by the beginning of their names; empty measures all of them.
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
# The mount helper looks for iterfs beside itself, in /usr/local/bin and in /usr/bin.
# With any other PREFIX, it finds a link beside itself.
BESIDE := $(if $(filter-out /usr /usr/local,$(PREFIX)),$(HELPERDIR)/iterfs)

.DEFAULT_GOAL := build
.PHONY: run test test-kernels test-two-kernels kernel-dependencies kernels-doc build docs check install uninstall clean dependencies test-dependencies \
	bench bench-formats bench-docs

# Installs the packages of $(1) that are missing. Runs apt only if there are any.
define install_packages
	@command -v dpkg-query >/dev/null || { \
		echo "this is not a Debian system: install the equivalents of these packages: $(1)"; exit 0; }; \
	there=$$(dpkg-query -W -f '<$${Package}=$${db:Status-Status}>' $(1) 2>/dev/null); \
	missing=; \
	for package in $(1); do \
		case "$$there" in *"<$$package=installed>"*) ;; *) missing="$$missing $$package" ;; esac; \
	done; \
	test -n "$$missing" || exit 0; \
	echo "installing$$missing"; \
	test "$$(id -u)" = 0 || { echo "missing packages; run as root: apt-get install$$missing"; exit 1; }; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq install -o Dpkg::Use-Pty=0 --no-install-recommends $$missing </dev/null >/dev/null
endef

dependencies:
	$(call install_packages,$(BUILD_PACKAGES))
	@command -v "$(CARGO)" >/dev/null || { \
		echo "cannot find cargo: install Rust 1.95 or newer, see https://rustup.rs"; exit 1; }

test-dependencies: dependencies
	$(call install_packages,$(TEST_PACKAGES))
	@test -d $(PEERS) || python3 -m pip install --quiet --target $(PEERS) $(PYTHON_PACKAGES) || \
		echo "cannot install $(PYTHON_PACKAGES): the tests that need them say so"

# Builds the release, mounts the tree and leaves it mounted.
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
	@echo "mounted on $(DIRECTORY); each table is also available as NAME.json, .jsonl and .csv. To unmount: umount $(DIRECTORY)"

build: dependencies
	$(CARGO) build --release --package iterfs --package iterfs-mount-helper

# The integration tests run the programs in the target directory, which `cargo test`
# alone does not build.
test: test-dependencies
	@test "$$(id -u)" = 0 || { echo "the tests mount filesystems, and only root can mount: sudo make test"; exit 1; }
	$(CARGO) build --workspace
	@rm -f $(NOT_HERE)
	ITERFS_NOT_HERE=$(NOT_HERE) $(CARGO) test --workspace --no-fail-fast; status=$$?; \
		test ! -s $(NOT_HERE) || { echo "tests whose subject this kernel lacks:"; sort $(NOT_HERE); }; \
		exit $$status

kernel-dependencies: dependencies
	$(call install_packages,$(KERNEL_PACKAGES))

# Boots other kernels, and machines of other shapes, in an emulator, runs the test
# binaries there, and writes docs/KERNELS.md. This takes hours. The kernels and images
# are cached in ~/.cache/iterfs-vm. The guests use the BPF objects that `make test` left.
test-kernels: kernel-dependencies
	$(CARGO) build --workspace
	CARGO="$(CARGO)" $(if $(GUEST_SECONDS),ITERFS_GUEST_SECONDS=$(GUEST_SECONDS)) \
		$(TARGET)/debug/kernels run $(GUESTS); status=$$?; \
		$(MAKE) kernels-doc && exit $$status

# Does the same for the oldest and the newest kernel, with a few tests, in minutes.
test-two-kernels: kernel-dependencies
	$(CARGO) build --workspace
	CARGO="$(CARGO)" $(TARGET)/debug/kernels small

# Writes docs/KERNELS.md from the logs of the last run of each guest.
kernels-doc:
	$(TARGET)/debug/kernels document docs/KERNELS.md

# Writes the reference of the tables from the documentation in their programs.
docs: build
	$(RELEASE)/iterfs tables >docs/TABLES.md

# Measures iterfs and other tools for docs/PERFORMANCE.md, in two to five minutes, and
# writes the figures to BENCH_JSON. To measure some rows: make bench ONLY="files small".
BENCH_JSON ?= $(TARGET)/bench.json
bench: dependencies
	$(call install_packages,$(BENCH_PACKAGES))
	@test "$$(id -u)" = 0 || { echo "the benchmarks mount filesystems, and only root can mount: sudo make bench"; exit 1; }
	$(CARGO) build --release --package iterfs --package iterfs-tests --bins
	$(RELEASE)/bench --json $(BENCH_JSON) $(ONLY)

# Measures decoding and formatting alone. Needs neither root nor a particular kernel.
bench-formats: dependencies
	$(CARGO) bench --package iterfs --bench formats

# Writes the results of the two into the document.
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
