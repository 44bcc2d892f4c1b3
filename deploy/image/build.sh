#!/usr/bin/env bash
# Builds the images flyball and flyball-engine from what release.sh built, and prints their sizes: build.sh RELEASE-FOLDER CONTEXT
# CONTAINER: podman or docker. BASE: see Dockerfile. BUILD_FLAGS: flags of the build. ENGINE=no leaves flyball-engine out.
set -euo pipefail
cd "$(dirname "$0")/../.."
release=$1 context=$2
stage=$(echo "$release"/stage/flyball-*)
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
COMMIT=${COMMIT:-$(git rev-parse HEAD)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
CONTAINER=${CONTAINER:-podman} BASE=${BASE:-debian:12-slim} ENGINE=${ENGINE:-yes}

rm -rf "$context" && mkdir -p "$context/engine"
cp "$stage"/{flyball,LICENSE,NOTICE,sbom.cdx.json} deploy/image/Dockerfile "$context/"
targets=(flyball)
if [ "$ENGINE" = yes ]; then
  targets+=(flyball-engine)
  engine=$(dirname "$("$stage/flyball" engine fetch)")
  cp --reflink=auto --preserve=timestamps "$engine"/{libchdb.so,engine.json} "$context/engine/"
fi
# The format with health checks is Docker's; podman's own leaves them out.
format=()
if [ "$CONTAINER" = podman ]; then format=(--format docker); fi
for target in "${targets[@]}"; do
  # shellcheck disable=SC2086 # BUILD_FLAGS are several
  "$CONTAINER" build "${format[@]}" ${BUILD_FLAGS:-} --target "$target" --build-arg "BASE=$BASE" --build-arg "VERSION=$VERSION" \
    --build-arg "COMMIT=$COMMIT" --build-arg "DATE=$DATE" --tag "$target:$VERSION" "$context"
  "$CONTAINER" image inspect --format "$target:$VERSION {{.Size}} bytes" "$target:$VERSION"
done
