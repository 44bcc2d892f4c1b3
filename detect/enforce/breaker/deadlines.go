package breaker

import "container/heap"

// deadline is the log time at which a generation of a breaker changes by itself.
type deadline struct {
	at         int64
	generation uint64
	k          key
}

// deadlines holds deadlines ordered by time, then by generation, so that every point handles them
// in the same order. A deadline of a generation that was replaced is ignored. Breakers that claimed
// callers caused have a separate list, so that they can be dropped first.
type deadlines struct{ lists [pools]deadlineList }

func (d *deadlines) push(x deadline, p pool) { heap.Push(&d.lists[p], x) }

// pop removes the first deadline of all pools.
func (d *deadlines) pop() (deadline, bool) {
	first := main
	if len(d.lists[main]) == 0 || len(d.lists[claimed]) > 0 && before(&d.lists[claimed][0], &d.lists[main][0]) {
		first = claimed
	}
	return d.popOf(first)
}

// popOf removes the first deadline of a pool.
func (d *deadlines) popOf(p pool) (deadline, bool) {
	if len(d.lists[p]) == 0 {
		return deadline{}, false
	}
	return heap.Pop(&d.lists[p]).(deadline), true
}

func (d *deadlines) reached(now int64) bool {
	for p := range d.lists {
		if len(d.lists[p]) > 0 && d.lists[p][0].at <= now {
			return true
		}
	}
	return false
}

type deadlineList []deadline

func (l deadlineList) Len() int { return len(l) }
func (l deadlineList) Less(i, j int) bool {
	return before(&l[i], &l[j])
}
func before(a, b *deadline) bool {
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
