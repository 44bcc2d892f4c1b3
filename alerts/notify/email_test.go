package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"flyball/alerts/incident"
)

const mailPassword = canary + " with blanks"

// mailServer is an SMTP server that keeps the mails it takes.
type mailServer struct {
	addr   string
	roots  *x509.CertPool
	mu     sync.Mutex
	mails  []string
	to     []string // of all mails
	refuse map[string]*smtp.SMTPError
	secure bool // the last mail came over TLS, after a login
}

type mailSession struct {
	s      *mailServer
	conn   *smtp.Conn
	logged bool
}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{s: s, conn: c}, nil
}
func (*mailSession) Reset()                   {}
func (*mailSession) Logout() error            { return nil }
func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (m *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "flyball" || password != mailPassword {
			return fmt.Errorf("no: %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)))
		}
		m.logged = true
		return m.refusal("AUTH")
	}), nil
}

func (m *mailSession) refusal(stage string) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if e := m.s.refuse[stage]; e != nil {
		return e
	}
	return nil
}

func (m *mailSession) Mail(string, *smtp.MailOptions) error { return m.refusal("MAIL") }

func (m *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := m.refusal(to); err != nil {
		return err
	}
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.to = append(m.s.to, to)
	return nil
}

func (m *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := m.refusal("DATA"); err != nil {
		return err
	}
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	_, tls := m.conn.TLSConnectionState()
	m.s.mails, m.s.secure = append(m.s.mails, string(text)), tls && m.logged
	return nil
}

// startMailServer starts a server in a mode of EmailOptions.TLS; in PlainText it has no TLS at all.
func startMailServer(t *testing.T, mode string) *mailServer {
	t.Helper()
	m := &mailServer{refuse: map[string]*smtp.SMTPError{}}
	s := smtp.NewServer(m)
	s.Domain, s.ErrorLog, s.AllowInsecureAuth = "mx.example", log.New(io.Discard, "", 0), false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	if mode != PlainText {
		var cert tls.Certificate
		cert, m.roots = selfSigned(t)
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if mode == ImplicitTLS {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func (m *mailServer) email(t *testing.T, mode string, change func(*EmailOptions)) *Email {
	t.Helper()
	host, port, _ := net.SplitHostPort(m.addr)
	o := EmailOptions{Host: host, TLS: mode, Roots: m.roots, User: "flyball", Password: mailPassword,
		From: "Flyball <flyball@corp.example>", To: []string{"soc@corp.example", "ann@corp.example"}}
	_, _ = fmt.Sscan(port, &o.Port)
	if mode == PlainText {
		o.User, o.Password = "", ""
	}
	if change != nil {
		change(&o)
	}
	e, err := NewEmail("mail", o, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e.client.timeout = 2 * time.Second
	e.client.limit.SetBurst(1000)
	return e
}

// parts returns the header and the bodies of a mail by their types.
func parts(t *testing.T, text string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("%v, %v", err, p.Header)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		out[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

func TestMailsOfAnIncidentAreNoThread(t *testing.T) {
	for _, mode := range []string{StartTLS, ImplicitTLS, PlainText} {
		m := startMailServer(t, mode)
		e := m.email(t, mode, nil)
		var answers []Answer
		ctx := WithAnswers(context.Background(), func(a Answer) { answers = append(answers, a) })
		for _, p := range samplePages() {
			if err := e.Deliver(ctx, &p); err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
		}
		if len(m.mails) != 4 || len(m.to) != 8 || m.secure != (mode != PlainText) || len(answers) != 4 || answers[0].Status != "SMTP 250" {
			t.Fatalf("%s: %d mails to %v, secure %v, %v", mode, len(m.mails), m.to, m.secure, answers)
		}
		first, bodies := parts(t, m.mails[0])
		root, ids := first.Get("Message-Id"), map[string]bool{}
		if !strings.HasSuffix(root, "@corp.example>") || first.Get("References") != "" || first.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("the first mail: %v", first)
		}
		if _, err := first.Date(); err != nil || bodies["text/plain"] == "" || !strings.Contains(bodies["text/html"], "<html>") {
			t.Errorf("%v %v", err, bodies)
		}
		for _, text := range m.mails[1:] {
			h, _ := parts(t, text)
			if h.Get("In-Reply-To") != root || h.Get("References") != root || h.Get("Subject") != "Re: "+first.Get("Subject") {
				t.Errorf("a later mail: %v", h)
			}
			ids[h.Get("Message-Id")] = true
		}
		if len(ids) != 3 || ids[root] {
			t.Errorf("ids %v", ids)
		}
	}
}

func TestMailAsAPersonReadsItChanges(t *testing.T) {
	m := startMailServer(t, PlainText)
	e := m.email(t, PlainText, nil)
	pages := samples(t)
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		m.mails = nil
		if err := e.Deliver(context.Background(), pages[name]); err != nil {
			t.Fatal(err)
		}
		h, bodies := parts(t, m.mails[0])
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\nSubject: %s\nMessage-Id: %s\nReferences: %s\n\n%s\n", name, subject, h.Get("Message-Id"), h.Get("References"),
			bodies["text/plain"])
		if want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "In-Reply-To", "Message-Id", "Mime-Version", "References",
			"Subject",
			"To", "User-Agent", "X-Auto-Response-Suppress", "X-Mailer"}; slices.ContainsFunc(slices.Collect(maps.Keys(h)), func(k string) bool {
			return !slices.Contains(want, k)
		}) {
			t.Errorf("%s: headers %v", name, slices.Sorted(maps.Keys(h)))
		}
	}
	same(t, "email.txt", b.Bytes())
}

// What follows from the server's replies.
func TestRepliesOfAMailServerAndWhatFollows(t *testing.T) {
	m := startMailServer(t, StartTLS)
	e := m.email(t, StartTLS, nil)
	for _, tc := range []struct {
		stage string
		code  int
		want  string
	}{
		{"AUTH", 535, refusedAll}, {"AUTH", 534, refusedAll}, {"AUTH", 454, again}, {"MAIL", 550, refusedAll}, {"MAIL", 451, again},
		{"MAIL", 552, refusedAll}, {"soc@corp.example", 450, again}, {"soc@corp.example", 452, again}, {"soc@corp.example", 550, refusedAll},
		{"DATA", 554, refused}, {"DATA", 552, refused}, {"DATA", 421, again}, {"DATA", 451, again},
	} {
		m.refuse = map[string]*smtp.SMTPError{tc.stage: {Code: tc.code, Message: "no: " + mailPassword + " " +
			base64.StdEncoding.EncodeToString([]byte("\x00flyball\x00"+mailPassword))}}
		var answers []Answer
		err := e.Deliver(WithAnswers(context.Background(), func(a Answer) { answers = append(answers, a) }), &samplePages()[0])
		if got := outcome(err); got != tc.want || !strings.Contains(err.Error(), fmt.Sprint(tc.code)) {
			t.Errorf("%s %d: %s, want %s: %v", tc.stage, tc.code, got, tc.want, err)
		}
		holdsNoSecret(t, tc.stage, err, answers)
	}
	// A recipient whom the server does not know does not keep the mail from the others.
	m.mails, m.to = nil, nil
	m.refuse = map[string]*smtp.SMTPError{"soc@corp.example": {Code: 550, Message: "no such user"}}
	err := e.Deliver(context.Background(), &samplePages()[0])
	var r *Refused
	if !errors.As(err, &r) || !strings.Contains(err.Error(), "soc@corp.example") || len(m.mails) != 1 ||
		m.to[len(m.to)-1] != "ann@corp.example" {
		t.Errorf("%v, %d mails to %v", err, len(m.mails), m.to)
	}
	e = m.email(t, StartTLS, func(o *EmailOptions) { o.Password = canary + "wrong" })
	if err := e.Deliver(context.Background(), &samplePages()[0]); outcome(err) == acknowledged {
		t.Error("a wrong password")
	} else {
		holdsNoSecret(t, "wrong password", err, nil)
	}
}

// A server without TLS, with another certificate, silent or broken gets no page and no password, and is tried again.
func TestMailServerThatIsNotTheConfiguredOne(t *testing.T) {
	plain, other, good := startMailServer(t, PlainText), startMailServer(t, StartTLS), startMailServer(t, StartTLS)
	servers := map[string]*Email{
		"without STARTTLS":         plain.email(t, StartTLS, nil),
		"plain for implicit":       plain.email(t, ImplicitTLS, nil),
		"with other certificate":   other.email(t, StartTLS, func(o *EmailOptions) { o.Roots = good.roots }),
		"with unknown authority":   other.email(t, StartTLS, func(o *EmailOptions) { o.Roots = nil }),
		"implicit for STARTTLS":    other.email(t, ImplicitTLS, nil),
		"on a port without server": (&mailServer{addr: "127.0.0.1:1"}).email(t, StartTLS, nil),
	}
	for name, serve := range map[string]func(net.Conn){
		"silent": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "closed": func(c net.Conn) { c.Close() },
		"HTTP": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 "+mailPassword+"\r\n\r\n"); c.Close() },
		"endless": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "220-"+mailPassword+"\r\n"); err != nil {
					return
				}
			}
		},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		servers[name] = (&mailServer{addr: l.Addr().String()}).email(t, StartTLS, nil)
	}
	for name, e := range servers {
		e.client.timeout = 300 * time.Millisecond
		began := time.Now()
		err := e.Deliver(context.Background(), &samplePages()[0])
		if got := outcome(err); got != again || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %s after %s: %v", name, got, time.Since(began), err)
		}
		holdsNoSecret(t, name, err, nil)
	}
	if len(plain.mails)+len(other.mails) != 0 {
		t.Error("a mail was sent")
	}
}

