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

// receipt is who the check saw when it was asked about a request. The gateway logs it,
// and the row of the log takes its run, credential, agent and routing key from it: the
// check sees headers that no log holds. Trust is what it was at the check: what a caller
// claimed stays claimed.
type receipt struct {
	At       int64   // of the check, Unix seconds
	Decision [8]byte // its decision id

	CredentialID     string
	CredentialKind   schema.CredentialKind
	CredentialSource string
	CredentialTrust  schema.Trust

	AgentID       string
	AgentSource   string
	AgentTrust    schema.Trust
	AgentAsserted string

	// What binds the request to its run: a run key (and the agent that started this
	// one), else a trace, else a conversation, else nothing but who calls and when.
	RunKey       string
	RunKeySource string
	ParentAgent  string
	TraceID      [16]byte
	Conversation string

	RoutingKey string
}

// What is wrong with a receipt.
var (
	errReceiptMalformed = errors.New("malformed")
	errReceiptNewer     = errors.New("newer_version")
	// errReceiptMAC: made by another deployment, for another tenant, method or path, or changed.
	errReceiptMAC = errors.New("wrong_mac")
	// errReceiptExpired: made more than receiptWindow before or after the row's start time.
	errReceiptExpired = errors.New("expired")
	// errReceiptTooLong: the ids do not fit into maxReceipt.
	errReceiptTooLong = errors.New("too_long")
)

const (
	// maxReceipt is the longest receipt, in bytes of its text.
	maxReceipt = 512
	// receiptWindow is how far apart the check and the row's start time may lie.
	receiptWindow = 15 * time.Minute

	receiptVersion = 1
	receiptMAC     = 16
	maxPayload     = maxReceipt/4*3 - receiptMAC
)

// strict refuses what another spelling of the same bytes would be.
var strict = base64.RawURLEncoding.Strict()

// receiptSigner makes and reads receipts. It is safe for concurrent use.
//
// The MAC covers the receipt, the tenant, the method and the path without the query.
// What remains: within receiptWindow, somebody who learned the receipt of a request can
// have another request of the same tenant, method and path logged under it, if the
// gateway logs what the client sent instead of what the check answered. The shipped
// gateway files delete every X-Flyball-* header on the way in.
type receiptSigner struct {
	inner, outer [sha256.BlockSize]byte // the key of HMAC-SHA256, as its two hashes begin
	pool         sync.Pool              // of *memory
}

// memory of one computation: what is hashed, behind the key. HMAC is written out, since
// both hashes in one piece each are twice as fast as crypto/hmac for texts this short.
type memory struct {
	inner []byte
	outer [sha256.BlockSize + sha256.Size]byte
}

// maxReused is the capacity above which a computation's memory is not used again.
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

// begin is memory that a payload can be appended to.
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

// mac of the payload in memory, for a request.
func (s *receiptSigner) mac(m *memory, tenant, method, path string) (out [receiptMAC]byte) {
	b := append(append(append(m.inner, 0), tenant...), 0)
	b = append(append(b, canonicalMethod(method)...), 0)
	m.inner = append(b, canonicalPath(path)...)
	sum := sha256.Sum256(m.inner)
	copy(m.outer[:], s.outer[:])
	copy(m.outer[sha256.BlockSize:], sum[:])
	sum = sha256.Sum256(m.outer[:])
	copy(out[:], sum[:])
	return out
}

// Sign is the receipt's text, for a request of a tenant. path may hold the query.
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

// Open reads a receipt that a row shows. at is the row's start time in Unix nanoseconds.
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
