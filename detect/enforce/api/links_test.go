package api

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

const (
	linkBase  = "http://flyball.example"
	newKey    = schema.Secret("key after the rotation")
	formerKey = schema.Secret("key of this deployment")
)

// opened is one open incident.
type opened struct{ at time.Time }

func (o opened) List(string) ([]IncidentLine, error) { return o.Find("", "") }
func (o opened) Find(string, string) ([]IncidentLine, error) {
	return []IncidentLine{{ID: "f_1", Tenant: "t", Opened: o.at.Format(time.RFC3339Nano)}}, nil
}

func (opened) Silences(string) ([]string, error) { return nil, nil }

func (o opened) Matched(_ string, m *schema.Matchers) (int, int, error) {
	lines, err := o.List("")
	matched := 0
	for _, l := range lines {
		if m.Agent == l.Agent {
			matched++
		}
	}
	return matched, len(lines), err
}

func statusOf(t *testing.T, h *inMemory, link string) int {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", link, nil))
	return w.Code
}

// A key that leaked is rotated: whoever has it must not acknowledge what comes later.
func TestFormerKeySignsNewLinksToIncidents(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	rotated := now.Add(-time.Hour)
	h := newAPI(t, func(o *enforcetest.Options) {
		o.LinkKey = newKey
		o.Now = func() time.Time { return now }
	})
	h.server.o.FormerLinkKeys = []FormerKey{{formerKey, rotated}}
	life := schema.AckLinkLife
	for name, tc := range map[string]struct {
		key    schema.Secret
		opened time.Time
		until  time.Time
		want   int
	}{
		"present key":                               {newKey, now.Add(-time.Minute), now.Add(life), 200},
		"former key, before the rotation":           {formerKey, rotated.Add(-time.Minute), rotated.Add(life), 200},
		"former key, expired":                       {formerKey, rotated.Add(-48 * time.Hour), now.Add(-time.Second), 410},
		"former key, after the rotation":            {formerKey, rotated.Add(-time.Minute), rotated.Add(life + time.Second), 403},
		"former key, dated back, incident is later": {formerKey, rotated.Add(time.Minute), rotated.Add(life - time.Hour), 403},
		"another key":                               {"another key", now.Add(-time.Minute), now.Add(life), 403},
		"no key":                                    {"", now.Add(-time.Minute), now.Add(life), 403},
	} {
		h.server.o.Incidents = opened{tc.opened}
		link := AckLink(tc.key, linkBase, "t", "f_1", "pg_1", tc.until.UnixNano())
		if tc.key == "" {
			link = strings.Replace(AckLink(newKey, linkBase, "t", "f_1", "pg_1", tc.until.UnixNano()),
				ackSignature(newKey, "t", "f_1", "pg_1", tc.until.UnixNano()), ackSignature("", "t", "f_1", "pg_1", tc.until.UnixNano()), 1)
		}
		if got := statusOf(t, h, link); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// unclear is one open incident that does not say when it was opened.
type unclear struct{ opened }

func (unclear) Find(string, string) ([]IncidentLine, error) {
	return []IncidentLine{{ID: "f_1", Opened: "soon"}}, nil
}

// away are incidents that are not known yet.
type away struct{ opened }

func (away) Find(string, string) ([]IncidentLine, error) {
	return nil, errors.New("they are being read")
}

// Whoever has a former key can set the times in a link: it is refused where nothing else is known.
func TestFormerKeyAcknowledgesWhatIsNotKnownHere(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h := newAPI(t, func(o *enforcetest.Options) {
		o.LinkKey = newKey
		o.Now = func() time.Time { return now }
	})
	h.server.o.FormerLinkKeys = []FormerKey{{formerKey, now.Add(-time.Hour)}}
	for name, tc := range map[string]struct {
		incidents       Incidents
		former, present int
	}{
		"no incidents here": {nil, 503, 200},
		"not read yet":      {away{}, 503, 200},
		"no time":           {unclear{}, 403, 200},
	} {
		h.server.o.Incidents = tc.incidents
		until := now.Add(schema.AckLinkLife - 2*time.Hour).UnixNano()
		for key, want := range map[schema.Secret]int{formerKey: tc.former, newKey: tc.present} {
			w := enforcetest.Serve(h, "GET", AckLink(key, linkBase, "t", "f_1", "pg_1", until), "")
			if w.Code != want || want != 200 && !strings.Contains(w.Body.String(), "flyball alert ack f_1") {
				t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, want)
			}
		}
	}
}

func TestUsedLinkSaysThatItsIncidentIsAcknowledged(t *testing.T) {
	h := newAPI(t, func(o *enforcetest.Options) { o.LinkKey = newKey })
	until := h.o.Now().Add(time.Hour).UnixNano()
	h.point.Replay(schema.Command{ID: point.NewCommandID("o_"), Tenant: "t", By: "x", Reason: "x", Kind: schema.CommandAck,
		Ack: &schema.AckOrder{Incident: "f_1", Link: "pg_1", LinkUntil: until}})
	w := enforcetest.Serve(h, "GET", AckLink(newKey, linkBase, "t", "f_1", "pg_1", until), "")
	if text := w.Body.String(); w.Code != 410 || !strings.Contains(text, "this link was used before; flyball alert show f_1 shows whether") {
		t.Errorf("%d %s", w.Code, text)
	}
}

func TestFormerKeySignsNewLinksToQuestions(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.LinkKey = newKey })
	r.PutManifest(t, enforcetest.Billing)
	g := r.Gate(r.Ask("billing", "r1", "DELETE", "/v1/orders/7", "").Gate)
	asked := time.Unix(0, g.AskedAt)
	link := ApprovalLink(formerKey, linkBase, g.ID, g.Expires)
	for name, tc := range map[string]struct {
		rotated time.Time
		want    int
	}{
		"asked before the rotation": {asked.Add(time.Minute).Truncate(time.Second), 200},
		"asked in the same second":  {asked.Truncate(time.Second), 200},
		"asked after the rotation":  {asked.Add(-time.Minute).Truncate(time.Second), 403},
	} {
		r.server.o.FormerLinkKeys = []FormerKey{{formerKey, tc.rotated}}
		for _, method := range []string{"GET", "POST"} {
			if method == "POST" && tc.want == 200 {
				continue // it would be decided
			}
			if w := enforcetest.Serve(r.API, method, link, "answer=grant&reason=x&by=Ann", "Content-Type",
				"application/x-www-form-urlencoded"); w.Code != tc.want {
				t.Errorf("%s: %s %d, want %d: %s", name, method, w.Code, tc.want, w.Body)
			}
		}
	}
	if r.Gate(g.ID).State != schema.GatePending {
		t.Error("a link that was signed with a former key decided a later question")
	}
}

// The processes of a deployment are upgraded one after the other, and pages were sent before.
func TestLinksOfTheVersionBeforeAreRefused(t *testing.T) {
	const until = 1767225600000000000
	if got := ApprovalLink(formerKey, linkBase, "g_1", until); !strings.HasSuffix(got, "&sig=-mzT0iK9fQr0Xw8Qt3AfAMnx_bc4aQBd") {
		t.Error(got)
	}
	if got := AckLink(formerKey, linkBase, "t", "f_1", "pg_1", until); !strings.Contains(got, "sig=_mlc3NcBVZbeZiKgoG8KOQgnvA6dFZIy") {
		t.Error(got)
	}
}
