package app

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"flyball/cmd/internal/config"
)

// CertificateWarnings returns a sentence for each configured certificate that is over at a time. A start with it is possible: the other
// side refuses it, and it is read again when it is renewed.
func CertificateWarnings(c config.Config, now time.Time) (out []string) {
	for _, x := range certificateFacts(c) {
		if x.Error == "" && now.After(x.At) {
			out = append(out, fmt.Sprintf("%s: %s expired at %s, and the other side refuses it; renew it, the file is read again without a restart",
				x.Key, x.Name, x.At.UTC().Format(time.RFC3339)))
		}
	}
	return out
}

// certificateOf returns the first certificate of a PEM file.
func certificateOf(b []byte) (*x509.Certificate, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, errors.New("holds no certificate")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
}
