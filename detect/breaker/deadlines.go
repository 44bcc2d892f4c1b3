package breaker

import "container/heap"

// deadline is when something happens to a generation of a breaker by itself.
type deadline struct {
	at         int64
	generation uint64
	k          key
}

// deadlines are ordered by time, then by generation: every point meets them in
// the same order. Those of generations that are gone are passed over.
type deadlines struct{ list deadlineList }

func (d *deadlines) push(x deadline) { heap.Push(&d.list, x) }

func (d *deadlines) pop() (deadline, bool) {
	if len(d.list) == 0 {
		return deadline{}, false
	}
	return heap.Pop(&d.list).(deadline), true
}

func (d *deadlines) reached(now int64) bool { return len(d.list) > 0 && d.list[0].at <= now }

type deadlineList []deadline

func (l deadlineList) Len() int { return len(l) }
func (l deadlineList) Less(i, j int) bool {
	a, b := &l[i], &l[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.generation != b.generation:
		return a.generation < b.generation
	}
	return a.k.scope.Value < b.k.scope.Value
}
func (l deadlineList) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *deadlineList) Push(x any)   { *l = append(*l, x.(deadline)) }
func (l *deadlineList) Pop() any {
	old := *l
	x := old[len(old)-1]
	*l = old[:len(old)-1]
	return x
}
