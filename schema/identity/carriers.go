package identity

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// ParseTraceparent reads a W3C traceparent. ok is false for a malformed value, an id of zeroes
// and version ff.
func ParseTraceparent(s string) (trace [16]byte, span [8]byte, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || strings.EqualFold(s[:2], "ff") {
		return trace, span, false
	}
	if !isHex(s[:2]) || !isHex(s[53:55]) || len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return trace, span, false
	}
	_, err1 := hex.Decode(trace[:], []byte(s[3:35]))
	_, err2 := hex.Decode(span[:], []byte(s[36:52]))
	if err1 != nil || err2 != nil || trace == [16]byte{} || span == [8]byte{} {
		return [16]byte{}, [8]byte{}, false
	}
	return trace, span, true
}

// ParseTraceID reads 32 hexadecimal digits, or AWS's form Root=1-8-24 (numbers of digits). ok
// is false for another form and for an id of zeroes.
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

// ParseTrace reads the trace id, and the id of the calling span where there is one, from the
// value of a tracing header of any vendor: W3C, B3 (single header or trace id alone, 64 or 128
// bits), Jaeger, AWS X-Ray, Google, and Datadog's decimal number. A shorter id is filled with
// zeroes on its left. ok is false for another form and for an id of zeroes.
func ParseTrace(s string) (trace [16]byte, span [8]byte, ok bool) {
	s = strings.TrimSpace(s)
	if strings.IndexByte(s, '%') >= 0 { // some clients of Jaeger escape the colons
		s = strings.NewReplacer("%3A", ":", "%3a", ":").Replace(s)
	}
	if trace, span, ok = ParseTraceparent(s); ok {
		return trace, span, true
	}
	if strings.Contains(s, "Root=") || len(s) >= 35 && s[1] == '-' && s[10] == '-' {
		trace, ok = ParseTraceID(s)
		if _, parent, has := strings.Cut(s, "Parent="); has {
			parent, _, _ = strings.Cut(parent, ";")
			span, _ = ParseSpanID(parent)
		}
		return trace, span, ok
	}
	id, rest := s, ""
	if i := strings.IndexAny(s, "-:/;"); i >= 0 {
		id, rest = s[:i], s[i+1:]
	}
	if len(id) < 8 || len(id) > 32 || len(id) != 16 && len(id) != 32 && !strings.HasPrefix(s[len(id):], ":") {
		return trace, span, false // only Jaeger leaves out zeroes on the left
	}
	if !padded(trace[:], id) || trace == [16]byte{} {
		return [16]byte{}, span, false
	}
	if i := strings.IndexAny(rest, "-:"); i > 0 {
		rest = rest[:i]
	}
	if len(s) > len(id) && s[len(id)] != '/' && len(rest) <= 16 && !padded(span[:], rest) { // Google's is a decimal number
		span = [8]byte{}
	}
	return trace, span, true
}

// padded decodes hexadecimal digits to the right end of into. It returns false when digits is
// empty or not hexadecimal.
func padded(into []byte, digits string) bool {
	if len(digits) > 2*len(into) || digits == "" {
		return false
	}
	_, err := hex.Decode(into, []byte(strings.Repeat("0", 2*len(into)-len(digits))+digits))
	return err == nil
}

// ParseSpanID reads 16 hexadecimal digits. ok is false for another form and for an id of
// zeroes.
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

// ParseBaggage calls member with each member of a W3C baggage header, the value decoded.
// Members that cannot be read are skipped.
func ParseBaggage(s string, member func(key, value string)) {
	for m := range strings.SplitSeq(s, ",") {
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

// ParseXFCC returns the URI of the first element of an X-Forwarded-Client-Cert header; empty
// when it has none. A quoted subject can contain anything, also separators and "URI=", because
// it comes from the caller's own certificate.
func ParseXFCC(s string) string {
	quoted, from := false, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && quoted && s[i] == '\\':
			i++
		case i < len(s) && s[i] == '"':
			quoted = !quoted
		case i >= len(s) || !quoted && (s[i] == ';' || s[i] == ','):
			if k, v, ok := strings.Cut(s[from:min(i, len(s))], "="); ok && strings.EqualFold(strings.TrimSpace(k), "URI") {
				return strings.Trim(strings.TrimSpace(v), `"`)
			}
			if i < len(s) && s[i] == ',' {
				return ""
			}
			from = i + 1
		}
	}
	return ""
}

// ParseJWT reads the claims of a complete logged token. It does not verify the token: that is
// the task of the gateway that allowed the call.
func ParseJWT(token string) (*Claims, bool) {
	payload, ok := jwtPayload(token)
	if !ok {
		return nil, false
	}
	return ParseClaims(payload)
}

func jwtPayload(token string) ([]byte, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	return payload, err == nil
}

// ParseClaims reads the payload of a token. Names of claims are case-sensitive: an issuer may
// allow users to set a claim "Act", but not "act". A claim of a wrong type is ignored; the
// other claims are still read. The result is false when the payload is not a JSON object.
func ParseClaims(payload []byte) (*Claims, bool) {
	raw := object(payload)
	if raw == nil {
		return nil, false
	}
	cnf := object(raw["cnf"])
	c := &Claims{
		Issuer:             text(raw["iss"]),
		Subject:            text(raw["sub"]),
		ClientID:           cmp.Or(text(raw["client_id"]), text(raw["azp"]), text(raw["appid"])),
		Txn:                text(raw["txn"]),
		IDType:             text(raw["idtyp"]),
		Scope:              words(raw["scope"]),
		Expiry:             seconds(raw["exp"]),
		IssuedAt:           seconds(raw["iat"]),
		EntraActorFacets:   words(raw["xms_act_fct"]),
		EntraSubjectFacets: words(raw["xms_sub_fct"]),
		EntraParentApp:     text(raw["xms_par_app_azp"]),
		Confirm:            cmp.Or(text(cnf["jkt"]), text(cnf["x5t#S256"])),
	}
	// The outermost actor is the current one; nested actors are earlier ones.
	for act := object(raw["act"]); len(c.Act) < 8; act = object(act["act"]) {
		sub := text(act["sub"])
		if sub == "" {
			break
		}
		c.Act = append(c.Act, sub)
	}
	return c, true
}

func object(raw []byte) (m map[string]json.RawMessage) {
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

// words reads a list that some issuers write as one string and others as an array; the result
// is separated by spaces.
func words(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, " ")
	}
	return text(raw)
}

func seconds(raw json.RawMessage) int64 {
	var n float64
	if json.Unmarshal(raw, &n) != nil || n < 0 || n >= 1<<62 {
		return 0
	}
	return int64(n)
}
