#!/usr/bin/env bash
# Builds what is published: the binary, .tar.gz, .deb, a list of components (CycloneDX) and checksums, into a folder.
# The same commit gives the same bytes, in whatever folder it lies: no path, no clock and no name of the machine gets in.
#
#   release.sh packages|release FOLDER
#
# VERSION, COMMIT and DATE come from git; in a source archive without git, set them. ARCH is that of the Go toolchain.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=$1 out=$2
NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0
CYCLONEDX=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

VERSION=${VERSION:-$(git describe --tags --always --dirty)}
COMMIT=${COMMIT:-$(git rev-parse HEAD)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
ARCH=${ARCH:-$(go env GOARCH)}
export SOURCE_DATE_EPOCH ARCH
case $VERSION in
v[0-9]*) DEB_VERSION=${VERSION#v} ;;
[0-9]*.*) DEB_VERSION=$VERSION ;;
*) DEB_VERSION=0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$VERSION ;; # no release: older than each release, in the order of commits
esac
# A hyphen would begin the revision of the package.
export DEB_VERSION=${DEB_VERSION//-/+}

name=flyball-$VERSION-linux-$ARCH
mkdir -p "$out"
out=$(cd "$out" && pwd)
export STAGE=$out/stage/$name
rm -rf "$out/stage" && mkdir -p "$STAGE"

# Without cgo no C compiler gets in; the engine is loaded without it. -buildvcs=false: a checkout and a source archive give the same.
CGO_ENABLED=0 GOOS=linux GOARCH=$ARCH GOFLAGS= go build -trimpath -buildvcs=false \
  -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT -X main.date=$DATE" -o "$STAGE/flyball" ./cmd/flyball

# The tools run on this machine, whatever the target is, and are no dependency of the product.
# -trimpath: the list of components holds the checksum of the tool that made it.
tool() { GOOS= GOARCH= GOFLAGS= go run -trimpath "$@"; }

cp LICENSE NOTICE README.md CHANGELOG.md "$STAGE/"
mkdir -p "$STAGE/deploy"
cp -r deploy/README.md deploy/gateways deploy/systemd deploy/package/flyball.yaml "$STAGE/deploy/"
tool "$CYCLONEDX" bin -json -noserial -notimestamp -version "$VERSION" -output "$out/$name.cdx.json" "$STAGE/flyball"
cp "$out/$name.cdx.json" "$STAGE/sbom.cdx.json"

# Modes by rule, not by the umask of who builds.
find "$STAGE" -type d -exec chmod 0755 {} + && find "$STAGE" -type f -exec chmod 0644 {} + && chmod 0755 "$STAGE/flyball"
tar -C "$out/stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -cf - "$name" |
  gzip -9n > "$out/$name.tar.gz"
tool "$NFPM" package --config deploy/package/nfpm.yaml --packager deb --target "$out/flyball_${DEB_VERSION}_$ARCH.deb"

if [ "$what" = release ]; then
  cp "$STAGE/flyball" "$out/$name"
  (cd "$out" && sha256sum "$name" "$name.cdx.json" "$name.tar.gz" "flyball_${DEB_VERSION}_$ARCH.deb" > SHA256SUMS)
  cat "$out/SHA256SUMS"
fi
