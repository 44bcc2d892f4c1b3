package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// certificateError explains a certificate of the control API that was refused: whose it is, why, and what to do; nil if err has another
// cause.
func certificateError(err error, t target, now time.Time) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		what := fmt.Sprintf("expired at %s: renew it there (control.tls.cert; it is read again without a restart)",
			c.NotAfter.UTC().Format(time.RFC3339))
		if now.Before(c.NotBefore) {
			what = fmt.Sprintf("is valid from %s on, and the clock of this machine says %s: correct the clock that is wrong",
				c.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
		return fmt.Errorf("%s: the certificate of %s (%s) %s", t.from, t.where, certificateName(c), what)
	case errors.As(err, &unknown):
		trusted := "those of the system"
		for _, a := range t.authorities {
			trusted += " and " + a.file + " (" + a.key + ")"
		}
		name := "unknown"
		if unknown.Cert != nil {
			name = unknown.Cert.Issuer.String()
		}
		return fmt.Errorf("%s: the certificate of %s is of the authority %q, which is not trusted (%s are): name the file with its certificate "+
			"(flyball profile add NAME --ca FILE --replace …), or correct the address", t.from, t.where, name, trusted)
	case errors.As(err, &host):
		return fmt.Errorf("%s: the certificate of %s is for another address (%s): use an address that it names, or a certificate for this one",
			t.from, t.where, certificateName(host.Certificate))
	}
	return nil
}

// certificateName names a certificate for people.
func certificateName(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return c.Subject.String()
	}
	return strings.Join(names, ", ")
}
