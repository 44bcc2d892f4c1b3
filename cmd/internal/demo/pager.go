package demo

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/schema/wording"
)

// pager is a webhook receiver that accepts only signed pages.
type pager struct {
	*httptest.Server
	secret string
	pages  chan incident.Page
}

func newPager() (*pager, error) {
	var key [32]byte
	_, _ = rand.Read(key[:])
	p := &pager{secret: "whsec_" + base64.StdEncoding.EncodeToString(key[:]), pages: make(chan incident.Page, 100)}
	verify, err := webhooks.NewWebhook(p.secret)
	if err != nil {
		return nil, err
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m notify.Message
		if err != nil || verify.Verify(body, r.Header) != nil || json.Unmarshal(body, &m) != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		select {
		case p.pages <- *m.Data:
		default:
			http.Error(w, "busy", http.StatusTooManyRequests)
		}
	}))
	return p, nil
}

// show prints a page as a person would read it.
func show(out io.Writer, p *incident.Page) {
	fmt.Fprintf(out, "  ┌ PAGE %s · %s · severity %s · incident %s\n", p.ID, p.Kind, p.Level, p.Incident)
	fmt.Fprintf(out, "  │ %s\n", p.Title())
	for _, c := range p.Contributions {
		f := wording.FeatureOf(c.Feature)
		var b strings.Builder
		for _, n := range []struct {
			word string
			v    float64
			is   bool
		}{
			{"observed", float64(c.Observed), !c.Observed.IsZero()},
			{"usual", float64(c.Usual), !c.Usual.IsZero()},
			{"peers", float64(c.Peers), !c.Peers.IsZero()},
		} {
			if n.is {
				fmt.Fprintf(&b, "  %s %s", n.word, wording.Figure(n.v, f.Unit))
			}
		}
		fmt.Fprintf(out, "  │   %-22s%s\n", f.Text, b.String())
	}
	fmt.Fprintf(out, "  │ exposure: %d calls since onset, %d irreversible · %s\n",
		p.Exposure.Calls, p.Exposure.Irreversible, cmp.Or(p.Rarity, "no rate of clean runs belongs to it"))
	if p.Caller != "" {
		fmt.Fprintf(out, "  │ caller: %s\n", p.Caller)
	}
	fmt.Fprintf(out, "  │ touched: %d irreversible, %d compensable, %d reversible, %d read only\n",
		p.Touched.Irreversible, p.Touched.Compensable, p.Touched.Reversible, p.Touched.ReadOnly)
	for _, c := range p.Commands {
		fmt.Fprintf(out, "  │ $ %s\n", c)
	}
	fmt.Fprintf(out, "  └ %s\n", p.ResolveRule)
}
