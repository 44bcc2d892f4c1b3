package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"flyball/alerts/incident"
	"flyball/alerts/message"
	"flyball/schema"
)

// How an Email connects to its server.
const (
	StartTLS    = "starttls" // plain, then TLS; a server that does not offer it gets no mail
	ImplicitTLS = "implicit" // TLS from the first byte
	PlainText   = "none"     // for a server on the same machine
)

// EmailOptions are the settings of an Email.
type EmailOptions struct {
	Host     string
	Port     int
	TLS      string // StartTLS, ImplicitTLS, PlainText
	Roots    *x509.CertPool
	User     string // empty: no login
	Password string
	From     string // an address, with or without a name
	To       []string
}

// Email sends mails through an SMTP server. The ids of mails follow from the incident and the page: mail programs show the mails of an
// incident as one thread, and a mail that is sent again has the same id.
type Email struct {
	o      EmailOptions
	domain string // of the sender
	client *client
}

// NewEmail returns an Email. The error does not contain the password.
func NewEmail(name string, o EmailOptions, now func() time.Time) (*Email, error) {
	m := mail.NewMsg()
	if err := m.From(o.From); err != nil {
		return nil, fmt.Errorf("receiver %s: from: %q is not an e-mail address", name, o.From)
	}
	if err := m.To(o.To...); err != nil || len(o.To) == 0 {
		return nil, fmt.Errorf("receiver %s: to: %q must be e-mail addresses", name, o.To)
	}
	from, err := m.GetSender(false)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: from: %q is not an e-mail address", name, o.From)
	}
	_, domain, _ := strings.Cut(strings.Trim(from, "<>"), "@")
	login := base64.StdEncoding.EncodeToString([]byte("\x00" + o.User + "\x00" + o.Password))
	return &Email{o: o, domain: domain, client: newClient(name, now, 2, o.Password, login)}, nil
}

// Deliver sends a page and returns nil when the server has taken it for every recipient.
func (e *Email) Deliver(ctx context.Context, p *incident.Page) error {
	if err := e.client.limit.Wait(ctx); err != nil {
		return fmt.Errorf("receiver %s: wait for its rate limit: %w", e.client.name, err)
	}
	err := e.mail(ctx, p, e.o.To)
	var refused *Refused
	if !errors.As(err, &refused) || !refused.All || len(e.o.To) == 1 {
		return err
	}
	// One recipient whom the server does not know must not keep the mail from the others.
	var others error
	for _, to := range e.o.To {
		if err := e.mail(ctx, p, []string{to}); err != nil && (others == nil || !errors.As(err, &refused)) {
			others = err
		}
	}
	return others
}

// mail sends a page to some of the recipients, in one transaction.
func (e *Email) mail(ctx context.Context, p *incident.Page, to []string) error {
	ctx, cancel := context.WithTimeout(ctx, e.client.timeout)
	defer cancel()
	m, err := e.compose(p, to)
	if err != nil {
		return fmt.Errorf("receiver %s: %w", e.client.name, err)
	}
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close() // the library leaves it open after some errors
		}
	}()
	c, err := e.connection(func(c net.Conn) { conn = c })
	if err != nil {
		return fmt.Errorf("receiver %s: %w", e.client.name, err)
	}
	if err := c.DialWithContext(ctx); err != nil {
		return e.judge(err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := c.Send(m); err != nil && !m.IsDelivered() {
		return e.judge(err)
	}
	reportAnswer(ctx, Answer{Request: "mail to " + strings.Join(to, ", "), Status: "SMTP 250",
		Text: e.client.shown([]byte(m.ServerResponse()))})
	return nil
}

// connection returns a client of the library, and calls made with its connection.
func (e *Email) connection(made func(net.Conn)) (*mail.Client, error) {
	conf := &tls.Config{ServerName: e.o.Host, RootCAs: e.o.Roots, MinVersion: tls.VersionTLS12}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			made(conn)
			if e.o.TLS == ImplicitTLS {
				conn = tls.Client(conn, conf)
			}
		}
		return conn, err
	}
	opts := []mail.Option{mail.WithPort(e.o.Port), mail.WithTimeout(e.client.timeout), mail.WithTLSConfig(conf), mail.WithoutNoop(),
		mail.WithHELO(e.domain), mail.WithDialContextFunc(dial)}
	switch e.o.TLS {
	case ImplicitTLS:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic)) // the connection is one of TLS before the library has it
	case PlainText:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.o.User != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(e.o.User), mail.WithPassword(e.o.Password))
	}
	return mail.NewClient(e.o.Host, opts...)
}

