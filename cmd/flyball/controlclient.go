package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"sort"
	"strings"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

// ask talks to the control API of the configured process. FLYBALL_TOKEN holds
// the token, where one is needed.
func (o *options) ask(method, path string, body any) ([]byte, error) {
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	client, base, err := operatorClient(c)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if t := os.Getenv("FLYBALL_TOKEN"); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("control.listen: %w; is flyball up, or the role control, running there?", err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var p struct{ Detail string }
		_ = json.Unmarshal(out, &p)
		return nil, &apiError{method: method, path: path, code: resp.StatusCode, status: resp.Status, detail: p.Detail}
	}
	return out, nil
}

// apiError is an answer of the control API that is no success.
type apiError struct {
	method, path, status, detail string
	code                         int
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s %s: %s: %s", e.method, e.path, e.status, e.detail)
}

// post changes something through the control API and reads its answer.
func post[T any](o *options, path string, body any) (T, error) {
	var out T
	raw, err := o.ask(http.MethodPost, path, body)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

// deployment names what a change was made in.
func (o *options) deployment(tenant string) string {
	c, err := o.load()
	if err != nil {
		return "tenant " + tenant
	}
	return fmt.Sprintf("tenant %s at %s", tenant, c.Control.Listen)
}

// again is how this program is called for the same deployment.
func (o *options) again() string {
	if o.config == "" {
		return "flyball"
	}
	return "flyball --config " + shellWord(o.config)
}

// shellWord makes a text safe to paste into a shell.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\\''`) + "'"
}

// enforcedWithin is how long a change waits for the points' heartbeats, which come
// every second.
const enforcedWithin = 3 * time.Second

// spread waits until every live point has applied a generation of the log, for a short
// while, and says which have and which have not.
func (o *options) spread(generation uint64, points []api.Applied) (have, lack []string) {
	end := time.Now().Add(enforcedWithin)
	for {
		have, lack = []string{}, []string{}
		for _, p := range points {
			if p.Generation >= generation {
				have = append(have, p.Point)
			} else {
				lack = append(lack, p.Point)
			}
		}
		if len(lack) == 0 || !time.Now().Before(end) {
			sort.Strings(have)
			sort.Strings(lack)
			return have, lack
		}
		time.Sleep(100 * time.Millisecond)
		now, err := get[[]schema.PointState](o, "/v1/points")
		if err != nil {
			return have, lack
		}
		points = points[:0:0]
		for _, p := range now {
			points = append(points, api.Applied{Point: p.Point, Generation: uint64(p.Applied) + 1})
		}
	}
}

// where says at which points a change holds.
func where(have, lack []string) string {
	out := "at " + strings.Join(have, ", ")
	if len(have) == 0 {
		out = "at no point yet"
	}
	if len(lack) > 0 {
		out += "; NOT YET at " + strings.Join(lack, ", ")
	}
	return out
}

// operatorClient trusts, beside the system's authorities, the certificate that the
// configuration gives the listener.
func operatorClient(c config.Config) (*http.Client, string, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	if c.Control.TLS.Cert == "" {
		return client, "http://" + c.Control.Listen, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, file := range []string{c.Control.TLS.Cert, c.Control.TLS.CA} {
		if file == "" {
			continue
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, "", fmt.Errorf("control.tls: %w", err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return client, "https://" + c.Control.Listen, nil
}

// get reads a listing of the control API.
func get[T any](o *options, path string) (T, error) {
	var out T
	raw, err := o.ask(http.MethodGet, path, nil)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
