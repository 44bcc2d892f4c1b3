package route

import "testing"

// The check saw a key in a path, the log a secret that was removed: a breaker that the log opened on the route did not apply at the check.
func TestSecretGivesARouteTwoNames(t *testing.T) {
	for _, secret := range []string{"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk_live_abcdef1234567890", "AKIAIOSFODNN7EXAMPLE",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"} {
		asked, logged := heuristicTemplate("/files/"+secret+"/refund"), heuristicTemplate("/files/[redacted]/refund")
		if Key(asked) != Key(logged) || Key(logged) != "/files/{}/refund" {
			t.Errorf("%s: %s at the check, %s in the log", secret, asked, logged)
		}
	}
	for name, value := range map[string]string{"password": "hunter", "Session-Id": "x1", "access_token": "abcdef", "api-key": "7"} {
		asked, logged := heuristicTemplate("/x/"+name+"="+value+"/y"), heuristicTemplate("/x/"+name+"=[redacted]/y")
		if asked != "/x/{token}/y" || logged != asked {
			t.Errorf("%s: %s at the check, %s in the log", name, asked, logged)
		}
	}
	for word, want := range map[string]string{"a=b": "a=b", "path=x": "path=x", "token": "token", "a=7": "a=7",
		"sk_7": "sk_{id}", "pk_users": "pk_users", "a[b]": "a[b]"} {
		if got := heuristicTemplate("/x/" + word); got != "/x/"+want {
			t.Errorf("%s: %s", word, got)
		}
	}
}
