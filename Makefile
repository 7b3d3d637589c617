# Every target has a line for `make help` behind its ##.

PROGRAMS := storage dnsprimary homeserver appliance
ARCHS    := amd64 arm64
FUZZTIME ?= 20s
ROUNDS   ?= 1000
UP       ?=
BUILD    ?=
RUN      ?=

.PHONY: help build run image vm test race check fuzz bench interop soak vmtest clean
.DEFAULT_GOAL := help
# Where Debian keeps what only root uses, among it servers and tools that the tests need.
export PATH := $(PATH):/usr/sbin:/sbin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the programs, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ $(addprefix ./,$(PROGRAMS))

run: build ## the whole server on this machine, data in ./data; UP='--set key=value' passes settings
	@exec bin/appliance up --set dns_address=127.0.0.1:8053 $(UP)

image: build ## an image for BOARD (BOARD=pi4), into bin/; BUILD='--domain example.org' passes flags
	@test -n "$(BOARD)" || { echo "say which board, as in make image BOARD=pi4:"; bin/appliance build --board help; exit 1; }
	@bin/appliance build --board $(BOARD) $(BUILD)

vm: build ## an image in QEMU, in which anyone may register, and its URL; BOARD=pc takes that, RUN='--disk FILE' keeps its disk
	@bin/appliance build --board $(or $(BOARD),qemu-arm64) --set homeserver.registration=open $(BUILD)
	@exec bin/appliance run $(RUN) bin/hearth-$(or $(BOARD),qemu-arm64).img

test: needs ## all tests, with the race detector and in random order
	go test -race -shuffle=on -timeout 30m ./...

race: needs ## all tests three times over, on 1, 2 and 4 processors
	go test -race -shuffle=on -timeout 90m -count 3 -cpu 1,2,4 ./...

check: ## gofmt, vet, staticcheck and a build, for amd64 and arm64
	@echo gofmt; unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)) && test -z "$$unformatted" || \
		{ echo "not formatted: $$unformatted"; exit 1; }
	@go build -o bin/ honnef.co/go/tools/cmd/staticcheck # for this machine, to judge the code of others
	@set -e; for arch in $(ARCHS); do export GOOS=linux GOARCH=$$arch CGO_ENABLED=0; \
		echo "vet, staticcheck, build for linux/$$arch"; \
		go vet ./...; bin/staticcheck ./...; go build -trimpath -o /dev/null ./...; done

fuzz: ## every fuzz test for FUZZTIME (20s)
	@set -e; for package in $$(go list ./...); do \
		list=$$(go test -list '^Fuzz' $$package); \
		for target in $$(echo "$$list" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; done; done

bench: build ## the packages' benchmarks, then loads on the running programs beside their aims
	go test -run '^$$' -bench . -benchmem ./...
	go build -o bin/ ./homeserver/load
	bin/load -programs bin
	go build -o bin/dnsload ./dnsprimary/load
	bin/dnsload -programs bin

interop: needs build ## the same conversations with Synapse and with us, compared step by step; the primary beside BIND, Knot and NSD
	go build -o bin/ ./homeserver/interop
	bin/interop -programs bin
	HEARTH_INTEROP=1 go test -v -count 1 -timeout 30m ./dnsprimary/peers

soak: needs ## kill the store, and the whole, ROUNDS (1000) times under load; takes hours
	HEARTH_SOAK=$(ROUNDS) HEARTH_CRASH_ROUNDS=$(ROUNDS) go test -v -count 1 -timeout 0 ./storage ./storage/badgerstore ./homeserver/crash

vmtest: needs ## boxes in virtual machines: boot, update, be undone, lose power; under 20 minutes
	HEARTH_VMTEST=1 go test -v -count 1 -timeout 40m -run '^TestVM$$' ./appliance
	HEARTH_VMTEST=1 go test -v -count 1 -timeout 60m ./appliance/vmtest

clean: ## away with bin/ (never ./data)
	rm -rf bin

# The reference server's Python environment, of the version that homeserver/interop names.
SYNAPSE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hearth/synapse-1.163.2

# What the tests need and this machine lacks: a C compiler for the race detector, strace to count syncs, Node for the test with
# matrix-js-sdk, which itself installs its packages by their lockfile, other DNS servers and their tools, none of which is
# started as a service, Synapse, what judges an image: the file systems' own tools, and QEMU, and whom a box meets on its
# network: routers, time servers and Avahi. What cannot be installed is said, and does not keep the others away.
.PHONY: needs
needs:
	@lacking=; for need in gcc:gcc node:nodejs npm:npm strace:strace named:bind9 dnssec-verify:bind9-utils nsupdate:bind9-dnsutils \
		knotd:knot kdig:knot-dnsutils kzonecheck:knot-dnssecutils nsd:nsd ldns-verify-zone:ldnsutils \
		unsquashfs:squashfs-tools fsck.vfat:dosfstools mtype:mtools e2fsck:e2fsprogs sgdisk:gdisk qemu-system-aarch64:qemu-system-arm qemu-system-x86_64:qemu-system-x86 \
		ip:iproute2 dnsmasq:dnsmasq-base radvd:radvd avahi-daemon:avahi-daemon chronyd:chrony; do \
		command -v $${need%%:*} >/dev/null || lacking="$$lacking $${need##*:}"; done; \
	test -f /usr/share/AAVMF/AAVMF_CODE.fd || lacking="$$lacking qemu-efi-aarch64"; \
	test -f /usr/share/OVMF/OVMF_CODE_4M.fd || lacking="$$lacking ovmf"; \
	test -f $(SYNAPSE)/installed || python3 -c 'import ensurepip' 2>/dev/null || lacking="$$lacking python3-venv"; \
	test -z "$$lacking" && exit; echo "installing$$lacking"; export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
	install="apt-get install -qy --no-install-recommends"; apt-get update -q; $$install libc6-dev $$lacking || \
	for package in libc6-dev $$lacking; do $$install $$package || echo "$$package cannot be installed: the tests that need it are skipped or fail"; done
	@test -f $(SYNAPSE)/installed || { echo "installing Synapse into $(SYNAPSE)"; \
		python3 -m venv --clear $(SYNAPSE) && $(SYNAPSE)/bin/pip install -q --disable-pip-version-check -r homeserver/interop/requirements.txt && \
		touch $(SYNAPSE)/installed; } || echo "Synapse cannot be installed: the test that compares with it is skipped"
