package clickhouse

import (
	"fmt"
	"runtime"
)

// pin is the build of the library that is fetched for a platform. integrity is the checksum of the package's tarball as npm publishes it,
// so a registry or mirror cannot deliver other content.
type pin struct {
	pkg       string
	version   string
	integrity string // npm's "sha512-<base64>"
	packed    int64  // bytes to download
	unpacked  int64  // bytes of the library on disk
	member    string // the library's path inside the tarball
}

const (
	libName = "libchdb.so"
	licence = "Apache-2.0"
)

// pins contains the platforms of the pinned version. Packages for other platforms are announced but have no release.
var pins = map[string]pin{
	"linux/amd64": {
		pkg:       "@chdb/lib-linux-x64-gnu",
		version:   "26.7.3-stable.1",
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		packed:    177817999,
		unpacked:  566330096,
		member:    "package/" + libName,
	},
}

// pinned returns the pin for the platform of this binary.
func pinned() (pin, error) { return pinFor(runtime.GOOS, runtime.GOARCH) }

func pinFor(goos, goarch string) (pin, error) {
	p, ok := pins[goos+"/"+goarch]
	if !ok {
		return pin{}, fmt.Errorf("no engine for %s/%s: set clickhouse.addr to a ClickHouse server, or %s to a libchdb of your own", goos, goarch,
			EnvLib)
	}
	return p, nil
}

func (p pin) spec() string { return p.pkg + "@" + p.version }
