package decode

import (
	"testing"

	"flyball/schema"
)

// If the leftmost entry of X-Forwarded-For were used, a caller could claim the address of another client.
func TestForgedForwardedAddressIsNotTheRowsClient(t *testing.T) {
	const at = `"start_time":"2026-11-20T12:00:00.123Z","method":"GET","response_code":200,"duration":38,"response_flags":"-","protocol":"HTTP/2","path":"/orders/7",`
	for name, x := range map[string]struct {
		line string
		hops int
		want string
		many string
	}{
		"Envoy, the peer is logged and appended": {`{` + at + `"downstream_remote_address":"203.0.113.9:5555","x_forwarded_for":"1.2.3.4,203.0.113.9"}`, 0, "203.0.113.9", ""},
		"Envoy, not appended": {`{` + at + `"downstream_remote_address":"203.0.113.9:5555","x_forwarded_for":"1.2.3.4"}`, 0,
			"203.0.113.9", ""},
		"Envoy behind a trusted proxy":       {`{` + at + `"downstream_remote_address":"10.0.0.2:5555","x_forwarded_for":"1.2.3.4,203.0.113.9,10.0.0.2"}`, 1, "203.0.113.9", ""},
		"nginx":                              {`{"msec":"1790933415.1","request_method":"GET","request_uri":"/a","status":"200","remote_addr":"203.0.113.9","http_x_forwarded_for":"1.2.3.4, 5.6.7.8"}`, 0, "203.0.113.9", ""},
		"nginx behind a trusted proxy":       {`{"msec":"1790933415.1","request_method":"GET","request_uri":"/a","status":"200","remote_addr":"10.0.0.2","http_x_forwarded_for":"1.2.3.4, 203.0.113.9"}`, 1, "203.0.113.9", ""},
		"no peer is logged":                  {`{` + at + `"x_forwarded_for":"1.2.3.4,203.0.113.9"}`, 0, "203.0.113.9", "2"},
		"Kong":                               {`{"started_at":1790933415000,"client_ip":"203.0.113.9","request":{"method":"GET","uri":"/a","headers":{"x-forwarded-for":"1.2.3.4"}},"response":{"status":200},"latencies":{"request":4}}`, 0, "203.0.113.9", ""},
		"a line that begins with the header": {`203.0.113.133, 10.2.19.0 - - [24/Jan/2018:04:57:43 +0000] "GET /s HTTP/1.1" 200 12 "http://a" "curl/8"`, 0, "10.2.19.0", "2"},
		"such a line, one hop":               {`203.0.113.133, 10.2.19.0 - - [24/Jan/2018:04:57:43 +0000] "GET /s HTTP/1.1" 200 12 "http://a" "curl/8"`, 1, "203.0.113.133", ""},
		"a plain line": {`10.2.19.0 - - [24/Jan/2018:04:57:43 +0000] "GET /s HTTP/1.1" 200 12 "http://a" "curl/8"`, 0,
			"10.2.19.0", ""},
	} {
		p, err := New(Options{Tenant: "t", Default: Input{Format: "auto", TrustedHops: x.hops}}, &seen{}, &seen{})
		if err != nil {
			t.Fatal(err)
		}
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: 1, Value: []byte(x.line)}, nil)
		if len(calls) != 1 {
			t.Errorf("%s: %d calls, %v", name, len(calls), dead)
			continue
		}
		if got, many := calls[0].ClientIP.String(), calls[0].Attr(schema.AttrForwardedHops); got != x.want || many != x.many {
			t.Errorf("%s: %s, hops %q; want %s, %q", name, got, many, x.want, x.many)
		}
	}
	if _, err := New(Options{Default: Input{TrustedHops: -1}}, &seen{}, &seen{}); err == nil {
		t.Error("hops below 0 are taken")
	}
}

// Who sets up a topic must see which of two addresses is taken, and what trusted_hops would change.
func TestExplainHidesWhichAddressItTakes(t *testing.T) {
	const two = `{"msec":"1790933415.1","request_method":"GET","request_uri":"/a","status":"200","remote_addr":"10.0.0.2","http_x_forwarded_for":"1.2.3.4, 203.0.113.9"}`
	const list = `{"msec":"1790933415.1","request_method":"GET","request_uri":"/a","status":"200","http_x_forwarded_for":"1.2.3.4, 203.0.113.9"}`
	const peer = `{"msec":"1790933415.1","request_method":"GET","request_uri":"/a","status":"200","remote_addr":"10.0.0.2"}`
	for _, x := range []struct {
		line, value, from string
		hops              int
	}{
		{two, "10.0.0.2", "remote_addr (" + addressOfPeer.why(0) + ")", 0},
		{two, "203.0.113.9", "http_x_forwarded_for (" + addressBeyondProxy.why(1) + ")", 1},
		{list, "203.0.113.9", "http_x_forwarded_for (" + addressOfList.why(0) + ")", 0},
		{peer, "10.0.0.2", "remote_addr", 0},
		{peer, "10.0.0.2", "remote_addr", 1},
	} {
		p, err := New(Options{Tenant: "t", Default: Input{Format: "auto", TrustedHops: x.hops}}, &seen{}, &seen{})
		if err != nil {
			t.Fatal(err)
		}
		// The item before it is rejected: origins must stay those of the call.
		value := []byte(`{"event":"x"}` + "\n" + x.line)
		calls, steps, _ := p.Explain(&Record{Topic: "in", Timestamp: 1, Value: value})
		if len(calls) != 1 || len(steps) != 1 {
			t.Fatalf("%d calls, %d origins", len(calls), len(steps))
		}
		for _, o := range FieldOrigins(&calls[0], steps[0]) {
			if o.Field == "client_ip" && (o.Value != x.value || o.From != x.from) {
				t.Errorf("%d hops: %s from %q, want %s from %q", x.hops, o.Value, o.From, x.value, x.from)
			}
		}
	}
}
