package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"flyball/schema"
)

// FormerKey is a key of the deployment that was replaced.
type FormerKey struct {
	Key   schema.Secret
	Until time.Time // when it was replaced, in whole seconds
}

// linkPurpose separates the signatures of links: one of another purpose is not valid.
type linkPurpose string

const (
	approvalPurpose linkPurpose = "flyball-gate-link/1"
	ackPurpose      linkPurpose = "flyball-ack-link/1"
)

// signLink returns the signature of what a link is about.
func signLink(key schema.Secret, purpose linkPurpose, about string) string {
	m := hmac.New(sha256.New, []byte(string(purpose)+"\x00"+string(key)))
	_, _ = m.Write([]byte(about))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:24])
}

var (
	errNotSigned   = errors.New("this link is not valid")
	errKeyReplaced = errors.New("this link was signed with a key of the deployment after that key had been replaced; use the link of a " +
		"later page, and restart the processes that still have the former key")
)

// signer returns when the key that signed a link was replaced; the zero time: it is the present one.
func (p *pages) signer(signature string, purpose linkPurpose, about string) (replaced time.Time, err error) {
	is := func(key schema.Secret) bool {
		return key != "" && hmac.Equal([]byte(signature), []byte(signLink(key, purpose, about)))
	}
	if is(p.o.LinkKey) {
		return time.Time{}, nil
	}
	for _, f := range p.o.FormerLinkKeys {
		if is(f.Key) {
			return f.Until, nil
		}
	}
	return time.Time{}, errNotSigned
}

// madeBefore returns an error if a link was made, or is about what began, after its key had been replaced. Who has a former key can set
// the times in a link, so that what is not in the link is compared where it is known.
func madeBefore(replaced time.Time, times ...time.Time) error {
	for _, t := range times {
		if !replaced.IsZero() && !t.Before(replaced.Add(time.Second)) {
			return errKeyReplaced
		}
	}
	return nil
}
