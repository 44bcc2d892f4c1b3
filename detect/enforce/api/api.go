package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"flyball/detect/enforce"
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

const maxAPIBody = 256 << 10

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

func (c *Control) refuse(w http.ResponseWriter, status int, why string, err error) {
	c.m.refusals.WithLabelValues(why).Inc()
	fail(w, status, err)
}

// submit writes a command and answers with what became of it. What is no success
// is a problem: the status is by the outcome, 409 where it is not listed.
func (in *call) submit(c *Control, command schema.Command, success enforce.ResultCode, statuses map[enforce.ResultCode]int, reply func(enforce.Result) any) {
	command.ID, command.Tenant, command.Role = newID("o_"), in.who.tenant, string(in.who.role)
	if err := c.supports(&command); err != nil {
		c.refuse(in.w, http.StatusConflict, "points_do_not_read_it", err)
		return
	}
	r, err := c.Submit(in.r.Context(), command)
	switch {
	case err != nil:
		c.refuse(in.w, http.StatusServiceUnavailable, "log_away", err)
	case r.Code == success:
		respond(in.w, http.StatusOK, reply(r))
	default:
		status := http.StatusConflict
		if s, ok := statuses[r.Code]; ok {
			status = s
		}
		detail := string(r.Code)
		if r.Detail != "" {
			detail += ": " + r.Detail
		}
		c.refuse(in.w, status, string(r.Code), errors.New(detail))
	}
}

// ChangeResult is the answer to a change.
type ChangeResult struct {
	Outcome    string `json:"outcome"`
	Generation uint64 `json:"generation"`
	Ref        string `json:"ref,omitempty"`
}

func done(r enforce.Result) any { return ChangeResult{string(r.Code), r.Generation, r.Ref} }

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
