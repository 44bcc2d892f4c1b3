// Package doctor compares the configuration of a deployment with what was found of it, and says what to do.
//
// It collects nothing: its checks are pure functions of facts.
package doctor

import (
	"cmp"
	"slices"
)

// Result is what became of a check.
type Result string

// Results, the worst first.
const (
	Wrong   Result = "wrong"
	Unknown Result = "unknown" // it could not be found out
	Good    Result = "ok"
)

// Finding is the result of one check.
type Finding struct {
	Check  string `json:"check"`  // what was looked at: kafka.topics
	Result Result `json:"result"` // wrong, unknown, ok
	Reason string `json:"reason"` // named reason; ok of a check that is good
	Found  string `json:"found"`
	Do     string `json:"do,omitempty"`
}

// Names of checks.
const (
	checkKafka       = "kafka"
	checkTopics      = "kafka.topics"
	checkACLs        = "kafka.acls"
	checkRetention   = "clickhouse.retention"
	checkMerges      = "clickhouse.merges"
	checkClickHouse  = "clickhouse"
	checkRights      = "clickhouse.rights"
	checkClocks      = "clocks"
	checkProcess     = "process"
	checkIDs         = "gateways.ids"
	checkIdentity    = "gateways.identity"
	checkDisk        = "disk"
	checkReceivers   = "receivers"
	checkLinks       = "links"
	checkTokens      = "tokens"
	checkCertificate = "certificates"
	checkFiles       = "files"
	checkListeners   = "listeners"
	checkIssuer      = "oidc"
)

// Examine returns the findings about facts: what is wrong first.
func Examine(f *Facts) []Finding {
	var out []Finding
	for _, check := range []func(*Facts) []Finding{kafka, topics, acls, clickHouse, rights, retention, merges, clocks, process, ids,
		identities, disk,
		receivers, links, tokens, issuer, certificates, files, listeners} {
		out = append(out, check(f)...)
	}
	order := map[Result]int{Wrong: 0, Unknown: 1, Good: 2}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(order[a.Result], order[b.Result]) })
	return out
}

// Count returns how many findings have a result.
func Count(findings []Finding, r Result) (n int) {
	for i := range findings {
		if findings[i].Result == r {
			n++
		}
	}
	return n
}

func good(check, found string) []Finding { return []Finding{{check, Good, "ok", found, ""}} }

func unknown(check, why, do string) []Finding {
	return []Finding{{check, Unknown, "not_reached", why, do}}
}

// orGood returns the findings of a check, or that it is good.
func orGood(check string, found []Finding, summary string) []Finding {
	if len(found) > 0 {
		return found
	}
	return good(check, summary)
}
