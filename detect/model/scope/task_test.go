package scope

import (
	"testing"

	"flyball/schema"
)

func TestCallerChoosesByWhichTaskItIsCompared(t *testing.T) {
	for _, tc := range []struct {
		declared, logged string
		trust            schema.Trust
		want             string
	}{
		{"", "archive", schema.TrustAsserted, ""},
		{"", "archive", schema.TrustNone, ""},
		{"", "archive", schema.TrustInferred, ""},
		{"refund", "archive", schema.TrustAsserted, "refund"},
		{"refund", "archive", schema.TrustVerified, "refund"},
		{"", "archive", schema.TrustInfrastructure, "archive"},
		{"", "archive", schema.TrustVerified, "archive"},
		{"", "", schema.TrustVerified, ""},
	} {
		if got := TrustedTaskType(tc.declared, tc.logged, tc.trust); got != tc.want {
			t.Errorf("declared %q, logged %q (%s): %q, want %q", tc.declared, tc.logged, tc.trust, got, tc.want)
		}
	}
}
