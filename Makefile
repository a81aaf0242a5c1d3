# Tiphys. `make help` lists what there is to do; `make demo` and `make test` are the two to begin with.

SHELL := /usr/bin/env bash -o errexit -o nounset -o pipefail
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --abbrev=40 --dirty 2>/dev/null || echo dev)
IMG ?= ghcr.io/tiphys-io/tiphys:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64
# Plugins of Kustomize are never loaded; without the code for them the linker keeps less.
TAGS := kustomize_disable_go_plugin_support
LDFLAGS := -s -w -X github.com/tiphys-io/tiphys/internal/cli.version=$(VERSION)

# The control plane of tests, demo and benchmark. A folder named in the environment is taken as it is.
K8S_VERSION := $(shell sed -n 's|^[^/]*k8s.io/kubernetes v\([0-9.]*\).*|\1|p' hack/controlplane/go.mod | head -1)
OWN_ASSETS := $(CURDIR)/bin/k8s/$(K8S_VERSION)
KUBEBUILDER_ASSETS ?= $(OWN_ASSETS)
export KUBEBUILDER_ASSETS
KUBECTL ?= $(KUBEBUILDER_ASSETS)/kubectl
kubectl_built := $(filter $(OWN_ASSETS)/%,$(KUBECTL))

# -race where it counts: always in CI, elsewhere with `make test-race`. One command, so nothing is compiled twice.
RACE ?= $(if $(CI),-race)
PKG ?= ./...
RUN ?=
TESTFLAGS ?=
go_test = go test $(RACE) -timeout 20m $(if $(RUN),-run '$(RUN)') $(TESTFLAGS)

##@ Begin here

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: build controlplane ## Start everything and show it live. ONCE=1 checks it and ends; EXAMPLES=DIR serves your own folder.
	@CGO_ENABLED=0 go run -trimpath ./test/demo $(if $(ONCE),-once) $(if $(EXAMPLES),-examples '$(abspath $(EXAMPLES))')

.PHONY: test
test: controlplane bin/tools/kubeseal ## Run all tests: unit, envtest, e2e, fuzz seeds. PKG=./internal/plan/... RUN=TestX narrow it down.
	$(go_test) $(PKG)

##@ Build

.PHONY: build
build: ## Build bin/tiphys.
	CGO_ENABLED=0 go build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/tiphys ./cmd

.PHONY: run
run: ## Run the operator against the cluster of the current kubeconfig. ARGS="--flag ..." go to it.
	go run ./cmd operator $(ARGS)

.PHONY: docker-build
docker-build: ## Build the image IMG for PLATFORMS with buildx; OUTPUT=--push sends it to its registry.
	docker buildx build --platform $(PLATFORMS) --build-arg VERSION=$(VERSION) --tag $(IMG) $(OUTPUT) .

.PHONY: controlplane
ifeq ($(KUBEBUILDER_ASSETS),$(OWN_ASSETS))
controlplane: ## Build etcd, kube-apiserver and the rest into bin/k8s; only the first time takes long.
	@go run -C hack/controlplane . -out ../../bin/k8s >/dev/null
else
controlplane:
	@echo "using the control plane in $(KUBEBUILDER_ASSETS)"
endif

$(OWN_ASSETS)/kubectl:
	@go run -C hack/controlplane . -out ../../bin/k8s kubectl >/dev/null

##@ Test

.PHONY: test-race
test-race: ## Run all tests with the race detector.
	$(MAKE) test RACE=-race

.PHONY: e2e
e2e: controlplane bin/tools/kubeseal ## Run only the tests on the full control plane.
	$(go_test) -v ./test/e2e/... ./test/sealed/...

.PHONY: conformance
conformance: controlplane ## Score the recorded cases. AREA=waves,hooks or CASE=waves-order narrow it down; V=1 shows differences; KEEP=DIR keeps records.
	go test $(RACE) -timeout 30m -count 1 -v -run TestRecordedCases $(TESTFLAGS) ./test/conformance/applications \
		$(if $(AREA),-areas '$(AREA)') $(if $(CASE),-cases '$(CASE)') $(if $(V),-differences) $(if $(KEEP),-keep '$(abspath $(KEEP))')

.PHONY: fault
fault: build controlplane ## Break what the operator stands on and look what is lost. SCENARIOS=api,leader narrows it down; JSON=FILE keeps the findings.
	go run ./test/fault $(if $(SCENARIOS),-scenarios '$(SCENARIOS)') $(if $(JSON),-json '$(JSON)')

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME.
	@grep -rl --include='*_test.go' '^func Fuzz' api internal test | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
		done; \
	done

