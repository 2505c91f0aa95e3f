# quell: see `make help`. Everything that is fetched goes to .cache, everything that is built to bin;
# git ignores both.

SHELL   := /bin/bash -o pipefail
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FILES    = find . -path './.*' -prune -o -name '*.go' -print0

# Packages with tests that need a real server or the built binary (by their names: TestReal...), and
# packages with tests in virtual time (by their build tag).
REAL    = grep -rlE --include='*_test.go' --exclude-dir='.?*' '^func TestReal' . | xargs -r dirname | sort -u
VIRTUAL = grep -rlE --include='*.go' --exclude-dir='.?*' '^//go:build synctests' . | xargs -r dirname | sort -u

.PHONY: help setup build demo test chaos recovery lint kafka bench bench-compare clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch what build and tests need into .cache (Go, Node/npm, JDK and Maven must be there)
	@.ci/setup modules engine kafka lint

build: ## Build bin/quell
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/quell ./cmd/quell

demo: ## Build, and show a generated storm: make demo ARGS="--once --json"
	@.ci/setup modules engine
	@$(MAKE) --no-print-directory build
	@bin/quell demo $(ARGS)

# In this order, so that the quick and frequent failures come first. The tests of the last step start
# Kafka and ClickHouse: one package at a time, without the race detector, never from Go's test cache.
# QUELL_CI tells tests that what they need is there: they fail where they would otherwise skip.
test: export QUELL_CI = 1
test: setup build lint ## Run everything that continuous integration runs
	@echo '== unit tests, with the race detector'
	go test -race -timeout 10m -skip '^TestReal' ./...
	@echo '== tests in virtual time'
	@pkgs=$$($(VIRTUAL)); [ -z "$$pkgs" ] || \
		{ set -x; go test -race -timeout 10m -tags synctests -skip '^TestReal' $$pkgs; }
	@echo '== a short fuzz of every Fuzz function'
	@.ci/fuzz 3s
	@echo '== integration and end-to-end tests, on real servers'
	@pkgs=$$($(REAL)); [ -z "$$pkgs" ] || \
		{ set -x; go test -count 1 -p 1 -timeout 10m -run '^TestReal' $$pkgs; }

chaos: ROUNDS ?= 5
chaos: SEED   ?= 1
chaos: ## Kill what can be killed, and check that nothing came of it: make chaos ROUNDS=50 SEED=7
	@.ci/setup modules engine kafka
	@$(MAKE) --no-print-directory build
	@go build -o bin/chaos ./cmd/quell/internal/chaos/main
	@bin/chaos -rounds $(ROUNDS) -seed $(SEED) $(ARGS)

recovery: ## Measure how soon a killed process, a lost partition and pages are back: make recovery ARGS=-json
	@.ci/setup modules engine kafka
	@$(MAKE) --no-print-directory build
	@go build -o bin/chaos ./cmd/quell/internal/chaos/main
	@bin/chaos -recovery $(ARGS)

lint: ## Check format, go vet, staticcheck
	@.ci/setup lint
	@unformatted=$$($(FILES) | xargs -0 -r gofmt -l); [ -z "$$unformatted" ] || \
		{ echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	.cache/bin/staticcheck ./...

kafka: ## Run a real Apache Kafka in the foreground; prints its address, ^C stops it
	@.ci/setup kafka
	@deploy/kafka/run.sh

bench: build ## Measure this machine (eight minutes); writes bench/RESULTS.md and the README's tables
	@.ci/setup modules engine kafka
	@bench/run
	go test -count 1 ./cmd/quell -run '^(TestReadme|TestResults)$$' -update

bench-compare: ## Compare the micro-benchmarks with the previous commit's: BASE=... COUNT=... BENCH=...
	@.ci/setup modules engine bench
	@bench/compare

clean: ## Remove what was built; what was fetched stays (rm -r .cache removes that too)
	rm -rf bin
