// Package prefetch asks the processor to load memory into its caches before it is needed. It changes no result: detect uses it because the
// state of many actors and runs is not in the caches when one of their calls comes, and what it then waits for, one part after the other,
// takes longer than the call.
package prefetch

import "unsafe"

// Value asks for a value. It may be nil.
func Value[T any](v *T) {
	if v != nil {
		lines(unsafe.Pointer(v), unsafe.Sizeof(*v))
	}
}

// Elements asks for the first elements of a list, at most so many.
func Elements[T any](list []T, most int) {
	if n := min(len(list), most); n > 0 {
		lines(unsafe.Pointer(unsafe.SliceData(list)), uintptr(n)*unsafe.Sizeof(list[0]))
	}
}

// Text asks for the beginning of a string.
func Text(s string) {
	if s != "" {
		lines(unsafe.Pointer(unsafe.StringData(s)), 1)
	}
}
