package prefetch

import "testing"

func TestPrefetchOfNothing(t *testing.T) {
	Value[[1000]byte](nil)
	Elements[uint64](nil, 8)
	Elements([]uint64{}, 8)
	Elements(make([]uint64, 3), 8)
	Elements(make([]uint64, 300), 0)
	Text("")
	Text("x")
	var v [1000]byte
	Value(&v)
	Value(new(struct{}))
}
