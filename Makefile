# `make test` needs only Go. The rest says what it needs; `make tools` installs it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/doorward/doorward/internal/cli.version=$(VERSION)

FUZZTIME ?= 10s
OUT      ?= bin/doorward

# The tools of `make tools` are found first; /usr/sbin is where Debian puts nginx.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/doorward
export PATH := $(CACHE)/bin:$(PATH):/usr/sbin

STATICCHECK := $(GO) tool -modfile=hack/tools/go.mod staticcheck

.PHONY: help build test race lint fuzz bench e2e tools

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/doorward (or OUT): one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT) ./cmd/doorward

test: ## Run all tests; those whose program (nginx, curl ...) is missing are skipped and say so
	$(GO) test ./...

race: ## Run all tests under the race detector (needs a C compiler)
	$(GO) test -race ./...

lint: ## gofmt, go vet, staticcheck, go mod tidy, bash -n: no finding may be left
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	$(STATICCHECK) -tags e2e ./...
	$(GO) mod tidy -diff
	@for script in .ci/run hack/*.sh; do bash -n $$script || exit 1; done

fuzz: ## Run every fuzz target for FUZZTIME (10s)
	FUZZTIME=$(FUZZTIME) hack/fuzz.sh

bench: build ## Run all benchmarks, then Doorward beside nginx (docs/benchmarks.md)
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./hack/bench -bin $(OUT)

e2e: ## Run the end-to-end tests: the binary, real clients and servers, a real Kubernetes API server, Keycloak
	hack/e2e.sh

tools: ## Install what the tests run against: nginx, wrk, h2load, curl, Chromium, Java, h2spec, staticcheck
	hack/install-tools.sh
