package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// ApprovalHistory counts the results of the questions about a route.
type ApprovalHistory struct {
	Route                            string
	Asked, Granted, Refused, TimeOut uint64
	MaxAmount                        float64 // largest amount that was granted
	Currency                         string
	Findings                         uint64 // findings about the agent since then
}

// Suggestion is a change of a manifest that history supports. A person decides whether to apply it.
type Suggestion struct {
	Kind  string `json:"kind"` // widen, narrow
	Line  string `json:"line"`
	Why   string `json:"why"`
	after func(*Document)
}

// minAnswers is how many questions, all of them granted, are needed for a suggestion to ask less.
const minAnswers = 5

// Review returns suggestions: to ask less where every question was granted and there was no finding
// since, and to grant less where a grant was not used.
func (m *Manifest) Review(agent string, used []Usage, answers []ApprovalHistory) []Suggestion {
	out := []Suggestion{}
	for i := range answers {
		h := &answers[i]
		if h.Asked < minAnswers || h.Granted != h.Asked || h.Findings > 0 {
			continue
		}
		if s, ok := m.widen(h); ok {
			out = append(out, s)
		}
	}
	for _, unused := range m.Check(agent, used).Unused {
		key, pattern, _ := strings.Cut(unused, ": ")
		if s, ok := m.narrow(key, pattern); ok {
			out = append(out, s)
		}
	}
	return out
}

// widen suggests not to ask about a route for which every question was granted.
func (m *Manifest) widen(h *ApprovalHistory) (s Suggestion, ok bool) {
	why := fmt.Sprintf("%d of %d questions were granted, none refused, no finding since", h.Granted, h.Asked)
	i := slices.IndexFunc(m.Document.Autonomy, func(a Autonomy) bool { return slices.Contains(a.Routes, h.Route) })
	if i < 0 {
		never := Autonomy{Routes: []string{h.Route}, Ask: "never"}
		return Suggestion{"widen", "autonomy", why, func(d *Document) { d.Autonomy = append(d.Autonomy, never) }}, true
	}
	switch a, line := &m.Document.Autonomy[i], indexed("autonomy", i); {
	case a.Ask == "" && h.MaxAmount > a.AloneBelow:
		limit := round2(h.MaxAmount * 1.000001)
		why += ", up to " + decimal(h.MaxAmount) + " " + h.Currency
		return Suggestion{"widen", line + ".alone_below", why, func(d *Document) { d.Autonomy[i].AloneBelow = limit }}, true
	case a.Ask == "always":
		return Suggestion{"widen", line + ".ask", why, func(d *Document) { d.Autonomy[i].Ask = "never" }}, true
	}
	return Suggestion{}, false
}

// narrow suggests to remove an unused pattern from the list at a key. The last pattern of a list is
// kept: an empty list would grant everything.
func (m *Manifest) narrow(key, pattern string) (s Suggestion, ok bool) {
	var list func(*Document) *[]string
	switch strings.TrimRight(key, "[]0123456789") {
	case "scope.routes":
		list = func(d *Document) *[]string { return &d.Grants.Routes }
	case "scope.resources":
		list = func(d *Document) *[]string { return &d.Grants.Resources }
	default:
		return Suggestion{}, false
	}
	if len(*list(&m.Document)) < 2 {
		return Suggestion{}, false
	}
	return Suggestion{"narrow", key, "nothing used " + pattern, func(d *Document) {
		l := list(d)
		*l = slices.DeleteFunc(slices.Clone(*l), func(s string) bool { return s == pattern })
	}}, true
}

// Diff returns the change that suggestions make as a unified diff of the document in its plain form
// (without comments), and the new text.
func (m *Manifest) Diff(list []Suggestion) (diff string, after []byte, err error) {
	before, err := m.Document.Text()
	if err != nil {
		return "", nil, err
	}
	again, err := Parse(before)
	if err != nil {
		return "", nil, err
	}
	next := again.Document
	for _, s := range list {
		s.after(&next)
	}
	if len(next.Grants.Routes) == 0 && len(m.Document.Grants.Routes) > 0 {
		next.Grants.Routes = m.Document.Grants.Routes[:1] // an empty list would grant everything
	}
	if after, err = next.Text(); err != nil {
		return "", nil, err
	}
	if _, err := Parse(after); err != nil {
		return "", nil, fmt.Errorf("the suggestion cannot be read: %w", err)
	}
	return udiff.Unified("in force", "suggested", string(before), string(after)), after, nil
}
