package feature

import (
	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// Input holds the facts about one call that the detector uses. Route, arguments, result and
// resources are hashes, which are only compared.
type Input struct {
	Route     uint64
	API       uint64 // of APIName; 0: not recorded
	Args      uint64 // of the arguments; when no body is logged, of path, full query and size of the request
	Result    uint64 // of the result; when it is not logged, the size of the answer in bytes
	Resources []uint64
	Write     bool // the call may change something
	Failed    bool
	Delete    bool
	Bytes     uint64 // size of the answer

	Start, End   int64 // event times, Unix ns; 0: not logged
	Irreversible bool
	Tokens       uint64
	Money        float64 // in units of Currency; 0: not logged
	Currency     string
}

// RouteName returns the name under which a call's route is counted: method and route,
// or the operation when there is no method.
func RouteName(method, route, operation string) string {
	if method == "" {
		return operation
	}
	return method + " " + route
}

// RouteHash returns the hash of a route's name.
func RouteHash(name string) uint64 { return xxhash.Sum64String(name) }

// Extract fills into from a call and reuses its memory. All failed calls have the same result, because the size of an
// error page has no meaning.
func Extract(c *schema.Call, into *Input) {
	var raw [192]byte // of most names: no allocation
	if c.Method == "" {
		into.Route = RouteHash(c.Operation)
	} else {
		into.Route = xxhash.Sum64(append(append(append(raw[:0], c.Method...), ' '), c.RouteKey...))
	}
	into.API = apiHash(c)
	into.Args = c.ArgsDigest
	if c.ArgsDigestBasis == schema.DigestURL {
		into.Args = schema.HashNumbers(c.ArgsDigest, c.BytesIn)
	}
	into.Failed = c.Failed()
	into.Write = mayWrite(c.Method, c.Effect)
	into.Bytes = c.BytesOut
	// The effect of a DELETE can be a more specific one, for example for a role or a payment.
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

// ResourceHash returns the hash of a resource's type and id.
func ResourceHash(kind, id string) uint64 { return schema.HashStrings(kind, id) }

// mayWrite reports whether a call may change something: by its method, or by its effect when
// there is no method.
func mayWrite(method string, effect schema.Effect) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return false
	case "":
		return effect > schema.EffectRead
	}
	return true
}
