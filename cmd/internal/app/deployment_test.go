package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"flyball/schema/identity"
)

func TestEveryResponseOfControlNamesTheDeployment(t *testing.T) {
	one, two := DeploymentID(identity.Key("0123456789abcdef")), DeploymentID(identity.Key("0123456789abcdeg"))
	if one == two || len(one) != len("d_00000000") {
		t.Errorf("%s and %s", one, two)
	}
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	w := httptest.NewRecorder()
	identify(refuse, one, "acme").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/status", nil))
	if h := w.Header(); w.Code != http.StatusUnauthorized || h.Get(HeaderDeployment) != one || h.Get(HeaderTenant) != "acme" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}
