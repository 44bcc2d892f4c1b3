package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/operator"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/problem"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
	"flyball/schema/route"
)

// State is the folded state, with the heartbeats of the other points; *point.Point.
type State interface {
	// Acquire returns the state with its read lock held.
	Acquire() point.View
	// Live returns the heartbeats of the live points, this one first.
	Live() []schema.PointState
	// Supports returns nil if all live points can fold a kind of command.
	Supports(kind schema.CommandKind) error
}

// Log writes commands; *point.Log.
type Log interface {
	// Submit writes a command and waits for its result.
	Submit(ctx context.Context, command schema.Command) (enforce.Result, error)
}

// Runs finds the runs that requests at this point named; *sightings.Runs.
type Runs interface {
	Find(term string) []sightings.Sighting
	OfCaller(sc schema.Scope) []sightings.Sighting
}

// Names holds the names that requests at this point contained; *sightings.Names.
type Names interface {
	Has(s schema.Scope) bool
}

// Options of the control API.
type Options struct {
	State State
	Log   Log
	Runs  Runs
	Names Names

	Point  string // the point's name
	Tenant string
	Tokens []Token // empty: every client of the loopback listener is the operator; see authenticator
	// TokensNow returns the present tokens if they can change while the API runs: another pointer for other tokens. nil: they are Tokens.
	TokensNow func() *[]Token
	// OIDC identifies operators by tokens of an issuer; nil: only Tokens do.
	OIDC *OIDC
	// Budget of the configuration file. It is shown next to the settings in force.
	Budget breaker.Budget
	// Armed reports whether the configuration enforces the findings of a family ("": any)
	// about an agent; nil: never. Commands have priority over it.
	Armed func(agent, family string) bool
	// Tags returns the tags of an agent in the registry; nil: none.
	Tags func(agent string) []string
	// Registered reports whether the registry contains an agent or a credential; nil: it contains
	// none.
	Registered func(schema.Scope) bool
	// LinkKey signs the links by which a person decides a question; empty: there is no page.
	LinkKey schema.Secret
	// FormerLinkKeys were replaced. Links that they signed before are valid until they expire; later ones are not.
	FormerLinkKeys []FormerKey
	// Incidents are the open incidents; nil: this process does not know them.
	Incidents Incidents
	// LearnedRoutes returns the routes that were learned, as this point uses them; nil: it learned none.
	LearnedRoutes func() route.Learned
	// Findings returns at most limit findings of these tenants (of all tenants if there are none),
	// the latest first; nil: this process has no database.
	Findings func(ctx context.Context, tenants []string, limit int) (any, error)
	// Process returns what the process of this point runs; nil: it is not served.
	Process func(ctx context.Context) any
	// Unread returns what is in Kafka and not in the database; nil: it is not served.
	Unread func(ctx context.Context) any
	// FindFinding returns the ids of a tenant's findings that an id, the beginning of one, or a run
	// fits, and the verdict in force on it if it is one (nil: none); nil: findings are not looked up.
	FindFinding func(ctx context.Context, tenant, term string) (ids []string, verdict *schema.Verdict, err error)

	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// server holds what all operations share.
type server struct {
	o        Options
	refusals *prometheus.CounterVec // by named reason
}

// New returns the handler of the control API.
func New(o Options) (http.Handler, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	return s.handler()
}

func newServer(o Options) (*server, error) {
	if o.State == nil || o.Log == nil || o.Runs == nil || o.Names == nil || o.Now == nil || o.Logger == nil {
		return nil, errors.New("control: the API needs a point, memories, a clock and a logger")
	}
	if o.Armed == nil {
		o.Armed = func(string, string) bool { return false }
	}
	s := &server{o: o, refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_control_refused_total",
		Help: "Requests to the control API that were refused, by named reason."}, []string{"why"})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.refusals)
		if o.OIDC != nil {
			o.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "flyball_control_issuer_up",
				Help: "1 if the issuer of operators' tokens (control.oidc) answered last time, else 0."}, o.OIDC.up))
		}
	}
	return s, nil
}

