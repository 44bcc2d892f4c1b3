package ocsf

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"

	"github.com/gowebpki/jcs"
)

// Values of the objects fingerprint and digital_signature.
const (
	algorithmSHA256  = 3
	algorithmOther   = 99
	serializationJCS = 2
	encodingHex      = 1

	signatureName = "HMAC-SHA-256"
)

// signatureKey derives the key of signatures from the deployment's key.
func signatureKey(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte("flyball ocsf signature 1"))
	return m.Sum(nil)
}

// attest adds the attestation of the profile record_integrity: the SHA-256 of the event's canonical JSON (RFC 8785), in which the
// attestation has neither fingerprint nor signatures, and with a key the HMAC-SHA-256 of that fingerprint. There is no chain:
// events are delivered at least once and by several processes, so none has one predecessor.
func (p Producer) attest(e Event) (Event, error) {
	attestation := object{}
	put(attestation, "authority_uid", p.Deployment)
	e["attestation_list"] = list(attestation)
	sum, err := fingerprint(e)
	if err != nil {
		return nil, err
	}
	attestation["fingerprint"] = object{"algorithm_id": algorithmSHA256, "algorithm": "SHA-256", "encoding_id": encodingHex,
		"serialization_id": serializationJCS, "value": hex.EncodeToString(sum)}
	if p.Key != nil {
		attestation["signatures"] = list(object{"algorithm_id": algorithmOther, "algorithm": signatureName,
			"digest": object{"algorithm_id": algorithmOther, "algorithm": signatureName, "encoding_id": encodingHex,
				"value": hex.EncodeToString(sign(p.Key, sum))}})
	}
	return e, nil
}

func sign(key, sum []byte) []byte {
	m := hmac.New(sha256.New, signatureKey(key))
	_, _ = m.Write(sum)
	return m.Sum(nil)
}

func fingerprint(e Event) ([]byte, error) {
	text, err := e.JSON()
	if err != nil {
		return nil, err
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}

// Verify reports whether an event is as it was written: its fingerprint fits, and with a key also its signature. The event is one
// that was decoded from JSON.
func Verify(e Event, key []byte) error {
	all, _ := e["attestation_list"].([]any)
	if len(all) != 1 {
		return fmt.Errorf("%d attestations, want 1", len(all))
	}
	given, _ := all[0].(object)
	bare := maps.Clone(given)
	delete(bare, "fingerprint")
	delete(bare, "signatures")
	copied := maps.Clone(e)
	copied["attestation_list"] = list(bare)
	sum, err := fingerprint(copied)
	if err != nil {
		return err
	}
	print, _ := given["fingerprint"].(object)
	if print["value"] != hex.EncodeToString(sum) {
		return errors.New("the fingerprint does not fit the event: it was changed")
	}
	if key == nil {
		return nil
	}
	signatures, _ := given["signatures"].([]any)
	if len(signatures) != 1 {
		return fmt.Errorf("%d signatures, want 1", len(signatures))
	}
	signature, _ := signatures[0].(object)
	digest, _ := signature["digest"].(object)
	value, _ := digest["value"].(string)
	if mac, err := hex.DecodeString(value); err != nil || !hmac.Equal(mac, sign(key, sum)) {
		return errors.New("the signature does not fit the fingerprint: another key, or the event was changed")
	}
	return nil
}
