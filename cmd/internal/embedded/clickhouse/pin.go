package clickhouse

import (
	"fmt"
	"runtime"
)

// pin is the one build of the library that is fetched for a platform. The
// integrity is that of the package's tarball as npm states it, so neither a
// registry nor a mirror can hand out anything else.
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

// pins lists what exists in the pinned version. The package names for other
// platforms are announced but carry no release, so they cannot be pinned.
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

// pinned returns the pin of the platform this binary runs on.
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
