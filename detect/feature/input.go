package feature

import (
	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// Input is what the detector looks at of one call. Route, arguments, result and
// resources are hashes: they are only ever compared.
type Input struct {
	Route     uint64
	Args      uint64 // of the arguments; where no body is logged, of path, full query and what the request weighs
	Result    uint64 // of the result; where none is logged, the bytes of the answer
	Resources []uint64
	Write     bool // may change something
	Failed    bool
	Delete    bool
	Bytes     uint64 // that the API gave out

	Start, End   int64 // event times, Unix ns; 0: not logged
	Irreversible bool
	Tokens       uint64
	Money        float64 // in units of Currency; 0: none was logged
	Currency     string
}

// RouteName is the name that a call's route is counted under: method and route,
// or the operation where there is no method.
func RouteName(method, route, operation string) string {
	if method == "" {
		return operation
	}
	return method + " " + route
}

// RouteHash identifies a route by its name.
func RouteHash(name string) uint64 { return xxhash.Sum64String(name) }

// Extract fills into from a call, reusing its memory. The result of a failed call is
// that it failed: what an error page weighs says nothing.
func Extract(c *schema.Call, into *Input) {
	var d xxhash.Digest
	d.Reset()
	if c.Method == "" {
		_, _ = d.WriteString(c.Operation)
	} else {
		_, _ = d.WriteString(c.Method)
		_, _ = d.WriteString(" ")
		_, _ = d.WriteString(c.RouteKey)
	}
	into.Route = d.Sum64()
	into.Args = c.ArgsDigest
	if c.ArgsDigestBasis == schema.DigestURL {
		into.Args = schema.HashNumbers(c.ArgsDigest, c.BytesIn)
	}
	into.Failed = c.Failed()
	into.Write = mayWrite(c.Method, c.Effect)
	into.Bytes = c.BytesOut
	// Words may say more of a DELETE (of a role, of a payment) than that it deletes.
	into.Delete = c.Effect == schema.EffectDelete || c.Method == "DELETE"
	switch {
	case into.Failed:
		into.Result = failed
	case c.ResultDigestBasis == schema.DigestOutcome || c.ResultDigestBasis == schema.DigestNone:
		into.Result = c.BytesOut
	default:
		into.Result = c.ResultDigest
	}
	extractUsage(c, into)
	into.Resources = into.Resources[:0]
	for i := range c.Resources {
		if r := &c.Resources[i]; r.ID != "?" && r.ID != "*" {
			into.Resources = append(into.Resources, ResourceHash(r.Type, r.ID))
		}
	}
}

const failed = ^uint64(0)

// FailedResult is the result of every call that failed.
const FailedResult = failed

// ResourceHash identifies a resource within a run.
func ResourceHash(kind, id string) uint64 { return schema.HashStrings(kind, id) }

// mayWrite reports whether a call may change something: by its method, and where
// there is none by its effect.
func mayWrite(method string, effect schema.Effect) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return false
	case "":
		return effect > schema.EffectRead
	}
	return true
}