// A run, an agent and a tenant can hold line breaks, and an incident any text.
func TestTextOfAnAgentIsAHeader(t *testing.T) {
	m := startMailServer(t, PlainText)
	e := m.email(t, PlainText, nil)
	p := *samples(t)["hostile"]
	p.Incident, p.ID, p.Family = "i\r\nBcc: evil@evil.example\r\n\r\n<b>", "p\r\nX-Evil: 1", "f\r\nX-Evil: 1"
	for _, kind := range []incident.Kind{incident.Opened, incident.Updated} {
		m.mails = nil
		p.Kind = kind
		if err := e.Deliver(context.Background(), &p); err != nil {
			t.Fatal(err)
		}
		h, bodies := parts(t, m.mails[0])
		if h.Get("Bcc") != "" || h.Get("X-Evil") != "" || len(h) > 13 {
			t.Errorf("headers %v", h)
		}
		if strings.Contains(bodies["text/html"], "<script") || strings.Contains(bodies["text/plain"], "\x1b") {
			t.Errorf("%v", bodies)
		}
	}
	if slices.Contains(m.to, "evil@evil.example") {
		t.Error("a recipient of the agent's choice")
	}
}

func TestSenderAndRecipientsAreNotAddresses(t *testing.T) {
	for _, o := range []EmailOptions{{From: "x", To: []string{"a@b"}}, {From: "a@b"}, {From: "a@b", To: []string{"a@b\r\nBcc: c@d"}},
		{From: "a@b", To: []string{"x"}}} {
		if _, err := NewEmail("mail", o, time.Now); err == nil {
			t.Errorf("%+v", o)
		}
	}
}
