package schema

import "strings"

// The canary is a synthetic agent that runs away on purpose, to measure the whole path from a log line to a page. Its calls belong to a
// tenant of their own. Only a receipt that is signed with the deployment's key for that tenant puts a call there; no name does.
const (
	// CanaryTenant is the canary's tenant. No configuration may use it.
	CanaryTenant = "flyball-canary"
	// CanaryPath is the beginning of the paths of the canary's calls. A receipt for another path does not put a call into its tenant.
	CanaryPath = "/flyball-canary/"
	// CanaryHeader is the header of a request to the check with the canary's receipt. Gateways delete every X-Flyball-* header of a client.
	CanaryHeader = "x-flyball-canary"
	// FamilyCanary is the finding about the canary's run.
	FamilyCanary = "canary"

	canaryActor = "canary:"
)

// CanaryRoutingKey returns the routing key of the canary's caller in a round. No other routing key begins like it.
func CanaryRoutingKey(round string) string { return canaryActor + round }

// IsCanaryActor reports whether a routing key is the canary's.
func IsCanaryActor(routingKey string) bool { return strings.HasPrefix(routingKey, canaryActor) }
