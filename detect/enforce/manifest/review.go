package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// ApprovalHistory is what became of the questions about a route.
type ApprovalHistory struct {
	Route                            string
	Asked, Granted, Refused, TimeOut uint64
	MaxAmount                        float64 // of what was granted
	Currency                         string
	Findings                         uint64 // of the agent since
}

// Suggestion is a change of a manifest that its history speaks for. A person
// applies it or does not.
type Suggestion struct {
	Kind  string `json:"kind"` // widen, narrow
	Line  string `json:"line"`
	Why   string `json:"why"`
	after func(*Document)
}

// minAnswers that must all have been a yes before less is asked.
const minAnswers = 5

// Review suggests to ask less where every answer was a yes and nothing was found
// since, and to grant less where nothing was used.
func (m *Manifest) Review(agent string, used []Usage, gates []ApprovalHistory) []Suggestion {
	out := []Suggestion{}
	for _, g := range gates {
		if g.Asked < minAnswers || g.Granted != g.Asked || g.Findings > 0 {
			continue
		}
		name := g.Route
		why := fmt.Sprintf("%d of %d questions were granted, none refused, no finding since", g.Granted, g.Asked)
		i := slices.IndexFunc(m.Document.Autonomy, func(a Autonomy) bool { return slices.Contains(a.Routes, name) })
		switch {
		case i >= 0 && m.Document.Autonomy[i].Ask == "" && g.MaxAmount > m.Document.Autonomy[i].AloneBelow:
			to := round2(g.MaxAmount * 1.000001)
			out = append(out, Suggestion{"widen", indexed("autonomy", i) + ".alone_below", why + ", up to " + decimal(g.MaxAmount) + " " + g.Currency, func(d *Document) { d.Autonomy[i].AloneBelow = to }})
		case i >= 0 && m.Document.Autonomy[i].Ask == "always":
			out = append(out, Suggestion{"widen", indexed("autonomy", i) + ".ask", why, func(d *Document) { d.Autonomy[i].Ask = "never" }})
		case i < 0:
			out = append(out, Suggestion{"widen", "autonomy", why, func(d *Document) { d.Autonomy = append(d.Autonomy, Autonomy{Routes: []string{name}, Ask: "never"}) }})
		}
	}
	for _, unused := range m.Check(agent, used).Unused {
		key, pattern, _ := strings.Cut(unused, ": ")
		list := map[string]func(*Document) *[]string{
			"scope.routes": func(d *Document) *[]string { return &d.Grants.Routes }, "scope.resources": func(d *Document) *[]string { return &d.Grants.Resources }}[strings.TrimRight(key, "[]0123456789")]
		if list == nil || len(*list(&m.Document)) < 2 {
			continue // an empty list would grant everything
		}
		out = append(out, Suggestion{"narrow", key, "nothing used " + pattern, func(d *Document) {
			l := list(d)
			*l = slices.DeleteFunc(slices.Clone(*l), func(s string) bool { return s == pattern })
		}})
	}
	return out
}

// Diff is the change that suggestions make, as a unified diff of the document in
// its plain form (without comments), and the text afterwards.
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
