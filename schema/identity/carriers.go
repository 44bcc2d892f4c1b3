package identity

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// ParseTraceparent reads a W3C traceparent. Ids of zeroes and version ff are refused.
func ParseTraceparent(s string) (trace [16]byte, span [8]byte, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || strings.EqualFold(s[:2], "ff") {
		return trace, span, false
	}
	if !isHex(s[:2]) || !isHex(s[53:55]) || len(s) > 55 && s[:2] == "00" {
		return trace, span, false
	}
	_, err1 := hex.Decode(trace[:], []byte(s[3:35]))
	_, err2 := hex.Decode(span[:], []byte(s[36:52]))
	if err1 != nil || err2 != nil || trace == [16]byte{} || span == [8]byte{} {
		return [16]byte{}, [8]byte{}, false
	}
	return trace, span, true
}

// ParseTraceID reads 32 hexadecimal digits, or AWS's Root=1-8-24 form.
func ParseTraceID(s string) (trace [16]byte, ok bool) {
	s = strings.TrimSpace(s)
	if i := strings.Index(s, "Root="); i >= 0 {
		s, _, _ = strings.Cut(s[i+5:], ";")
	}
	if len(s) == 35 && s[1] == '-' && s[10] == '-' {
		s = s[2:10] + s[11:]
	}
	if len(s) != 32 {
		return trace, false
	}
	if _, err := hex.Decode(trace[:], []byte(s)); err != nil {
		return [16]byte{}, false
	}
	return trace, trace != [16]byte{}
}

// ParseSpanID reads 16 hexadecimal digits.
func ParseSpanID(s string) (span [8]byte, ok bool) {
	if len(s) != 16 {
		return span, false
	}
	if _, err := hex.Decode(span[:], []byte(s)); err != nil {
		return [8]byte{}, false
	}
	return span, span != [8]byte{}
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// ParseBaggage hands out the members of a W3C baggage header, decoded.
func ParseBaggage(s string, member func(key, value string)) {
	for _, m := range strings.Split(s, ",") {
		m, _, _ = strings.Cut(m, ";")
		k, v, ok := strings.Cut(m, "=")
		if !ok {
			continue
		}
		if d, err := url.PathUnescape(strings.TrimSpace(v)); err == nil {
			member(strings.TrimSpace(k), d)
		}
	}
}

// ParseXFCC is the URI of the first element of an X-Forwarded-Client-Cert header.
func ParseXFCC(s string) string {
	s, _, _ = strings.Cut(s, ",")
	for _, p := range strings.Split(s, ";") {
		if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(k), "URI") {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// ParseJWT reads the claims of a token that was logged whole. Nothing is
// verified: the gateway that let the call through did that, or did not.
func ParseJWT(token string) (*Claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, false
	}
	return ParseClaims(payload)
}

// ParseClaims reads a token's payload.
func ParseClaims(payload []byte) (*Claims, bool) {
	var raw struct {
		Iss      string          `json:"iss"`
		Sub      string          `json:"sub"`
		ClientID string          `json:"client_id"`
		Azp      string          `json:"azp"`
		Appid    string          `json:"appid"`
		Txn      string          `json:"txn"`
		Idtyp    string          `json:"idtyp"`
		Scope    string          `json:"scope"`
		Exp      float64         `json:"exp"`
		ActFct   string          `json:"xms_act_fct"`
		SubFct   string          `json:"xms_sub_fct"`
		ParApp   string          `json:"xms_par_app_azp"`
		Act      json.RawMessage `json:"act"`
		Cnf      struct {
			Jkt string `json:"jkt"`
			X5t string `json:"x5t#S256"`
		} `json:"cnf"`
	}
	if err := json.Unmarshal(payload, &raw); err != nil {
		return nil, false
	}
	c := &Claims{Issuer: raw.Iss, Subject: raw.Sub, ClientID: first(raw.ClientID, raw.Azp, raw.Appid), Txn: raw.Txn, IDType: raw.Idtyp,
		Scope: raw.Scope, Expiry: int64(raw.Exp), EntraActorFacets: raw.ActFct, EntraSubjectFacets: raw.SubFct, EntraParentApp: raw.ParApp,
		Confirm: first(raw.Cnf.Jkt, raw.Cnf.X5t)}
	// Outermost first: it is the current actor, the nested ones were earlier.
	for act := raw.Act; len(act) > 0 && len(c.Act) < 8; {
		var a struct {
			Sub string          `json:"sub"`
			Act json.RawMessage `json:"act"`
		}
		if json.Unmarshal(act, &a) != nil || a.Sub == "" {
			break
		}
		c.Act = append(c.Act, a.Sub)
		act = a.Act
	}
	return c, true
}
