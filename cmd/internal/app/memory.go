package app

import (
	"os"
	"runtime/debug"
)

// softMemoryLimit keeps a backlog from growing the heap: the collector works
// harder near it. It is soft, and GOMEMLIMIT overrides it.
const softMemoryLimit = 768 << 20

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemoryLimit)
	}
}
