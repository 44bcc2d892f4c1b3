package realparts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Logins of the listeners with SASL. An authorizer gives them the rights that a test grants, and the listener without a login every right.
const (
	SecuredUser     = "flyball"
	SecuredShipper  = "shipper"
	SecuredPassword = "right-password"
)

// SecuredListeners are the addresses of a broker's listeners with TLS, with SASL (mechanism PLAIN),
// and with both. CA is a file with the certificate of their authority.
type SecuredListeners struct {
	TLS, SASL, SASLTLS string
	Plain              string // without TLS and without a login
	CA                 string

	keystore string
}

// StartSecuredKafka starts a broker that also has listeners with TLS and SASL, and stops it with
// the test.
func StartSecuredKafka(t testing.TB) (*Kafka, *SecuredListeners) {
	t.Helper()
	addr := func() string { return fmt.Sprintf("127.0.0.1:%d", FreePort(t)) }
	dir := t.TempDir()
	s := &SecuredListeners{TLS: addr(), SASL: addr(), SASLTLS: addr(), CA: filepath.Join(dir, "ca.pem"),
		keystore: filepath.Join(dir, "keystore.pem")}
	certificate, key := selfSigned(t)
	for file, text := range map[string][]byte{s.CA: certificate, s.keystore: append(key, certificate...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := startKafka(t, s)
	s.Plain = k.Addr()
	return k, s
}

// properties returns the rest of the line listeners and the lines after it.
func (s *SecuredListeners) properties() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(`,SSL://%s,SASL_PLAINTEXT://%s,SASL_SSL://%s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=%s
sasl.enabled.mechanisms=PLAIN
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
listener.name.sasl_plaintext.plain.sasl.jaas.config=%[5]s
listener.name.sasl_ssl.plain.sasl.jaas.config=%[5]s`, s.TLS, s.SASL, s.SASLTLS, s.keystore,
		fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_%[1]s="%[3]s" user_%[2]s="%[3]s";`,
			SecuredUser, SecuredShipper, SecuredPassword))
}

// selfSigned makes a certificate for 127.0.0.1, and its key, in PEM.
func selfSigned(t testing.TB) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
