package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// controlTimeout is how long a request to the control API may take.
const controlTimeout = 10 * time.Second

// maxControlAnswer bounds what is read of an answer, in bytes.
const maxControlAnswer = 32 << 20

// controlClient sends requests to the control API of an enforcement point.
type controlClient struct {
	http   *http.Client
	base   string // scheme and address
	token  string // empty: none is needed
	listen string // control.listen
}

// newControlClient returns a client for the process of a configuration. It reads the
// token from FLYBALL_TOKEN. It trusts the system's certificate authorities and the
// certificate that the configuration sets for the listener.
func newControlClient(c config.Config) (*controlClient, error) {
	client := &controlClient{http: &http.Client{Timeout: controlTimeout}, base: "http://" + c.Control.Listen,
		token: os.Getenv("FLYBALL_TOKEN"), listen: c.Control.Listen}
	if c.Control.TLS.Cert == "" {
		return client, nil
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
			return nil, fmt.Errorf("control.tls: %w", err)
		}
		pool.AppendCertsFromPEM(pem)
	}
	client.base = "https://" + c.Control.Listen
	client.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return client, nil
}

// control is the client for the process of the command's configuration.
func (o *options) control() (*controlClient, error) {
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	return newControlClient(c)
}

// send sends a request with a JSON body (nil: none) and returns the body of the
// response. A response with an error status is an *apiError.
func (c *controlClient) send(ctx context.Context, method, path string, body any) ([]byte, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("control.listen: %w; is flyball up, or the role control, running there?", err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var p struct{ Detail, Reason string }
		_ = json.Unmarshal(out, &p)
		return nil, &apiError{method: method, path: path, code: resp.StatusCode, status: resp.Status, detail: p.Detail, reason: p.Reason}
	}
	return out, nil
}

// apiError is a response of the control API with an error status.
type apiError struct {
	method, path, status, detail string
	reason                       string // named reason; empty: of an older version
	code                         int
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s %s: %s: %s", e.method, e.path, e.status, e.detail)
}

// requestJSON sends a request and decodes the JSON of its response.
func requestJSON[T any](ctx context.Context, c *controlClient, method, path string, body any) (T, error) {
	var out T
	raw, err := c.send(ctx, method, path, body)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

// get reads a document of the control API.
func get[T any](ctx context.Context, c *controlClient, path string) (T, error) {
	return requestJSON[T](ctx, c, http.MethodGet, path, nil)
}

// post sends a change to the control API and decodes the result.
func post[T any](ctx context.Context, c *controlClient, path string, body any) (T, error) {
	return requestJSON[T](ctx, c, http.MethodPost, path, body)
}

// change sends a change to the control API and ignores the body of the response.
func (c *controlClient) change(ctx context.Context, path string, body any) error {
	_, err := c.send(ctx, http.MethodPost, path, body)
	return err
}

// deployment names the tenant and the address that a change was made at.
func (c *controlClient) deployment(tenant string) string {
	return fmt.Sprintf("tenant %s at %s", tenant, c.listen)
}

// manifests returns the manifests in force.
func (c *controlClient) manifests(ctx context.Context) (*manifest.Store, error) {
	list, err := get[[]api.ManifestLine](ctx, c, "/v1/manifests")
	if err != nil {
		return nil, err
	}
	s := manifest.NewStore()
	for _, l := range list {
		if err := s.Put("", l.Manifest); err != nil {
			return nil, fmt.Errorf("manifest of %s: %w", l.Agent, err)
		}
	}
	return s, nil
}

// caller is an agent, and whether its name is only claimed.
type caller struct {
	name    string
	claimed bool
}

// callerByTrust returns a caller; its name is claimed unless its trust establishes it.
func callerByTrust(name, trust string) caller {
	return caller{name, trust != schema.TrustVerified.String() && trust != schema.TrustInfrastructure.String()}
}

// maxArmedAgents is how many agents one request for their arming names.
const maxArmedAgents = 300

// enforcement reads from the running points, for each agent, whether findings about it
// are enforced. It returns an empty map if no point answers.
func (c *controlClient) enforcement(ctx context.Context, agents []caller) map[string]api.ArmedAgent {
	out := map[string]api.ArmedAgent{}
	for part := range slices.Chunk(agents, maxArmedAgents) {
		var body api.ArmedAgentsRequest
		for _, a := range part {
			if strings.TrimSpace(a.name) == "" {
				continue // an unnamed caller
			}
			body.Agents = append(body.Agents, a.name)
			if a.claimed {
				body.Claimed = append(body.Claimed, a.name)
			}
		}
		if len(body.Agents) == 0 {
			continue
		}
		list, err := post[[]api.ArmedAgent](ctx, c, "/v1/arming/agents", body)
		if err != nil {
			return map[string]api.ArmedAgent{}
		}
		for _, a := range list {
			out[a.Agent] = a
		}
	}
	return out
}

// currentUser is the user name that commands are recorded under when no token sets one.
func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
