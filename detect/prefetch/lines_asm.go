//go:build amd64 || arm64

package prefetch

import "unsafe"

// lines asks for the cache lines of n bytes at p. An address that does not exist is ignored by the processor.
//
//go:noescape
func lines(p unsafe.Pointer, n uintptr)
