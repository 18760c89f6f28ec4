#!/usr/bin/env bash
# Deploys the platform to Cloud Run: the migration job first, then the background services, then the public ones.
#
#   PROJECT=my-project REGION=europe-west1 DOCKER_REGISTRY=registry.example.com/tradewind VERSION=1.2.3 \
#     DATABASE_URL=postgresql://tradewind@10.0.0.3:5432/tradewind REDIS_HOST=10.0.0.4 deploy/cloud-run/deploy.sh [--dry-run]
#
# SERVICE_ACCOUNT, NETWORK and SUBNETWORK have defaults.
#
# --dry-run prints the commands, and the definitions that they would send, and needs neither gcloud nor a project.
# docs/operations/deploy.md says what has to be there before: images, secrets, PostgreSQL, Redis, a service account.
set -euo pipefail

background=(order-service strategy-service)
public=(api-gateway websocket-service analytics-service)
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
dry_run=no

case "${1:-}" in
    "") ;;
    --dry-run) dry_run=yes ;;
    *) echo "usage: deploy.sh [--dry-run]" >&2; exit 2 ;;
esac

for name in PROJECT REGION DOCKER_REGISTRY VERSION DATABASE_URL REDIS_HOST; do
    if [[ -z ${!name:-} ]]; then
        echo "error: $name is not set; the first lines of this script show all that it needs" >&2
        exit 2
    fi
done
if [[ $DATABASE_URL =~ ://[^@/]*:[^@/]*@ ]]; then
    echo "error: DATABASE_URL holds a password, which belongs into the secret tradewind-postgres-password" >&2
    exit 2
fi
SERVICE_ACCOUNT="${SERVICE_ACCOUNT:-tradewind@$PROJECT.iam.gserviceaccount.com}"
NETWORK="${NETWORK:-default}"
SUBNETWORK="${SUBNETWORK:-default}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Writes a definition with its @PLACEHOLDERS@ filled in; prints where.
render() {
    local text name
    text="$(<"$here/$1")"
    for name in DOCKER_REGISTRY VERSION DATABASE_URL REDIS_HOST SERVICE_ACCOUNT NETWORK SUBNETWORK; do
        text="${text//"@$name@"/"${!name}"}"
    done
    printf '%s\n' "$text" >"$work/${1##*/}"
    echo "$work/${1##*/}"
}

run() {
    printf '+ %s\n' "$*"
    if [[ $dry_run == no ]]; then "$@"; fi
}

replace() {
    local file
    file="$(render "$2")"
    if [[ $dry_run == yes ]]; then printf -- '---\n'; cat "$file"; printf -- '---\n'; fi
    run gcloud run "$1" replace "$file" --project "$PROJECT" --region "$REGION" --quiet
}

replace jobs migrate.yaml
run gcloud run jobs execute migrate --wait --project "$PROJECT" --region "$REGION" --quiet
for service in "${background[@]}" "${public[@]}"; do
    replace services "services/$service.yaml"
done
# The platform asks for credentials itself: Cloud Run lets everybody through to the public three, and nobody to the others.
for service in "${public[@]}"; do
    run gcloud run services add-iam-policy-binding "$service" --member allUsers --role roles/run.invoker \
        --project "$PROJECT" --region "$REGION" --quiet
done
