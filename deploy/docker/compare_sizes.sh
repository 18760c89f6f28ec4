#!/usr/bin/env bash
# Builds each service in one stage and in stages, and prints what the stages save: deploy/docker/compare_sizes.sh [SERVICE...]
# The single-stage image has the compiler, the package cache and every dependency: it is the same for all services.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

services=("$@")
((${#services[@]})) || services=(api-gateway websocket-service strategy-service order-service analytics-service)
readonly PREFIX=tradewind-size-comparison

build() { docker build --quiet --tag "$1" --file "$2" "${@:3}" . >/dev/null; }
megabytes() { docker image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f", $1 / 1e6 }'; }

build "$PREFIX/single-stage" deploy/docker/Dockerfile.single-stage
single=$(megabytes "$PREFIX/single-stage")
base=$(megabytes "${PYTHON_IMAGE:-python:3.11-slim}")

printf 'base image %s MB\n\n%-20s %14s %14s %8s\n' "$base" service 'single stage' 'multi-stage' saving
for service in "${services[@]}"; do
  build "$PREFIX/$service" deploy/docker/Dockerfile --target "$service"
  multi=$(megabytes "$PREFIX/$service")
  printf '%-20s %11s MB %11s MB %6s %%\n' "$service" "$single" "$multi" "$(((single - multi) * 100 / single))"
done
