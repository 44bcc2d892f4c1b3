package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"flyball/cmd/internal/config"
)

// clientTLS returns the TLS configuration of outgoing connections. Without t.CA, the
// authorities of the system apply. key is the name of the section in the configuration.
func clientTLS(key string, t config.TLS) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if t.CA != "" {
		if conf.RootCAs, err = readAuthorities(key, t); err != nil {
			return nil, err
		}
	}
	if t.Cert != "" {
		conf.Certificates, err = readCertificate(key, t)
	}
	return conf, err
}

// serverTLS returns the TLS configuration of a listener, or nil when the section is empty.
// With t.CA, clients must present a certificate of that authority.
func serverTLS(key string, t config.TLS) (*tls.Config, error) {
	if t == (config.TLS{}) {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if conf.Certificates, err = readCertificate(key, t); err != nil {
		return nil, err
	}
	if t.CA != "" {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
		conf.ClientCAs, err = readAuthorities(key, t)
	}
	return conf, err
}

func readCertificate(key string, t config.TLS) ([]tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("%s.cert, %s.key: %w", key, key, err)
	}
	return []tls.Certificate{pair}, nil
}

func readAuthorities(key string, t config.TLS) (*x509.CertPool, error) {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("%s.ca: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s.ca: no certificate in %s", key, t.CA)
	}
	return pool, nil
}
