package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"flyball/schema/identity"
)

// Headers of every response of the control listener, refusals included: a client learns which
// deployment it has reached.
const (
	HeaderDeployment = "Flyball-Deployment" // DeploymentID
	HeaderTenant     = "Flyball-Tenant"     // tenant whose state the commands of this listener change
)

// deploymentIDBytes is the length of an id before its encoding: enough to tell deployments apart, and
// too short to be of use for anything else.
const deploymentIDBytes = 4

// DeploymentID returns the id of a deployment. All its processes share the key, so all return the
// same id; it does not reveal the key.
func DeploymentID(key identity.Key) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("flyball deployment id 1"))
	return "d_" + hex.EncodeToString(mac.Sum(nil)[:deploymentIDBytes])
}

// identify adds the headers that name the deployment to every response of h.
func identify(h http.Handler, id, tenant string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(HeaderDeployment, id)
		w.Header().Set(HeaderTenant, tenant)
		h.ServeHTTP(w, r)
	})
}
