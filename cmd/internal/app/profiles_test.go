package app

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
)

// metricsListener starts the listener of a process with a configuration and returns its address.
func metricsListener(t *testing.T, c config.Config) string {
	t.Helper()
	l, err := listen("metrics.listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Metrics.Listen = l.Addr().String()
	_ = l.Close()
	p := &process{config: c, log: quiet(), metrics: prometheus.NewRegistry(), parts: newGroup(quiet())}
	t.Cleanup(p.stop)
	if err := p.startHealth(); err != nil {
		t.Fatal(err)
	}
	return c.Metrics.Listen
}

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, body
}

// unzipped returns the content of a compressed profile.
func unzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v: %.200q", err, body)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestProfilesAreServedWithoutTheKey(t *testing.T) {
	addr := metricsListener(t, config.Default())
	for _, name := range []string{"", "heap", "profile?seconds=1", "trace?seconds=1", "goroutine?debug=2", "cmdline", "symbol"} {
		if code, body := get(t, "http://"+addr+profilesPath+name); code != http.StatusNotFound {
			t.Errorf("%q: %d %.80q", name, code, body)
		}
	}
	if code, _ := get(t, "http://"+addr+"/metrics"); code != http.StatusOK {
		t.Errorf("metrics: %d", code)
	}
}

func TestProfilesAreNotServedWithTheKey(t *testing.T) {
	c := config.Default()
	c.Metrics.Profiles = true
	addr := metricsListener(t, c)
	for name, sample := range map[string]string{"heap": "inuse_space", "profile?seconds=1": "nanoseconds", "allocs": "alloc_space"} {
		code, body := get(t, "http://"+addr+profilesPath+name)
		if text := unzipped(t, body); code != http.StatusOK || !bytes.Contains(text, []byte(sample)) {
			t.Errorf("%q: %d, %d bytes without %q", name, code, len(text), sample)
		}
	}
	code, body := get(t, "http://"+addr+profilesPath+"trace?seconds=0.1")
	if code != http.StatusOK || !bytes.HasPrefix(body, []byte("go 1.")) {
		t.Errorf("trace: %d %.40q", code, body)
	}
	// The command line can name files and addresses that a profile does not need.
	if code, _ := get(t, "http://"+addr+profilesPath+"cmdline"); code != http.StatusNotFound {
		t.Errorf("cmdline: %d", code)
	}
}

func TestProfilesAreServedToOtherMachines(t *testing.T) {
	for name, c := range map[string]struct {
		peer, host string
		want       int
		says       string
	}{
		"this machine":                               {"127.0.0.1:5000", "127.0.0.1:7174", http.StatusOK, ""},
		"this machine, IPv6":                         {"[::1]:5000", "[::1]:7174", http.StatusOK, ""},
		"by name, without a port":                    {"127.0.0.1:5000", "localhost", http.StatusOK, ""},
		"another machine":                            {"10.0.0.7:5000", "127.0.0.1:7174", http.StatusForbidden, "10.0.0.7"},
		"a name that a page pointed to this machine": {"127.0.0.1:5000", "pages.example:7174", http.StatusForbidden, "pages.example"},
		"no peer":                                    {"", "localhost", http.StatusForbidden, "not on this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, profilesPath+"heap", nil)
			r.RemoteAddr, r.Host = c.peer, c.host
			w := httptest.NewRecorder()
			profiles().ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %.200q, want %d %q", w.Code, w.Body.String(), c.want, c.says)
			}
		})
	}
}
