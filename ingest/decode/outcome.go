package decode

import (
	"strings"

	"flyball/schema"
)

// outcome of a call as its caller met it. What the proxy says it did comes
// first, then the status, then what rode on a status that looks well.
func outcome(d *draft) schema.Outcome {
	c := &d.call
	if o := byDetails(d.details); o != schema.OutcomeUnknown {
		return o
	}
	o, upstreamFailed := byFlags(d.flags)
	if o != schema.OutcomeUnknown {
		return o
	}
	if o := byStatus(c.Status); o != schema.OutcomeUnknown {
		return o
	}
	if o := byGRPC(d.grpc); o != schema.OutcomeUnknown {
		return o
	}
	switch {
	case c.DeniedBy != "":
		return schema.OutcomeDenied
	case c.RPCStatus != "" && c.RPCStatus != "0" && c.RPCStatus != "OK":
		return schema.OutcomeToolError
	case c.ErrorType != "" || d.failed:
		return byError(c)
	case c.Status >= 100, d.grpc != "":
		return schema.OutcomeOK
	case upstreamFailed:
		return schema.OutcomeServerError
	}
	return schema.OutcomeUnknown
}

// byFlags reads Envoy's response flags. One that is no certain sign of the
// outcome is a failure of the upstream.
func byFlags(flags string) (o schema.Outcome, upstreamFailed bool) {
	for flags != "" {
		var f string
		f, flags, _ = strings.Cut(flags, ",")
		switch f {
		case "DC", "DR":
			return schema.OutcomeAborted, false
		case "UT", "SI", "DT":
			return schema.OutcomeTimeout, false
		case "RL":
			return schema.OutcomeRateLimited, false
		case "UAEX":
			return schema.OutcomeDenied, false
		case "DPE", "IH", "NR":
		default:
			upstreamFailed = true
		}
	}
	return schema.OutcomeUnknown, upstreamFailed
}

// byStatus reads an HTTP status that says that the call failed.
func byStatus(s uint16) schema.Outcome {
	switch {
	case s == 401 || s == 403 || s == 407:
		return schema.OutcomeDenied
	case s == 429:
		return schema.OutcomeRateLimited
	case s == 499 || s == 444:
		return schema.OutcomeAborted
	case s == 504 || s == 408:
		return schema.OutcomeTimeout
	case s >= 500:
		return schema.OutcomeServerError
	case s >= 400:
		return schema.OutcomeClientError
	}
	return schema.OutcomeUnknown
}

// byDetails reads Envoy's response code details.
func byDetails(s string) schema.Outcome {
	switch {
	case s == "":
	case s == "ext_authz_denied", strings.HasPrefix(s, "rbac_access_denied"), strings.HasPrefix(s, "jwt_authn_access_denied"):
		return schema.OutcomeDenied
	case s == "request_rate_limited", s == "local_rate_limited":
		return schema.OutcomeRateLimited
	case s == "downstream_remote_disconnect":
		return schema.OutcomeAborted
	}
	return schema.OutcomeUnknown
}

// byGRPC reads a gRPC status, by number or by name.
func byGRPC(s string) schema.Outcome {
	switch strings.ToUpper(strings.ReplaceAll(s, "_", "")) {
	case "", "0", "OK":
		return schema.OutcomeUnknown
	case "1", "CANCELLED", "CANCELED":
		return schema.OutcomeAborted
	case "4", "DEADLINEEXCEEDED":
		return schema.OutcomeTimeout
	case "7", "16", "PERMISSIONDENIED", "UNAUTHENTICATED":
		return schema.OutcomeDenied
	case "8", "RESOURCEEXHAUSTED":
		return schema.OutcomeRateLimited
	case "3", "5", "6", "9", "11", "INVALIDARGUMENT", "NOTFOUND", "ALREADYEXISTS", "FAILEDPRECONDITION", "OUTOFRANGE":
		return schema.OutcomeClientError
	}
	return schema.OutcomeServerError
}

// byError reads error.type of a call whose status does not say that it failed:
// a tool that answered with an error, or a caller that did not wait.
func byError(c *schema.Call) schema.Outcome {
	switch e := strings.ToLower(c.ErrorType); {
	case strings.Contains(e, "timeout") || strings.Contains(e, "deadline"):
		return schema.OutcomeTimeout
	case strings.Contains(e, "cancel") || strings.Contains(e, "abort"):
		return schema.OutcomeAborted
	}
	if c.OpKind == schema.OpHTTP && c.Status == 0 {
		return schema.OutcomeServerError
	}
	return schema.OutcomeToolError
}
