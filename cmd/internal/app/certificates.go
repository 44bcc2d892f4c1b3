package app

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
)

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
