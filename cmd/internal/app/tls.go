package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

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
// With t.CA, clients must present a certificate of that authority. protocols are those of ALPN.
// New connections use the files as they are then.
func serverTLS(files *secretFiles, key string, t config.TLS, protocols ...string) (*tls.Config, error) {
	if t == (config.TLS{}) {
		return nil, nil
	}
	now, err := watched(files, key, tlsFiles(t), func() (*tls.Config, error) {
		conf := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols}
		var err error
		if conf.Certificates, err = readCertificate(key, t); err != nil {
			return nil, err
		}
		if t.CA != "" {
			conf.ClientAuth = tls.RequireAndVerifyClientCert
			conf.ClientCAs, err = readAuthorities(key, t)
		}
		return conf, err
	})
	if err != nil {
		return nil, err
	}
	conf := (*now.Load()).Clone()
	conf.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return *now.Load(), nil }
	return conf, nil
}

// tlsFiles returns the files of a section.
func tlsFiles(t config.TLS) (out []string) {
	for _, path := range []string{t.CA, t.Cert, t.Key} {
		if path != "" {
			out = append(out, path)
		}
	}
	return out
}

// dialTimeout bounds the connection and its TLS handshake.
const dialTimeout = 10 * time.Second

// dialer connects to an address.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTLS returns a function that connects with TLS. New connections use the files as they are then.
func dialTLS(files *secretFiles, key string, t config.TLS) (dialer, error) {
	now, err := watchedClientTLS(files, key, t)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return (&tls.Dialer{Config: *now.Load()}).DialContext(ctx, network, addr)
	}, nil
}

func watchedClientTLS(files *secretFiles, key string, t config.TLS) (*atomic.Pointer[*tls.Config], error) {
	return watched(files, key, tlsFiles(t), func() (*tls.Config, error) { return clientTLS(key, t) })
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
