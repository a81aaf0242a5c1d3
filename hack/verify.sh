#!/usr/bin/env bash
# Regenerates, formats and tidies everything, then fails when the tree is not what is committed and says which files.
# Call it as `make verify`, which builds the tools first.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '==> %s\n' "$*"; }

step "generate: deepcopy methods and CRDs"
hack/generate.sh

step "format"
bin/tools/golangci-lint fmt ./...
(cd hack/controlplane && ../../bin/tools/golangci-lint fmt --config ../../.golangci.yml ./...)

for module in . hack/controlplane hack/tools; do
	step "tidy $module"
	(cd "$module" && go mod tidy && go mod verify >/dev/null)
done

step "manifests build"
kubectl=$(ls bin/k8s/*/kubectl 2>/dev/null | head -1 || true)
for folder in crd operator sealed-secrets-alone default namespaced application-namespaces prometheus samples; do
	"${kubectl:-kubectl}" kustomize "config/$folder" >/dev/null
done

if [[ -n "$(git status --porcelain)" ]]; then
	printf '\nverify: these files differ from what is committed; look at them, then commit or undo:\n' >&2
	git status --short >&2
	git --no-pager diff --stat >&2
	exit 1
fi
step "nothing changed"
