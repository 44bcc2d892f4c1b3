package operator

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"flyball/schema"
)

// Cookies. The prefix __Host- makes browsers refuse them without Secure, for other paths, and from other hosts of the domain.
const (
	flowCookie   = "__Host-flyball-sign-in"
	personCookie = "__Host-flyball-person"
)

// maxCookie is the maximum size of a cookie in bytes, without its name and attributes.
const maxCookie = 3_800

// sealKey is the key of one kind of cookie, so that none can be used as another.
type sealKey struct {
	name string
	key  []byte
}

func newSealKey(deployment schema.Secret, name string) (sealKey, error) {
	key, err := hkdf.Key(sha256.New, []byte(deployment), nil, "flyball-cookie/1 "+name, 32)
	return sealKey{name, key}, err
}

// sealed is a value with its end.
type sealed struct {
	Until int64           `json:"until"` // Unix s
	Value json.RawMessage `json:"value"`
}

// set sends a value as a cookie that only this deployment can read, until a time. SameSite is Lax and not Strict: people come from the
// issuer and from messages, which are other sites. A form that another site sends carries no such cookie.
func (k sealKey) set(w http.ResponseWriter, now, until time.Time, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		text, err = json.Marshal(sealed{until.Unix(), text})
	}
	if err != nil {
		return err
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: k.key}, nil)
	if err != nil {
		return err
	}
	box, err := encrypter.Encrypt(text)
	if err != nil {
		return err
	}
	out, err := box.CompactSerialize()
	if err != nil {
		return err
	}
	if len(out) > maxCookie { // browsers drop it without a word, and the person would sign in for ever
		return refuse(TooLarge, "the issuer says too much of you for a cookie: %d bytes; let it send shorter names and fewer tenants", len(out))
	}
	http.SetCookie(w, k.cookie(out, int(until.Sub(now).Seconds())))
	return nil
}

// clear removes the cookie.
func (k sealKey) clear(w http.ResponseWriter) { http.SetCookie(w, k.cookie("", -1)) }

func (k sealKey) cookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: k.name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// read reports whether a request has the cookie, made here and not at its end, and decodes it.
func (k sealKey) read(r *http.Request, now time.Time, into any) bool {
	c, err := r.Cookie(k.name)
	if err != nil {
		return false
	}
	box, err := jose.ParseEncryptedCompact(c.Value, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return false
	}
	text, err := box.Decrypt(k.key)
	if err != nil {
		return false
	}
	var s sealed
	return json.Unmarshal(text, &s) == nil && now.Unix() < s.Until && json.Unmarshal(s.Value, into) == nil
}
