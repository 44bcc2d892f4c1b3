package main

import (
	"bytes"
	"cmp"
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

	"flyball/cmd/internal/app"
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
	target target
	// reached names the deployment that answered last; the zero value: none, or one that does not
	// name itself.
	reached reached
}

// reached is the deployment that answered a request, by the headers of its response.
type reached struct{ id, tenant string }

// newControlClient returns a client for a target. It trusts the system's certificate
// authorities and those of the target.
func newControlClient(t target) (*controlClient, error) {
	client := &controlClient{http: &http.Client{Timeout: controlTimeout}, target: t}
	if t.signedIn != nil {
		t.signedIn.http = client.http
	}
	if len(t.authorities) == 0 {
		return client, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, a := range t.authorities {
		pem, err := os.ReadFile(a.file)
		if err != nil {
			return nil, usage(fmt.Errorf("%s: %w", a.key, err))
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usage(fmt.Errorf("%s: no certificate in %s", a.key, a.file))
		}
	}
	client.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return client, nil
}

// control is the client for the deployment that the command's flags, environment and files name.
func (o *options) control() (*controlClient, error) {
	t, err := o.target()
	if err != nil {
		return nil, err
	}
	return newControlClient(t)
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
	if s := c.target.signedIn; s != nil && s.due(c.target.token, time.Now()) {
		if err := c.renew(ctx); err != nil {
			return nil, err
		}
	}
	resp, err := c.do(ctx, method, path, text)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && c.target.signedIn != nil && c.renew(ctx) == nil {
		_ = resp.Body.Close()
		resp, err = c.do(ctx, method, path, text)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.reached = reached{resp.Header.Get(app.HeaderDeployment), resp.Header.Get(app.HeaderTenant)}
	out, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxControlAnswer {
		return nil, fmt.Errorf("%s %s: the answer has more than %d MiB, and no more are read: ask for less (--limit, --agent, --since)", method,
			path, maxControlAnswer>>20)
	}
	if resp.StatusCode != http.StatusOK {
		var p struct{ Detail, Reason string }
		_ = json.Unmarshal(out, &p)
		return nil, &apiError{method: method, path: path, code: resp.StatusCode, status: resp.Status, detail: p.Detail, reason: p.Reason,
			advice: c.advice(resp.StatusCode)}
	}
	return out, nil
}

// renew replaces the token of a sign-in that has ended.
func (c *controlClient) renew(ctx context.Context) error {
	token, err := c.target.signedIn.renew(ctx, c.target.token)
	if err != nil {
		return err
	}
	c.target.token = token
	return c.target.checkToken()
}

// do sends a request once.
func (c *controlClient) do(ctx context.Context, method, path string, text []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.target.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.target.token != "" {
		req.Header.Set("Authorization", "Bearer "+string(c.target.token))
	}
	resp, err := c.http.Do(req)
	if refused := certificateError(err, c.target, time.Now()); refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("%s: nothing answers at %s: start flyball up or the role control there, or correct the address (%w)",
			c.target.from, c.target.where, schema.WithoutURL(err))
	}
	return resp, nil
}

// apiError is a response of the control API with an error status.
type apiError struct {
	method, path, status, detail string
	reason                       string // named reason; empty: of an older version
	code                         int
	advice                       string // what to do about a token; empty: nothing
}

func (e *apiError) Error() string {
	text := fmt.Sprintf("%s %s: %s: %s", e.method, e.path, e.status, e.detail)
	if e.advice != "" {
		text += "; " + e.advice
	}
	return text
}

// advice says which deployment refused a token, which token it was, and how to pass another one.
// It is empty for a status that is not about tokens.
func (c *controlClient) advice(code int) string {
	if code != http.StatusUnauthorized && code != http.StatusForbidden {
		return ""
	}
	sent := "no token was sent"
	if c.target.token != "" {
		sent = "the token of " + c.target.tokenFrom + " was sent"
	}
	if code == http.StatusUnauthorized && c.target.signedIn != nil {
		return fmt.Sprintf("%s refused, %s; %s", c.deployment(""), sent, c.target.signedIn.again())
	}
	return fmt.Sprintf("%s refused, %s; pass a token by --token-file FILE, by FLYBALL_TOKEN, or by a profile (flyball profile add, "+
		"flyball login)",
		c.deployment(""), sent)
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

// deployment names the deployment that answered last, its address and a tenant ("": the tenant
// whose state its commands change). Every command that changes something prints it.
func (c *controlClient) deployment(tenant string) string {
	return describeDeployment(c.reached, c.target, tenant)
}

func describeDeployment(r reached, t target, tenant string) string {
	if tenant = cmp.Or(tenant, r.tenant, t.tenant); tenant != "" {
		tenant = "tenant " + tenant
	}
	where := "at " + t.where
	if t.profile != "" {
		where += " (profile " + t.profile + ")"
	}
	if r.id != "" {
		where = "deployment " + r.id + " " + where
	}
	switch {
	case tenant == "":
		return where
	case r.id != "":
		return tenant + " of " + where
	}
	return tenant + " " + where
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
// are enforced. With an error the map is empty: nothing is known.
func (c *controlClient) enforcement(ctx context.Context, agents []caller) (map[string]api.ArmedAgent, error) {
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
			return map[string]api.ArmedAgent{}, err
		}
		for _, a := range list {
			out[a.Agent] = a
		}
	}
	return out, nil
}

// currentUser is the user name that commands are recorded under when no token sets one.
func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
