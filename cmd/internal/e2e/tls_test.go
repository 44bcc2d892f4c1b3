package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue(name, nil)
	return a
}

// issue makes NAME.crt and NAME.key, signed by signer or self-signed.
func (a *authority) issue(name string, signer *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: signer == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, by := c, key
	if signer != nil {
		parent, by = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

func (a *authority) client(t *testing.T, name string) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conf := &tls.Config{RootCAs: pool}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: conf}}
}

// A gateway without a certificate of the authority gets no response, and a caller without a
// token is rejected, with any headers.
func TestStrangersAreKeptOut(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	ca.issue("server", ca)
	ca.issue("gateway", ca)
	other.issue("gateway", other)
	f := install(t, "", "")
	token := strings.TrimSpace(f.run(nil, "token", "--hash-to", filepath.Join(f.dir, "soc")))
	raw, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "check: {",
		fmt.Sprintf("check: {tls: {ca: %[1]s/ca.crt, cert: %[1]s/server.crt, key: %[1]s/server.key}, ", ca.dir), 1)
	text = strings.Replace(text, "control: {",
		fmt.Sprintf("control: {tls: {cert: %[1]s/server.crt, key: %[1]s/server.key}, tokens: [{name: soc, role: responder, value_file: %[2]s/"+
			"soc}], ", ca.dir, f.dir), 1)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()

	check := fmt.Sprintf("https://127.0.0.1:%d/check", f.ports["check"])
	if r, err := ca.client(t, "gateway").Get(check); err != nil || r.StatusCode != 200 {
		t.Errorf("the gateway: %v %v", r, err)
	}
	stranger := other.client(t, "gateway")
	stranger.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(ca.cert)
	for name, c := range map[string]*http.Client{"no certificate": ca.client(t, ""), "a certificate of another authority": stranger} {
		if r, err := c.Get(check); err == nil {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if _, err := http.Get(strings.Replace(check, "https", "http", 1)); err == nil {
		if r, _ := http.Get(strings.Replace(check, "https", "http", 1)); r.StatusCode == 200 {
			t.Error("plain text was answered")
		}
	}

	api := fmt.Sprintf("https://127.0.0.1:%d/v1/breakers", f.ports["control"])
	ask := func(token string) int {
		req, _ := http.NewRequest("GET", api, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		r, err := ca.client(t, "").Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	if a, b := ask(token), ask("fly_guess"); a != 200 || b != 401 {
		t.Errorf("with the token %d, with a guess %d", a, b)
	}
	// The command line uses TLS too: it trusts the certificate in the configuration.
	t.Setenv("FLYBALL_TOKEN", token)
	t.Setenv("SSL_CERT_FILE", filepath.Join(ca.dir, "ca.crt"))
	f.run([]int{0}, "breakers", "trip", "agent", "x", "--until-reset", "--force", "--reason", "test")
	if out := f.run([]int{0}, "breakers", "list"); !strings.Contains(out, "forced_open") {
		t.Errorf("%s", out)
	}
	if out := f.run([]int{1}, "bypass", "--for", "1m", "--reason", "test"); !strings.Contains(out, "role responder") {
		t.Errorf("a responder's bypass: %s", out)
	}
	if strings.Contains(f.tail(1<<20), token) {
		t.Error("the token is in the log")
	}
}
