#!/usr/bin/env bash
# Writes what is generated from the types in api/: `deepcopy` their methods, `crds` their CRDs, both when neither is
# named. `make generate manifests` builds the pinned controller-gen first.
set -euo pipefail
cd "$(dirname "$0")/.."

controller_gen=bin/tools/controller-gen
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

deepcopy() {
	$controller_gen object paths=./api/...
}

crds() {
	$controller_gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases

	# The ApplicationSet holds the Application's template twenty times over. With descriptions its file would be twice
	# as large and pass 1.5 MB, which some tools take as the limit of one object, so it goes without.
	$controller_gen crd:maxDescLen=0 paths=./api/argoproj/... output:crd:artifacts:config="$scratch"
	mv "$scratch/argoproj.io_applicationsets.yaml" config/crd/bases/

	# controller-gen has no mark for "the values of this map may be null". In the SealedSecret they may under
	# spec.template.data, the only map at this depth, where null leaves a key out of the Secret.
	local sealed=config/crd/bases/bitnami.com_sealedsecrets.yaml
	awk '{ print } $0 == "                    additionalProperties:" { print "                      nullable: true" }' \
		"$sealed" >"$scratch/sealed.yaml"
	mv "$scratch/sealed.yaml" "$sealed"
}

case "${1:-all}" in
deepcopy) deepcopy ;;
crds) crds ;;
all)
	deepcopy
	crds
	;;
*)
	echo "usage: hack/generate.sh [deepcopy|crds]" >&2
	exit 2
	;;
esac
