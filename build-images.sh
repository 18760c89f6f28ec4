#!/usr/bin/env bash
# Builds the container images: ./build-images.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly SERVICES=(api-gateway websocket-service strategy-service order-service analytics-service load-balancer)
readonly ON_REQUEST=(tools)
readonly REGISTRY=${DOCKER_REGISTRY:-trading-platform}
readonly VERSION=${VERSION:-latest}

usage() {
  cat <<HELP
Usage: ./build-images.sh [OPTIONS] [IMAGE...]

Builds ${SERVICES[*]}.
Names of images build only these; ${ON_REQUEST[*]} (the command line with import of market data) is built when named.
An image is called $REGISTRY/IMAGE:$VERSION.

Options:
  --push              Push each image to its registry.
  --platform LIST     Build for other platforms, like linux/amd64,linux/arm64. Several at once need --push.
  --no-cache          Build every layer anew.
  -h, --help          Show this.

Environment: DOCKER_REGISTRY (now $REGISTRY), VERSION (now $VERSION).

Examples:
  ./build-images.sh
  ./build-images.sh order-service
  DOCKER_REGISTRY=registry.example.com/trading VERSION=1.4.0 ./build-images.sh --push
HELP
}

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

contains() { local wanted=$1 name; shift; for name; do [[ $name == "$wanted" ]] && return; done; return 1; }

push=no platform='' images=() extra=()
while (($#)); do
  case $1 in
    --push) push=yes ;;
    --platform) platform=${2:?--platform needs a list such as linux/amd64}; shift ;;
    --platform=*) platform=${1#*=} ;;
    --no-cache) extra+=(--no-cache) ;;
    -h|--help) usage; exit 0 ;;
    -*) fail "no such option: $1 (see ./build-images.sh --help)" ;;
    *) contains "$1" "${SERVICES[@]}" "${ON_REQUEST[@]}" \
         || fail "no such image: $1; there are: ${SERVICES[*]} ${ON_REQUEST[*]}"
       images+=("$1") ;;
  esac
  shift
done
((${#images[@]})) || images=("${SERVICES[@]}")

[[ $platform != *,* || $push == yes ]] || fail "several platforms at once cannot be kept here: add --push"
command -v docker >/dev/null || fail "docker is not installed"
docker info >/dev/null 2>&1 || fail "the Docker engine does not answer: is it running, and may you use it?"
[[ -z $platform ]] || docker buildx version >/dev/null 2>&1 || fail "--platform needs the buildx plug-in of docker"

revision=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
created=$(git show -s --format=%cI HEAD 2>/dev/null || true)

build() {
  local target=$1 name=$2 command=(docker build)
  if [[ -n $platform ]]; then
    command=(docker buildx build --platform "$platform")
    [[ $push == yes ]] && command+=(--push) || command+=(--load)
  fi
  "${command[@]}" ${extra[@]+"${extra[@]}"} --file deploy/docker/Dockerfile --target "$target" --tag "$name" \
    --build-arg "VERSION=$VERSION" --build-arg "REVISION=$revision" --build-arg "CREATED=$created" .
}

size_of() {
  local bytes
  bytes=$(docker image inspect --format '{{.Size}}' "$1" 2>/dev/null) || { echo -; return; }
  awk -v bytes="$bytes" 'BEGIN { printf "%.0f MB", bytes / 1e6 }'
}

rows=() began=$SECONDS
for image in "${images[@]}"; do
  name=$REGISTRY/$image:$VERSION since=$SECONDS
  printf '\n== %s\n' "$name"
  build "$image" "$name" || fail "$name was not built: the lines above say why"
  if [[ $push == yes && -z $platform ]]; then
    docker push "$name" || fail "$name was built but not pushed: are you logged in? (docker login)"
  fi
  rows+=("$(printf '%-58s %9s %6d s' "$name" "$(size_of "$name")" "$((SECONDS - since))")")
done

printf '\n%-58s %9s %8s\n' image size time
printf '%s\n' "${rows[@]}"
printf '%s images in %s s%s\n' "${#rows[@]}" "$((SECONDS - began))" "$([[ $push == yes ]] && echo ', pushed')"
