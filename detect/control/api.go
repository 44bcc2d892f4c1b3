package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/detect/breaker"
	"flyball/detect/ledger"
	"flyball/schema"
)

// operation of the control API: the listener and its OpenAPI document are made
// of the same list.
type operation struct {
	method, path string
	id, summary  string
	role         Role
	query        []param
	ask          any // a zero value of the body's type; nil: none
	answer       any // a zero value of the answer's type
	problems     []int
	serve        func(*call)
}

type param struct{ name, kind, doc string }

// call of an operation.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	who caller
	ask any // pointer to what the body said
}

const (
	maxAPIBody   = 128 << 10
	maxReason    = 1000
	maxScopeName = 1000
)

// APIHandler serves operators and tools.
func (c *Control) APIHandler() http.Handler {
	mux := http.NewServeMux()
	door := newDoor(c.o.Tokens, c.o.Tenant, c.o.Now)
	document, err := c.openAPI()
	if err != nil {
		c.o.Logger.Error("no OpenAPI document", "error", err)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	methods := map[string][]string{}
	for _, op := range c.operations() {
		mux.HandleFunc(op.method+" "+op.path, c.handle(door, &op))
		methods[op.path] = append(methods[op.path], op.method)
	}
	for path, list := range methods { // what no operation takes is refused by name, and says what is taken
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(list, ", "))
			c.refuse(w, http.StatusMethodNotAllowed, "method", fmt.Errorf("%s: one of %s", r.Method, strings.Join(list, ", ")))
		})
	}
	if c.o.LinkKey != "" {
		mux.HandleFunc("GET /v1/grants/{id}/page", c.showPage)
		mux.HandleFunc("POST /v1/grants/{id}/page", c.actOnPage)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.refuse(w, http.StatusNotFound, "path", fmt.Errorf("%s: no such path; see /openapi.json", r.URL.Path))
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func (c *Control) handle(d *door, op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, no := d.admit(r, op.role)
		if no != nil {
			if no.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			c.refuse(w, no.status, no.why, no.err)
			return
		}
		in := &call{w: w, r: r, who: who}
		if op.ask != nil {
			if status, err := in.read(op.ask); err != nil {
				c.refuse(w, status, "body", err)
				return
			}
		}
		op.serve(in)
	}
}

// read takes the body in as the operation's type: JSON, one value, no member that
// is not known.
func (in *call) read(like any) (int, error) {
	if kind, _, err := mime.ParseMediaType(in.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("Content-Type: %q; application/json", in.r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(in.w, in.r.Body, maxAPIBody))
	if err != nil {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("body: %w", err)
	}
	if !utf8.Valid(text) {
		return http.StatusBadRequest, errors.New("body: not UTF-8")
	}
	in.ask = reflect.New(reflect.TypeOf(like)).Interface()
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(in.ask); err != nil {
		return http.StatusBadRequest, fmt.Errorf("body: %w", err)
	}
	if strings.TrimSpace(string(text)) == "null" {
		return http.StatusBadRequest, errors.New("body: null; an object is needed")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return http.StatusBadRequest, errors.New("body: more than one value")
	}
	return 0, nil
}

func (c *Control) refuse(w http.ResponseWriter, status int, why string, err error) {
	c.m.refusals.WithLabelValues(why).Inc()
	fail(w, status, err)
}

// submit writes a command and answers with what became of it. What is no success
// is a problem: the status is by the outcome, 409 where it is not listed.
func (in *call) submit(c *Control, command schema.Command, success string, statuses map[string]int, reply func(ledger.Result) any) {
	command.ID, command.Tenant, command.Role = newID("o_"), in.who.tenant, string(in.who.role)
	r, err := c.Submit(in.r.Context(), command)
	switch {
	case err != nil:
		c.refuse(in.w, http.StatusServiceUnavailable, "log_away", err)
	case r.Outcome == success:
		respond(in.w, http.StatusOK, reply(r))
	default:
		status := http.StatusConflict
		if s, ok := statuses[r.Outcome]; ok {
			status = s
		}
		detail := r.Outcome
		if r.Detail != "" {
			detail += ": " + r.Detail
		}
		c.refuse(in.w, status, r.Outcome, errors.New(detail))
	}
}

// Ask is the body of a change of breakers.
type Ask struct {
	Scope   *schema.Scope `json:"scope,omitempty"`
	TTL     string        `json:"ttl,omitempty"`
	For     string        `json:"for,omitempty"`
	Reason  string        `json:"reason"`
	IfMatch uint64        `json:"if_match,omitempty"`
	By      string        `json:"by,omitempty"`
}

// Done is the answer to a change.
type Done struct {
	Outcome    string `json:"outcome"`
	Generation uint64 `json:"generation"`
	Ref        string `json:"ref,omitempty"`
}

func done(r ledger.Result) any { return Done{r.Outcome, r.Generation, r.Ref} }

func (c *Control) change(kind schema.CommandKind) func(*call) {
	return func(in *call) {
		ask := in.ask.(*Ask)
		command, err := c.commandOf(kind, ask, in)
		if err != nil {
			c.refuse(in.w, http.StatusBadRequest, "body", err)
			return
		}
		in.submit(c, command, string(breaker.Applied), map[string]int{string(breaker.IfMatchFailed): http.StatusPreconditionFailed, string(breaker.NoBreaker): http.StatusNotFound}, done)
	}
}

func (c *Control) commandOf(kind schema.CommandKind, ask *Ask, in *call) (schema.Command, error) {
	command := schema.Command{Kind: kind, By: in.who.named(ask.By), Reason: ask.Reason, IfMatch: ask.IfMatch}
	if strings.TrimSpace(ask.Reason) == "" || len(ask.Reason) > maxReason {
		return command, fmt.Errorf("reason: %d characters; 1 to %d: say why, it goes into the history", len(ask.Reason), maxReason)
	}
	if m := strings.Trim(in.r.Header.Get("If-Match"), `"`); m != "" && m != "*" {
		g, err := strconv.ParseUint(m, 10, 64)
		if err != nil {
			return command, fmt.Errorf("If-Match: %q is no generation", m)
		}
		command.IfMatch = g
	}
	length, key := ask.TTL, "ttl"
	if kind == schema.CommandBypass {
		length, key = ask.For, "for"
		if length == "" {
			return command, errors.New("for: empty; a bypass must end by itself")
		}
		if ask.Scope != nil || ask.TTL != "" {
			return command, errors.New("scope, ttl: a bypass is of the whole tenant and lasts as long as for says")
		}
	} else {
		if ask.For != "" {
			return command, errors.New("for: of a bypass only; a breaker has a ttl")
		}
		if ask.Scope == nil || ask.Scope.Kind == schema.ScopeNone || ask.Scope.Value == "" || len(ask.Scope.Value) > maxScopeName {
			return command, fmt.Errorf("scope: kind must be one of %s, and value must have 1 to %d characters", strings.Join(schema.ScopeKindWords[1:], ", "), maxScopeName)
		}
		command.Scope = *ask.Scope
	}
	if length != "" {
		d, err := duration(key, length)
		if err != nil {
			return command, err
		}
		command.TTL = int64(d)
	}
	return command, nil
}

// duration reads one as Go writes it, above 0 and of at most 31 days.
func duration(key, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 31*24*time.Hour {
		return 0, fmt.Errorf("%s: %q is no duration above 0 and up to 744h, as in 15m", key, text)
	}
	return d, nil
}

func stamp(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: err.Error()})
}
