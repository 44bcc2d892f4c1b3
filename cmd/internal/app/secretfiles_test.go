package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// certify writes an authority and a certificate of it for 127.0.0.1 into a folder.
func certify(t *testing.T, dir, name string) config.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := config.TLS{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, text := range map[string][]byte{out.CA: certificate, out.Cert: certificate,
		out.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func testFiles() *secretFiles { return &secretFiles{log: slog.New(slog.DiscardHandler)} }

// served returns the name in the certificate that a listener shows to new connections.
func served(t *testing.T, addr string, client config.TLS, protocols ...string) string {
	t.Helper()
	conf, err := clientTLS("x", client)
	if err != nil {
		t.Fatal(err)
	}
	conf.InsecureSkipVerify, conf.NextProtos = true, protocols
	c, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificateNeedsARestart(t *testing.T) {
	dir := t.TempDir()
	section := certify(t, dir, "first")
	files := testFiles()
	conf, err := serverTLS(files, "check.tls", section)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}
	go func() { _ = srv.Serve(tls.NewListener(l, conf)) }()
	defer srv.Close()
	addr := l.Addr().String()

	// A connection that is open stays open over the change, and goes on.
	dial, err := dialTLS(nil, "x", section)
	if err != nil {
		t.Fatal(err)
	}
	kept := &http.Client{Transport: &http.Transport{DialTLSContext: dial}}
	get := func(c *http.Client) error {
		r, err := c.Get("https://" + addr)
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		return err
	}
	if err := get(kept); err != nil {
		t.Fatal(err)
	}
	if got := served(t, addr, section); got != "first" {
		t.Fatal(got)
	}
	old := t.TempDir()
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		_ = os.WriteFile(filepath.Join(old, name), text, 0o600)
	}
	certify(t, dir, "second")
	files.look(false)
	if got := served(t, addr, section); got != "second" {
		t.Errorf("new connections get %q", got)
	}
	if err := get(kept); err != nil {
		t.Errorf("the open connection: %v", err)
	}
	// The authority changed too: a certificate of the old one is not taken any more.
	former := config.TLS{CA: filepath.Join(old, "ca.pem"), Cert: filepath.Join(old, "cert.pem"), Key: filepath.Join(old, "key.pem")}
	formerDial, err := dialTLS(nil, "x", former)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(&http.Client{Transport: &http.Transport{DialTLSContext: formerDial}}); err == nil {
		t.Error("a client of the former authority was let in")
	}

	// A half-written file changes nothing, and is named.
	if err := os.WriteFile(section.Cert, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	files.look(false)
	if got := served(t, addr, former); got != "second" && !strings.Contains(got, "certificate") {
		t.Errorf("%q", got)
	}
	if err := files.warning(); err == nil || !strings.Contains(err.Error(), "check.tls: the changed file cannot be used") {
		t.Error(err)
	}
	certify(t, dir, "third")
	files.look(false)
	if got := served(t, addr, section); got != "third" || files.warning() != nil {
		t.Errorf("%q, %v", got, files.warning())
	}
}

func TestCertificateOfGRPCNeedsARestart(t *testing.T) {
	dir := t.TempDir()
	section := certify(t, dir, "first")
	files := testFiles()
	conf, err := serverTLS(files, "check.tls", section, "h2")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)))
	healthpb.RegisterHealthServer(s, grpchealth.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	ask := func() (*grpc.ClientConn, error) {
		client, err := clientTLS("x", section)
		if err != nil {
			t.Fatal(err)
		}
		c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(client)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = healthpb.NewHealthClient(c).Check(t.Context(), &healthpb.HealthCheckRequest{})
		return c, err
	}
	kept, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	certify(t, dir, "second")
	files.look(false)
	if got := served(t, l.Addr().String(), section, "h2"); got != "second" {
		t.Errorf("new connections get %q", got)
	}
	if c, err := ask(); err != nil {
		t.Errorf("a new client: %v", err)
	} else {
		c.Close()
	}
	if _, err := healthpb.NewHealthClient(kept).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("the open connection: %v", err)
	}
}

func TestPasswordOfClickHouseNeedsARestart(t *testing.T) {
	valid := "first"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-ClickHouse-Key") != valid {
			w.Header().Set("X-ClickHouse-Exception-Code", "516")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintln(w, "1")
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	c := config.Default()
	c.ClickHouse.Addr, c.ClickHouse.User, c.ClickHouse.PasswordFile = []string{strings.TrimPrefix(srv.URL, "http://")}, "u", file
	files := testFiles()
	db, err := openDatabase(c, files)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckConnection(t.Context()); err != nil {
		t.Fatal(err)
	}
	valid = "second one"
	if err := db.CheckConnection(t.Context()); err == nil {
		t.Fatal("the former password is taken: the test proves nothing")
	}
	write("second one")
	files.look(false)
	if err := db.CheckConnection(t.Context()); err != nil {
		t.Error(err)
	}
	write("")
	files.look(false)
	if err := db.CheckConnection(t.Context()); err != nil || files.warning() == nil {
		t.Errorf("an emptied file: %v, %v", err, files.warning())
	}
}

func TestTokenOfAnOperatorNeedsARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	c := config.Default()
	c.Control.Tokens = []config.Token{{Name: "soc", Role: "admin", Value: "x"}}
	_ = c.Control.Tokens[0].Value.UnmarshalText([]byte(file))
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Repeat("a", 32))
	files := testFiles()
	now, err := watched(files, "control.tokens", tokenFiles(c), func() ([]api.Token, error) { return operatorTokens(c) })
	if err != nil {
		t.Fatal(err)
	}
	first := now.Load()
	write(strings.Repeat("b", 33))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = files.run(ctx) }()
	for end := time.Now().Add(10 * time.Second); now.Load() == first; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the file was not read again")
		}
	}
	if (*now.Load())[0].Hash == (*first)[0].Hash {
		t.Error("the token is the same")
	}
	write("short")
	files.look(true)
	if len(*now.Load()) != 1 || files.warning() == nil || strings.Contains(files.warning().Error(), "bbb") {
		t.Errorf("%v", files.warning())
	}
}

// A token that was replaced stays in force because its file could not be read for a moment.
func TestFailedReadIsNotTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	files := testFiles()
	var out strings.Builder
	files.log = slog.New(slog.NewTextHandler(&out, nil))
	var failure error
	now, err := watched(files, "check.token_file", []string{file}, func() (string, error) {
		if failure != nil {
			return "", failure
		}
		return secretFile("check.token_file", file)
	})
	if err != nil {
		t.Fatal(err)
	}
	write("the new one")
	failure = os.ErrPermission
	for range 3 {
		files.look(false)
	}
	if *now.Load() != "old" || files.warning() == nil {
		t.Fatalf("%q, %v", *now.Load(), files.warning())
	}
	if n := strings.Count(out.String(), "cannot be used"); n != 1 {
		t.Errorf("the same failure was logged %d times", n)
	}
	failure = nil // the file has not changed
	files.look(false)
	if *now.Load() != "the new one" || files.warning() != nil {
		t.Errorf("%q is in force, %v", *now.Load(), files.warning())
	}
}

// The canary pages that trips do not work, because it shows the token of before a rotation or expects the certificate of before.
func TestCanaryIsLostAfterARotation(t *testing.T) {
	dir, files := t.TempDir(), testFiles()
	c := config.Default()
	c.Check.TLS = certify(t, dir, "first")
	c.Check.TLS.CA = ""
	c.Check.TokenFile = filepath.Join(dir, "token")
	c.Canary.Topic = c.Kafka.Inputs[0].Topic
	rotate := func(token string) {
		t.Helper()
		if err := os.WriteFile(c.Check.TokenFile, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rotate(strings.Repeat("a", 32))
	conf, err := serverTLS(files, "check.tls", c.Check.TLS)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	c.Check.Listen = l.Addr().String()
	o, err := canaryOptions(c, kafka.Config{}, make(identity.Key, 32), files, files.log)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		o.HTTP.CloseIdleConnections()
		r, err := o.HTTP.Get(o.CheckURL)
		if err == nil {
			r.Body.Close()
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	certify(t, dir, "second")
	if err := ask(); err != nil {
		t.Errorf("before the check has read the new certificate: %v", err)
	}
	rotate(strings.Repeat("b", 33))
	files.look(false)
	if err := ask(); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	if got := string(o.CheckToken()); got != strings.Repeat("b", 33) {
		t.Error("the canary shows the token of before")
	}
	// Another certificate than the file's, and than the one before, is not that of the check.
	certify(t, dir, "third")
	files.look(false)
	certify(t, dir, "fourth")
	if err := ask(); err == nil {
		t.Error("a certificate was accepted that is not in the file")
	}
}

func TestPasswordOfKafkaNeedsARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	files := testFiles()
	m, err := mechanism(config.SASL{Mechanism: "PLAIN", User: "u", PasswordFile: file}, files)
	if err != nil {
		t.Fatal(err)
	}
	sent := func() string {
		_, text, err := m.Authenticate(t.Context(), "broker:9092")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := sent(); got != "\x00u\x00first" {
		t.Fatalf("%q", got)
	}
	write("second one")
	files.look(false)
	if got := sent(); got != "\x00u\x00second one" {
		t.Errorf("a new connection sends %q", got)
	}
}