// compose makes the mail of a page. The subject is the same for all mails of an incident, because programs also compare subjects to
// make a thread.
func (e *Email) compose(p *incident.Page, to []string) (*mail.Msg, error) {
	m := message.Of(p)
	html, err := m.HTML()
	if err != nil {
		return nil, err
	}
	out := mail.NewMsg()
	if err := errors.Join(out.From(e.o.From), out.To(e.o.To...), out.EnvelopeFrom(e.o.From)); err != nil {
		return nil, err
	}
	if len(to) < len(e.o.To) {
		if err := out.To(to...); err != nil {
			return nil, err
		}
	}
	first := incidentKey(p.Incident, maxIDPart) + "." + p.Tenant
	subject := subjectOf(p)
	if p.Kind == incident.Opened {
		out.SetMessageIDWithValue(e.id(first))
	} else {
		subject = "Re: " + subject
		out.SetMessageIDWithValue(e.id(p.ID))
		out.SetGenHeader(mail.HeaderInReplyTo, "<"+e.id(first)+">")
		out.SetGenHeader(mail.HeaderReferences, "<"+e.id(first)+">")
	}
	out.Subject(subject)
	out.SetDateWithValue(e.client.now())
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetGenHeader("X-Auto-Response-Suppress", "All")
	out.SetBodyString(mail.TypeTextPlain, m.Text())
	out.AddAlternativeString(mail.TypeTextHTML, html)
	return out, nil
}

// maxIDPart bounds the incident's part of a mail's id, and maxSubject a subject, in characters.
const (
	maxIDPart  = 100
	maxSubject = 150
)

// id returns the id of a mail, without its brackets.
func (e *Email) id(part string) string {
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, part)
	return "flyball." + incidentKey(word, 2*maxIDPart) + "@" + e.domain
}

// subjectOf returns the subject of an incident's mails: who, which family, and the id.
func subjectOf(p *incident.Page) string {
	who, family := p.AgentID, p.Family
	if p.Group != nil && p.Group.OpenedBy != nil {
		who, family = p.Group.OpenedBy.AgentID, p.Group.OpenedBy.Family
	}
	if who == "" {
		who = "tenant " + p.Tenant
	}
	shown := func(s string, n int) string { return message.Fit(strings.Join(strings.Fields(schema.Chat(s)), " "), n) }
	return message.Fit(fmt.Sprintf("[Flyball] %s: %s, incident %s", shown(who, 60), shown(family, 40), shown(p.Incident, 60)), maxSubject)
}

// judge converts an error of SMTP:
//
//	4yz, no answer, no TLS      an error to retry
//	530, 534, 535, 538          Refused: the login (all pages)
//	5yz to MAIL or RCPT         Refused: the sender or a recipient (all pages)
//	5yz to DATA                 Refused: this page
func (e *Email) judge(err error) error {
	refused := &Refused{Receiver: e.client.name, Protocol: "SMTP", Answer: e.client.shown([]byte(err.Error()))}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		refused.Status = reply.Code
	}
	var failed *mail.SendError
	if errors.As(err, &failed) {
		refused.Status = failed.ErrorCode()
	}
	switch code := refused.Status; {
	case code == 530, code == 534, code == 535, code == 538:
		refused.All, refused.Do = true, "correct user and password_file"
	case failed != nil && code >= 500 && (failed.Reason == mail.ErrSMTPMailFrom || failed.Reason == mail.ErrSMTPRcptTo):
		refused.All, refused.Do = true, "correct from and to"
	case failed != nil && code >= 500:
	default:
		return e.client.failed(net.JoinHostPort(e.o.Host, fmt.Sprint(e.o.Port)), err)
	}
	return refused
}