.PHONY: bench
bench: build controlplane ## Measure the operator beside the bare API server: a table, and bin/benchmark.json. SCENARIOS=apps,single SCALE=0.1 PROFILES=DIR.
	@CGO_ENABLED=0 go run -trimpath ./test/benchmark $(if $(SCENARIOS),-scenarios '$(SCENARIOS)') $(if $(SCALE),-scale $(SCALE)) \
		$(if $(PROFILES),-profiles '$(abspath $(PROFILES))')

COUNT ?= 1
BENCH ?= .
.PHONY: bench-micro
bench-micro: ## Run the benchmarks of the packages, on ladders of sizes. PKG=./internal/plan BENCH=Next COUNT=10 OUT=bin/new.txt for benchstat.
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 60m $(if $(filter-out ./...,$(PKG)),$(PKG),./internal/...) $(if $(OUT),| tee '$(OUT)')

.PHONY: bench-compare
bench-compare: bin/tools/benchstat ## Compare two outputs of bench-micro: OLD=bin/old.txt NEW=bin/new.txt.
	bin/tools/benchstat '$(OLD)' '$(NEW)'

##@ Develop

.PHONY: generate
generate: bin/tools/controller-gen ## Write the deepcopy methods from the types in api/.
	hack/generate.sh deepcopy

.PHONY: manifests
manifests: bin/tools/controller-gen ## Write the CRDs from the types in api/.
	hack/generate.sh crds

.PHONY: fmt
fmt: bin/tools/golangci-lint ## Format the code: gofumpt, imports in three groups.
	bin/tools/golangci-lint fmt ./...
	cd hack/controlplane && ../../bin/tools/golangci-lint fmt --config ../../.golangci.yml ./...

.PHONY: lint
lint: bin/tools/golangci-lint ## Check the design's rules; .golangci.yml says why each.
	bin/tools/golangci-lint run ./...
	cd hack/controlplane && ../../bin/tools/golangci-lint run --config ../../.golangci.yml ./...

.PHONY: verify
verify: bin/tools/controller-gen bin/tools/golangci-lint ## Regenerate, format and tidy; fail when that changes or leaves a file uncommitted.
	hack/verify.sh

.PHONY: tools
tools: bin/tools/golangci-lint bin/tools/controller-gen bin/tools/benchstat bin/tools/kubeseal ## Build the tools that hack/tools pins.

# A tool is built when it is wanted: only lint waits for golangci-lint.
tool_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
tool_controller-gen := sigs.k8s.io/controller-tools/cmd/controller-gen
tool_benchstat := golang.org/x/perf/cmd/benchstat
tool_kubeseal := github.com/bitnami-labs/sealed-secrets/cmd/kubeseal
tool_helm := helm.sh/helm/v4/cmd/helm
tool_kustomize := sigs.k8s.io/kustomize/kustomize/v5
bin/tools/%: hack/tools/go.mod hack/tools/go.sum
	@echo "building $* ..."
	@CGO_ENABLED=0 go build -C hack/tools -trimpath -ldflags '-s -w' -o ../../$@ $(tool_$*)
	@touch $@

##@ Deploy

.PHONY: installer
installer: $(kubectl_built) ## Write dist/install.yaml: everything for namespace argocd, with image IMG.
	@mkdir -p dist
	$(KUBECTL) kustomize config/default | sed 's|ghcr.io/tiphys-io/tiphys:latest|$(IMG)|' >dist/install.yaml

.PHONY: install
install: $(kubectl_built) ## Install the CRDs and the namespace argocd into the cluster of the current kubeconfig.
	$(KUBECTL) apply --server-side -k config/crd
	$(KUBECTL) apply --server-side -f config/default/namespace.yaml

.PHONY: uninstall
uninstall: $(kubectl_built) ## Delete the CRDs, and with them every Application and what it manages. CONFIRM=1 is needed.
	@test -n "$(CONFIRM)" || { echo "this deletes every Application, AppProject and SealedSecret of the cluster; say CONFIRM=1"; exit 1; }
	$(KUBECTL) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: installer ## Install CRDs and operator, with image IMG, into the cluster of the current kubeconfig.
	$(KUBECTL) apply --server-side -f dist/install.yaml

.PHONY: undeploy
undeploy: $(kubectl_built) ## Delete the operator; CRDs, Applications, settings and the namespace stay.
	$(KUBECTL) delete --ignore-not-found -k config/operator
