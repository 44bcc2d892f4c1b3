package decode

import (
	"strings"

	"flyball/schema"
)

// outcome returns the outcome of a call for its caller. It uses the details and flags of the proxy first, then the status, then errors
// that were logged with a successful status.
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

// byFlags returns the outcome that follows from Envoy's response flags. upstreamFailed reports a flag that means a failure of the
// upstream without a certain outcome.
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

// byStatus returns the outcome of an HTTP status of a failed call, otherwise unknown.
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

// byDetails returns the outcome that follows from Envoy's response code details.
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

// byGRPC returns the outcome of a gRPC status, which is a number or a name. It returns unknown for OK.
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

// byError returns the outcome that follows from error.type of a call whose status shows no failure: a tool returned an error, or the
// caller did not wait.
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
