package ledger

import "flyball/detect/enforce"

const maxResults = 100_000

// results holds the results of the last commands, by id.
type results struct {
	byID map[string]enforce.Result
	ids  []string // ring
	next int      // index of the oldest in ids, when the ring is full
}

func newResults() results { return results{byID: map[string]enforce.Result{}} }

func (l *results) get(id string) (r enforce.Result, ok bool) {
	r, ok = l.byID[id]
	return r, ok
}

func (l *results) add(id string, r enforce.Result) {
	if id == "" {
		return
	}
	if len(l.ids) < maxResults {
		l.ids = append(l.ids, id)
	} else {
		delete(l.byID, l.ids[l.next])
		l.ids[l.next] = id
		l.next = (l.next + 1) % maxResults
	}
	l.byID[id] = r
}

// snapshot returns the ids and their results, the oldest first.
func (l *results) snapshot() (ids []string, list []enforce.Result) {
	ids, list = make([]string, 0, len(l.ids)), make([]enforce.Result, 0, len(l.ids))
	for i := range l.ids {
		id := l.ids[(l.next+i)%len(l.ids)]
		ids, list = append(ids, id), append(list, l.byID[id])
	}
	return ids, list
}