// operations returns the operations of the API, by subject.
func (s *server) operations() []operation {
	t := &targets{s}
	var all []operation
	for _, list := range [][]operation{
		(&breakers{s, t}).operations(), (&armings{s, t}).operations(), (&exceptions{s, t}).operations(), (&grants{s}).operations(),
		(&tasks{s, t}).operations(), (&manifests{s}).operations(), (&findings{s}).operations(), (&baselines{s}).operations(),
		(&status{s}).operations(), (&settings{s}).operations(), (&callers{s}).operations(), (&keeping{s}).operations(),
		(&incidents{s}).operations(), (&silences{s}).operations(), (&routes{s}).operations(), (&operators{s}).operations(),
	} {
		all = append(all, list...)
	}
	return all
}

func (s *server) handler() (http.Handler, error) {
	operations := s.operations()
	document, err := openAPI(operations, s.o.OIDC)
	if err != nil {
		return nil, fmt.Errorf("control: the OpenAPI document: %w", err)
	}
	bodies, err := newValidator(document)
	if err != nil {
		return nil, fmt.Errorf("control: the OpenAPI document: %w", err)
	}
	mux := http.NewServeMux()
	auth := newAuthenticator(s.o.Tokens, s.o.Tenant, s.o.Now)
	auth.source, auth.oidc = s.o.TokensNow, s.o.OIDC
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	methods := map[string][]string{}
	for _, op := range operations {
		mux.HandleFunc(op.method+" "+op.path, s.serve(auth, bodies, &op))
		methods[op.path] = append(methods[op.path], op.method)
	}
	for path, list := range methods { // other methods get a refusal that lists the allowed ones
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(list, ", "))
			s.refuse(w, http.StatusMethodNotAllowed, "method", fmt.Errorf("%s: one of %s", r.Method, strings.Join(list, ", ")))
		})
	}
	p := &pages{s, bodies}
	if s.o.LinkKey != "" {
		approval := &approvalPage{p}
		mux.HandleFunc("GET /v1/grants/{id}/page", approval.show)
		mux.HandleFunc("POST /v1/grants/{id}/page", approval.decide)
		ack := &ackPage{p}
		mux.HandleFunc("GET /v1/incidents/{id}/page", ack.show)
		mux.HandleFunc("POST /v1/incidents/{id}/page", ack.decide)
	}
	if s.o.wantsSignIn() {
		mux.HandleFunc("GET "+operator.Path, (&signIn{p}).finish)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, http.StatusNotFound, "path", fmt.Errorf("%s: no such path; see /openapi.json", r.URL.Path))
	})
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// serve authenticates a request, reads its body and calls the operation.
func (s *server) serve(auth *authenticator, bodies *validator, op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var who caller
		var rejected *refusal
		if !op.anybody {
			who, rejected = auth.authenticate(r, op.role)
		}
		if rejected != nil {
			if rejected.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			s.refuse(w, rejected.status, rejected.why, rejected.err)
			return
		}
		x := &exchange{s: s, w: w, r: r, caller: who}
		if strings.Contains(op.path, "{id}") {
			if rejected := checkPathID(r.PathValue("id")); rejected != nil {
				x.refuse(rejected)
				return
			}
		}
		if op.body != nil {
			if rejected := bodies.read(x, op); rejected != nil {
				x.refuse(rejected)
				return
			}
			if rejected := who.namesAnother(x.body); rejected != nil {
				x.refuse(rejected)
				return
			}
		}
		op.serve(x)
	}
}

// refusal describes why a request is refused.
type refusal struct {
	status int
	why    string // named reason, counted
	err    error  // shown to the caller
}

func refused(status int, why, text string, args ...any) *refusal {
	return &refusal{status, why, fmt.Errorf(text, args...)}
}

// refuse counts a refusal and responds with a problem.
func (s *server) refuse(w http.ResponseWriter, status int, why string, err error) {
	s.refusals.WithLabelValues(why).Inc()
	w.Header().Set("Content-Type", problem.MediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem.Document{Type: "about:blank", Title: http.StatusText(status), Status: status, Reason: why,
		Detail: err.Error()})
}

// timestamp formats a time in Unix ns as RFC 3339; empty for 0.
func timestamp(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}
