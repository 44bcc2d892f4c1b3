package main

import (
	"errors"
	"fmt"
	"strings"

	"flyball/cmd/internal/report"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// names is how the things of a list are named: by their id, by a prefix of it, and by other words
// such as a run's own key.
type names[T any] struct {
	what  string // "gate", for errors
	list  string // command that lists them
	id    func(*T) string
	other func(*T) []string // other words that name one; nil: none
	show  func(*T) string   // one line about a candidate
}

// find returns the one of a list that a term names. Several candidates are an error of usage that
// lists them.
func (n names[T]) find(term string, list []T) (*T, error) {
	var found []*T
	for i := range list {
		one := &list[i]
		if n.id(one) == term {
			return one, nil
		}
		if n.isNamed(one, term) {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("no %s has the id or key %q, or an id that begins so (at least %d characters); %s lists them",
			n.what, report.Text(term), schema.MinIDPrefix, n.list)
	}
	var lines strings.Builder
	for _, one := range found[:min(len(found), maxCandidates)] {
		fmt.Fprintf(&lines, "\n  %s  %s", report.Text(n.id(one)), report.Text(n.show(one)))
	}
	return nil, usage(fmt.Errorf("%q names %d of the %ss:%s", report.Text(term), len(found), n.what, lines.String()))
}

func (n names[T]) isNamed(one *T, term string) bool {
	if len(term) >= schema.MinIDPrefix && strings.HasPrefix(n.id(one), term) {
		return true
	}
	if n.other == nil {
		return false
	}
	for _, w := range n.other(one) {
		if w != "" && w == term {
			return true
		}
	}
	return false
}

// isUsage reports whether an error is one of usage.
func isUsage(err error) bool {
	var e *exitError
	return errors.As(err, &e) && e.code == exitUsage
}

// isAmbiguous reports whether an error is that a term names several things.
func isAmbiguous(err error) bool {
	var runs *query.Ambiguous
	var findings *query.AmbiguousFinding
	var refused *apiError
	return errors.As(err, &runs) || errors.As(err, &findings) || errors.As(err, &refused) && strings.HasPrefix(refused.reason, "ambiguous_")
}
