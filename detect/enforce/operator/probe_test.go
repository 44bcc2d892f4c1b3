package operator

import (
	"testing"

	"flyball/detect/enforce/operator/operatortest"
)

func TestClientThatTheIssuerDoesNotKnowLooksRight(t *testing.T) {
	p := operatortest.Start(t)
	right, c := unread(t, p, nil)
	got := right.Probe(t.Context(), redirect)
	if got.Error != "" || !got.Client || got.ClientError != "" || !got.DeviceCode || len(got.Allowed) != 1 || got.Allowed[0] != "ES256" {
		t.Errorf("%+v", got)
	}
	if d := got.Now.Sub(c.Now()).Abs(); got.Now.IsZero() || d.Minutes() > 1 {
		t.Errorf("the clock of the issuer: %s", d)
	}
	if got := right.Probe(t.Context(), "https://flyball.example/other"); got.Client || got.ClientError == "" {
		t.Errorf("another redirect URL: %+v", got)
	}
	other, _ := unread(t, p, func(o *Options) { o.ClientID, o.Algorithms = "unknown", []string{"RS256"} })
	if got := other.Probe(t.Context(), redirect); got.Client || got.ClientError == "" || len(got.Allowed) != 0 {
		t.Errorf("another client: %+v", got)
	}
	p.SetAway(true)
	if got := right.Probe(t.Context(), redirect); got.Error == "" {
		t.Errorf("away: %+v", got)
	}
}
