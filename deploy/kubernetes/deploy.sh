#!/usr/bin/env bash
# Applies an overlay: first what the schema's migration needs and the migration itself, then the services, and waits until they are ready.
#
#   deploy/kubernetes/deploy.sh production --registry registry.example.com/tradewind --version 1.2.3 [--dry-run]
#
# --dry-run prints the commands and checks that the overlay renders; it changes nothing and needs no cluster.
set -euo pipefail

services=(order-service strategy-service api-gateway websocket-service analytics-service)
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
overlay="" registry="${DOCKER_REGISTRY:-trading-platform}" version="${VERSION:-latest}" dry_run=no
timeout_s=600

usage() {
    echo "usage: deploy.sh development|production [--registry PREFIX] [--version TAG] [--dry-run]" >&2
    exit 2
}

run() {
    printf '+ %s\n' "$*"
    if [[ $dry_run == no ]]; then "$@"; fi
}

while (($#)); do
    case "$1" in
        --registry) registry="${2:?--registry needs a value}"; shift 2 ;;
        --version) version="${2:?--version needs a value}"; shift 2 ;;
        --dry-run) dry_run=yes; shift ;;
        development | production) overlay="$1"; shift ;;
        *) usage ;;
    esac
done
[[ -n $overlay ]] || usage
if [[ $overlay == production && $version == latest ]]; then
    echo "error: production needs --version (or VERSION): 'latest' would not say what runs" >&2
    exit 2
fi

# A kustomization above the overlay that names the images; kustomize wants the overlay's path to be relative.
work="$(mktemp -d "$here/overlays/.deploy-XXXXXX")"
trap 'rm -rf "$work"' EXIT
{
    echo "resources: [../$overlay]"
    echo "images:"
    for service in "${services[@]}"; do
        echo "  - {name: trading-platform/$service, newName: $registry/$service, newTag: \"$version\"}"
    done
} >"$work/kustomization.yaml"
kubectl kustomize "$work" >"$work/rendered.yaml"
namespace="$(sed -n 's/^  namespace: //p' "$work/rendered.yaml" | sort -u)"
echo "overlay $overlay, namespace $namespace, images $registry/*:$version, $(grep -c '^kind:' "$work/rendered.yaml") objects"

if [[ $dry_run == no ]] && ! kubectl --namespace "$namespace" get secret tradewind >/dev/null; then
    echo "error: no Secret 'tradewind' in namespace $namespace: docs/operations/deploy.md says how to make it" >&2
    exit 1
fi

# A Job cannot be changed, only made anew.
run kubectl --namespace "$namespace" delete job migrate --ignore-not-found --wait
# All but the services: they go on as they are while the schema changes.
run kubectl apply --filename "$work/rendered.yaml" --selector 'tradewind/stage!=service'
run kubectl --namespace "$namespace" wait job/migrate --for=condition=complete "--timeout=${timeout_s}s"
run kubectl apply --filename "$work/rendered.yaml"
for service in "${services[@]}"; do
    run kubectl --namespace "$namespace" rollout status "deployment/$service" "--timeout=${timeout_s}s"
done
