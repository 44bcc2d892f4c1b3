package app

import "testing"

// The check's record contained a key in a path, which the log does not contain; therefore the
// two rows of one call did not match.
func TestRecordOfWhatWasAskedKeepsNoSecretOfAPath(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/orders/7":                         "/v1/orders/7",
		"/v1/orders/7;jsessionid=c4nary/x":     "/v1/orders/7/x",
		"/v1/orders/7#c4nary":                  "/v1/orders/7",
		"/v1/orders/\xff":                      "/v1/orders/\ufffd",
		"/hooks/sk_live_0123456789abcdefghijk": "/hooks/[redacted]",
	} {
		if got := RedactPath(path); got != want {
			t.Errorf("%q is kept as %q, want %q", path, got, want)
		}
	}
}
