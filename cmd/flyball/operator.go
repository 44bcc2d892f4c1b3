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
	"time"

	"flyball/cmd/internal/config"
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
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, p.Detail)
	}
	return out, nil
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
