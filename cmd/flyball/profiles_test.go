package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTenProfilesAreTakenForEachOther(t *testing.T) {
	c := newClient(t)
	var all []*remote
	for i := range 10 {
		r := newRemote(t, fmt.Sprintf("d_0000000%d", i), fmt.Sprintf("fly_%d_0123456789abcdef", i))
		all = append(all, r)
		c.mustRun("profile", "add", fmt.Sprintf("p%d", i), "--control", r.url, "--tenant", fmt.Sprintf("t%d", i),
			"--token-file", c.file(fmt.Sprintf("token%d", i), fmt.Sprintf("fly_%d_0123456789abcdef\n", i)))
	}
	c.mustRun("profile", "use", "p7")
	var list []profileLine
	if err := json.Unmarshal([]byte(c.mustRun("profile", "list", "-o", "json")), &list); err != nil || len(list) != 10 {
		t.Fatalf("%d profiles, %v", len(list), err)
	}
	for i, p := range list {
		if p.Control != all[i].url || p.Tenant != fmt.Sprintf("t%d", i) || p.Current != (i == 7) {
			t.Errorf("%d: %+v", i, p)
		}
		if out := c.mustRun("arm", "bot", "--reason", "r", "--profile", p.Name); !strings.Contains(out, fmt.Sprintf("d_0000000%d at %s",
			i, all[i].url)) {
			t.Errorf("%s: %s", p.Name, out)
		}
	}
	c.mustRun("profile", "remove", "p7")
	if code, _, errs := c.run("breakers", "list", "--profile", "p7"); code != exitUsage || !strings.Contains(errs, "there are p0, p1") {
		t.Errorf("exit %d, %q", code, errs)
	}
	for i, r := range all {
		for _, token := range r.shown {
			if token != fmt.Sprintf("fly_%d_0123456789abcdef", i) {
				t.Errorf("deployment %d was sent the token %q", i, token)
			}
		}
	}
}

func TestTokenThatOthersCanReadIsEnteredWithoutAWord(t *testing.T) {
	c := newClient(t)
	file := c.file("t", stagingToken)
	if _, _, errs := c.run("profile", "add", "a", "--control", "http://127.0.0.1:1", "--token-file", file); errs != "" {
		t.Errorf("%q", errs)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, errs := c.run("profile", "add", "b", "--control", "http://127.0.0.1:1", "--token-file", file)
	if code != exitDone || !strings.Contains(errs, "other users can read "+file+" (mode 0644); chmod 600 it") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// secured serves with a certificate that is valid for an address from and to a time, and returns its URL and the certificate.
func secured(t *testing.T, ip net.IP, from, to time.Time) (url string, certificate []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "flyball"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{ip}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[]`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// All of these were "nothing answers".
func TestCertificateThatIsRefusedIsNotNamed(t *testing.T) {
	c := newClient(t)
	now, here := time.Now(), net.IPv4(127, 0, 0, 1)
	for name, row := range map[string]struct {
		ip       net.IP
		from, to time.Time
		trusted  bool
		want     []string
	}{
		"good": {here, now.Add(-time.Hour), now.Add(time.Hour), true, nil},
		"expired": {here, now.Add(-2 * time.Hour), now.Add(-time.Hour), true, []string{"(127.0.0.1) expired at ",
			"renew it there (control.tls.cert"}},
		"early":    {here, now.Add(time.Hour), now.Add(2 * time.Hour), true, []string{"is valid from ", "correct the clock that is wrong"}},
		"stranger": {here, now.Add(-time.Hour), now.Add(time.Hour), false, []string{`authority "CN=flyball"`, "--ca FILE"}},
		"other":    {net.IPv4(10, 9, 8, 7), now.Add(-time.Hour), now.Add(time.Hour), true, []string{"is for another address (10.9.8.7)"}},
	} {
		url, certificate := secured(t, row.ip, row.from, row.to)
		args := []string{"profile", "add", name, "--control", url}
		if row.trusted {
			args = append(args, "--ca", c.file(name+".pem", string(certificate)))
		}
		c.mustRun(args...)
		code, out, errs := c.run("breakers", "list", "--profile", name)
		if row.want == nil && code != exitDone || row.want != nil && code != exitFailed {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, errs)
		}
		for _, want := range append(row.want, "") {
			if !strings.Contains(errs, want) || strings.Contains(errs, "nothing answers") || row.want != nil && !strings.Contains(errs,
				"profile "+name) {
				t.Errorf("%s: %q: no %q", name, errs, want)
			}
		}
	}
}

// A start with a certificate that is over is possible; check-config said that all is good.
func TestExpiredCertificateIsNoWarning(t *testing.T) {
	dir := configFolder(t)
	t.Chdir(dir)
	now := time.Now()
	if err := os.WriteFile("flyball.yaml", []byte("control: {tls: {cert: cert.pem, key: key.pem}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]int{now: 0, now.Add(2 * time.Hour): 1} {
		r, err := checkConfig(&options{}, []string{"up"}, at)
		if err != nil || !r.Good || len(r.Warnings) != want || want == 1 && !strings.Contains(r.Warnings[0],
			"control.tls.cert: "+dir+"/cert.pem expired at ") {
			t.Errorf("at %s: %+v, %v", at, r, err)
		}
	}
}
