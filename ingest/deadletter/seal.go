package deadletter

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// Seal encrypts the original bytes of dead letters with a key that is derived from the deployment's key. A letter whose value was redacted
// carries them in the header wire.HeaderSealed, so that a replay sends what came.
type Seal struct {
	aead   cipher.AEAD
	former []cipher.AEAD // of keys that were replaced: they only open
}

// sealVersion is the first byte of a sealed value.
const sealVersion = 1

// errNoOriginal is the error for a sealed value that this key does not open.
var errNoOriginal = errors.New("the original of the dead letter is sealed with another secret_key_file, or was changed")

// NewSeal returns the seal of a deployment, which also opens what was sealed with its former keys. No key may be empty.
func NewSeal(key []byte, former ...[]byte) (*Seal, error) {
	s := &Seal{}
	var err error
	if s.aead, err = sealOf(key); err != nil {
		return nil, err
	}
	for _, k := range former {
		f, err := sealOf(k)
		if err != nil {
			return nil, err
		}
		s.former = append(s.former, f)
	}
	return s, nil
}

func sealOf(key []byte) (cipher.AEAD, error) {
	if len(key) == 0 {
		return nil, errors.New("the key of the seal is empty")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("flyball dead letters 1"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// close returns the sealed form of a key and a value. place binds it to its letter.
func (s *Seal) close(place string, key, value []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // does not fail
	plain := binary.AppendUvarint(nil, uint64(len(key)))
	plain = append(append(plain, key...), value...)
	return s.aead.Seal(append([]byte{sealVersion}, nonce...), nonce, plain, []byte(place))
}

func (s *Seal) open(place string, sealed []byte) (key, value []byte, err error) {
	n := s.aead.NonceSize()
	if len(sealed) < 1+n {
		return nil, nil, errNoOriginal
	}
	if sealed[0] != sealVersion {
		return nil, nil, fmt.Errorf("the original of the dead letter is sealed in version %d; this flyball reads %d: use a newer one", sealed[0],
			sealVersion)
	}
	plain, err := s.aead.Open(nil, sealed[1:1+n], sealed[1+n:], []byte(place))
	for i := 0; err != nil && i < len(s.former); i++ {
		plain, err = s.former[i].Open(nil, sealed[1:1+n], sealed[1+n:], []byte(place))
	}
	if err != nil {
		return nil, nil, errNoOriginal
	}
	length, k := binary.Uvarint(plain)
	if k <= 0 || length > uint64(len(plain)-k) {
		return nil, nil, errNoOriginal
	}
	return plain[k : k+int(length)], plain[k+int(length):], nil
}

// Original returns the original key and value of a dead letter. Letters without a seal, those of earlier versions among them, contain
// them as they are. A record without a key and one with an empty key are the same.
func (s *Seal) Original(r *kgo.Record) (key, value []byte, err error) {
	h := map[string][]byte{}
	for _, v := range r.Headers {
		h[v.Key] = v.Value
	}
	sealed, ok := h[wire.HeaderSealed]
	if !ok {
		return r.Key, r.Value, nil
	}
	if s == nil {
		return nil, nil, errNoOriginal
	}
	place := fmt.Sprintf("%s/%s/%s/%s", h[wire.HeaderTopic], h[wire.HeaderPartition], h[wire.HeaderOffset], h[wire.HeaderItem])
	return s.open(place, sealed)
}
