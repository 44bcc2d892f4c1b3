package config

import (
	"strings"
	"testing"
	"time"
)

const purge = "name: nightly purge, agent: ops/purge, family: 'runaway.*', expires: '2027-01-31T00:00:00Z', approver: ana, why: retention"

func excepted(more string) string { return "detect: {exceptions: [{" + more + "}]}" }

func TestExceptionThatNobodyAnswersForIsRefused(t *testing.T) {
	without := func(key string) string {
		var kept []string
		for part := range strings.SplitSeq(purge, ", ") {
			if !strings.HasPrefix(part, key+":") {
				kept = append(kept, part)
			}
		}
		return excepted(strings.Join(kept, ", "))
	}
	with := func(more string) string { return excepted(purge + ", " + more) }
	for text, wants := range map[string][]string{
		without("name"):     {"detect.exceptions[0].name", `""`},
		without("agent"):    {"detect.exceptions[0].agent: empty"},
		without("family"):   {"detect.exceptions[0].family: empty"},
		without("expires"):  {"detect.exceptions[0].expires", `""`, "2027-01-31T00:00:00Z"},
		without("approver"): {"detect.exceptions[0].approver: empty"},
		without("why"):      {"detect.exceptions[0].why: empty"},
		strings.Replace(with(""), "ops/purge", "'ops/['", 1):              {"detect.exceptions[0].agent", "ops/[", "no pattern"},
		strings.Replace(with(""), "runaway.*", "runaway.x", 1):            {"detect.exceptions[0].family", "runaway.x", "runaway.loop"},
		strings.Replace(with(""), "runaway.*", "policy.*", 1):             {"detect.exceptions[0].family", "policy.*", "manifests"},
		strings.Replace(with(""), "2027-01-31T00:00:00Z", "next year", 1): {"detect.exceptions[0].expires", "next year"},
		with("routes: ['delete /v1']"):                                    {"detect.exceptions[0].routes[0]", "delete /v1"},
		with("hours: {from: '7', to: '19:00', timezone: UTC}"):            {"detect.exceptions[0].hours.from", `"7"`},
		with("hours: {from: '22:00', to: '06:00', timezone: Mars/Base}"):  {"detect.exceptions[0].hours.timezone", "Mars/Base"},
		with("hours: {from: '22:00', to: '06:00'}"):                       {"detect.exceptions[0].hours.timezone", `""`},
		"detect: {exceptions: [{" + purge + "}, {" + purge + "}]}":        {"detect.exceptions[1].name", "nightly purge"},
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = c.Validate()
		for _, w := range wants {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not name %s", text, err, w)
			}
		}
	}
	for text, want := range map[string]string{
		with("rout: []"):               "unknown key detect.exceptions[0].rout; did you mean detect.exceptions[0].routes?",
		with("hours: {form: '07:00'}"): "unknown key detect.exceptions[0].hours.form; did you mean detect.exceptions[0].hours.from?",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestExpiredExceptionIsAWarningAndNoError(t *testing.T) {
	c, err := load(t,
		excepted(purge+", routes: ['DELETE /v1/orders/{id}', 'tool:purge'], "+
			"hours: {days: [sat, sun], from: '22:00', to: '06:00', timezone: Europe/Berlin}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ends := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	if got := c.Warnings(ends.Add(-time.Second)); len(got) != 0 {
		t.Errorf("before its end: %q", got)
	}
	if got := c.Warnings(ends); len(got) != 1 || !strings.Contains(got[0], "detect.exceptions[0].expires") || !strings.Contains(got[0],
		"nightly purge") || !strings.Contains(got[0], "2027-01-31T00:00:00Z") {
		t.Errorf("after its end: %q", got)
	}
	b, err := Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := load(t, string(b))
	if err != nil || len(again.Detect.Exceptions) != 1 || again.Detect.Exceptions[0].Hours == nil ||
		again.Detect.Exceptions[0].Hours.From != "22:00" {
		t.Fatalf("a dump does not read back: %v\n%s", err, b)
	}
}
