package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"flyball/schema"
)

// receipt is the identity that the check determined for a request. The gateway logs it, and
// the row of the log takes its run, credential, agent and routing key from it, because the
// check sees headers that logs do not contain. Trust is the trust at the check: a claimed
// identity stays claimed.
type receipt struct {
	At       int64   // time of the check, Unix seconds
	Decision [8]byte // id of the check's decision

	CredentialID     string
	CredentialKind   schema.CredentialKind
	CredentialSource string
	CredentialTrust  schema.Trust

	AgentID       string
	AgentSource   string
	AgentTrust    schema.Trust
	AgentAsserted string

	// What binds the request to its run, the first that is set: a run key (with the agent that
	// started this one), a trace, a conversation. Without these, only the caller and the time.
	RunKey       string
	RunKeySource string
	ParentAgent  string
	TraceID      [16]byte
	Conversation string

	RoutingKey string
}

// Reasons for which a receipt is rejected.
var (
	errReceiptMalformed = errors.New("malformed")
	errReceiptNewer     = errors.New("newer_version")
	// errReceiptMAC: the receipt was changed, or made by another deployment or for another
	// tenant, method or path.
	errReceiptMAC = errors.New("wrong_mac")
	// errReceiptExpired: the receipt was made more than receiptWindow before or after the
	// row's start time.
	errReceiptExpired = errors.New("expired")
	// errReceiptTooLong: the receipt would be longer than maxReceipt.
	errReceiptTooLong = errors.New("too_long")
)

const (
	// maxReceipt is the maximum length of a receipt's text, in bytes.
	maxReceipt = 512
	// receiptWindow is the maximum difference between the time of the check and the row's
	// start time.
	receiptWindow = 15 * time.Minute

	receiptVersion = 1
	receiptMAC     = 16
	maxPayload     = maxReceipt/4*3 - receiptMAC
)

// strict accepts only one encoding of the same bytes.
var strict = base64.RawURLEncoding.Strict()

// receiptSigner makes and reads receipts. It is safe for concurrent use.
//
// The MAC covers the receipt, the tenant, the method and the path without the query. One
// attack remains: within receiptWindow, a client that knows the receipt of a request can have
// another request of the same tenant, method and path logged under it, if the gateway logs the
// header that the client sent instead of the header that the check returned. The shipped
// gateway files delete every X-Flyball-* header of an incoming request.
type receiptSigner struct {
	inner, outer [sha256.BlockSize]byte // key of HMAC-SHA256, as the first block of its two hashes
	pool         sync.Pool              // of *memory
}

// memory holds the buffers of one HMAC computation: the key block and the hashed bytes after
// it. HMAC is implemented here because two hashes over one buffer each are twice as fast as
// crypto/hmac for texts of this length.
type memory struct {
	inner []byte
	outer [sha256.BlockSize + sha256.Size]byte
}

// maxReused is the maximum capacity, in bytes, of a buffer that is returned to the pool.
const maxReused = 16 << 10

// newReceiptSigner derives the key of receipts from the deployment's key.
func newReceiptSigner(key Key) *receiptSigner {
	d := hmac.New(sha256.New, key)
	_, _ = d.Write([]byte("flyball receipt"))
	s := &receiptSigner{}
	copy(s.inner[:], d.Sum(nil))
	s.outer = s.inner
	for i := range s.inner {
		s.inner[i] ^= 0x36
		s.outer[i] ^= 0x5c
	}
	s.pool.New = func() any { return &memory{inner: make([]byte, 0, 2<<10)} }
	return s
}

// begin returns memory that contains the key block; a payload is appended to it.
func (s *receiptSigner) begin() *memory {
	m := s.pool.Get().(*memory)
	m.inner = append(m.inner[:0], s.inner[:]...)
	return m
}

func (s *receiptSigner) end(m *memory) {
	if cap(m.inner) <= maxReused {
		s.pool.Put(m)
	}
}

// mac computes the MAC of the payload in m for a request.
func (s *receiptSigner) mac(m *memory, tenant, method, path string) (out [receiptMAC]byte) {
	b := append(append(append(m.inner, 0), tenant...), 0)
	b = append(append(b, CanonicalMethod(method)...), 0)
	m.inner = append(b, canonicalPath(path)...)
	sum := sha256.Sum256(m.inner)
	copy(m.outer[:], s.outer[:])
	copy(m.outer[sha256.BlockSize:], sum[:])
	sum = sha256.Sum256(m.outer[:])
	copy(out[:], sum[:])
	return out
}

// Sign returns the text of a receipt for a request of a tenant. path may include the query.
// The error is errReceiptTooLong.
func (s *receiptSigner) Sign(r *receipt, tenant, method, path string) (string, error) {
	m := s.begin()
	defer s.end(m)
	m.inner = r.encode(m.inner)
	n := len(m.inner) - sha256.BlockSize
	if n > maxPayload {
		return "", errReceiptTooLong
	}
	mac := s.mac(m, tenant, method, path)
	whole := append(m.inner[:sha256.BlockSize+n], mac[:]...)[sha256.BlockSize:]
	var text [maxReceipt]byte
	base64.RawURLEncoding.Encode(text[:], whole)
	return string(text[:base64.RawURLEncoding.EncodedLen(len(whole))]), nil
}

// Open verifies and decodes the receipt of a row. at is the row's start time, Unix ns.
func (s *receiptSigner) Open(token, tenant, method, path string, at int64) (receipt, error) {
	if token == "" || len(token) > maxReceipt {
		return receipt{}, errReceiptMalformed
	}
	var text, b [maxReceipt]byte
	n, err := strict.Decode(b[:], text[:copy(text[:], token)])
	switch {
	case err != nil || n < 1+receiptMAC || b[0] == 0:
		return receipt{}, errReceiptMalformed
	case b[0] > receiptVersion:
		return receipt{}, errReceiptNewer
	}
	payload, mac := b[:n-receiptMAC], b[n-receiptMAC:n]
	m := s.begin()
	m.inner = append(m.inner, payload...)
	want := s.mac(m, tenant, method, path)
	s.end(m)
	if subtle.ConstantTimeCompare(want[:], mac) != 1 {
		return receipt{}, errReceiptMAC
	}
	var r receipt
	if !r.decode(payload) {
		return receipt{}, errReceiptMalformed
	}
	if apart := at/int64(time.Second) - r.At; apart > int64(receiptWindow/time.Second) || apart < -int64(receiptWindow/time.Second) {
		return receipt{}, errReceiptExpired
	}
	return r, nil
}
