package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/doctor"
)

// tokenFacts reads when tokens of operators end.
func tokenFacts(c config.Config) (out []doctor.Expiry) {
	for i, t := range c.Control.Tokens {
		x := doctor.Expiry{Key: fmt.Sprintf("control.tokens[%d]", i), Name: t.Name, At: t.Expires.Value.Time}
		if _, _, err := tokenHash(c, i); err != nil {
			x.Error = err.Error()
		}
		out = append(out, x)
	}
	return out
}

// certificateFacts reads when configured certificates end.
func certificateFacts(c config.Config) (out []doctor.Expiry) {
	add := func(key, file string) {
		if file == "" {
			return
		}
		x := doctor.Expiry{Key: key, Name: file}
		pem, err := os.ReadFile(file)
		if err == nil {
			leaf, bad := certificateOf(pem)
			if err = bad; err == nil {
				x.At = leaf.NotAfter
			}
		}
		if err != nil {
			x.Error = err.Error()
		}
		out = append(out, x)
	}
	for _, s := range []struct {
		key string
		tls config.TLS
	}{{"check.tls", c.Check.TLS}, {"control.tls", c.Control.TLS}, {"kafka.tls", c.Kafka.TLS}, {"clickhouse.tls", c.ClickHouse.TLS},
		{"control.oidc.tls", c.Control.OIDC.TLS}} {
		add(s.key+".cert", s.tls.Cert)
		add(s.key+".ca", s.tls.CA)
	}
	return out
}

// fileFacts reads the permissions of files and folders with secrets. Files that a start makes may be missing.
func fileFacts(c config.Config) (out []doctor.File) {
	add := func(key, path string, optional bool) {
		if path == "" {
			return
		}
		info, err := os.Stat(path)
		if optional && errors.Is(err, fs.ErrNotExist) {
			return
		}
		x := doctor.File{Key: key, Path: path}
		if err != nil {
			x.Error = err.Error()
		} else {
			x.Mode = uint32(info.Mode().Perm())
		}
		out = append(out, x)
	}
	if len(c.Kafka.Brokers) == 0 || len(c.ClickHouse.Addr) == 0 {
		add("data", c.Data, true)
	}
	if c.SecretKeyFile == "" {
		add("secret_key_file", filepath.Join(c.Data, "secret.key"), true)
	}
	add("secret_key_file", c.SecretKeyFile, false)
	add("kafka.sasl.password_file", c.Kafka.SASL.PasswordFile, false)
	add("clickhouse.password_file", c.ClickHouse.PasswordFile, false)
	add("check.token_file", c.Check.TokenFile, false)
	add("control.oidc.client_secret_file", c.Control.OIDC.ClientSecretFile, false)
	for i, t := range c.Control.Tokens {
		add(fmt.Sprintf("control.tokens[%d].value_file", i), string(t.Value), false)
	}
	for key, file := range map[string]string{"check.tls.key": c.Check.TLS.Key, "control.tls.key": c.Control.TLS.Key,
		"control.oidc.tls.key": c.Control.OIDC.TLS.Key, "kafka.tls.key": c.Kafka.TLS.Key, "clickhouse.tls.key": c.ClickHouse.TLS.Key} {
		add(key, file, false)
	}
	for i, r := range c.Alerts.Receivers {
		for _, file := range receiverFiles(r) {
			add(fmt.Sprintf("alerts.receivers[%d]", i), file, false)
		}
	}
	return out
}

// listenerFacts lists the addresses that this deployment listens on.
func listenerFacts(c config.Config) []doctor.Listener {
	out := []doctor.Listener{
		{Key: "control.listen", Address: c.Control.Listen, TLS: c.Control.TLS.Cert != ""},
		{Key: "check.listen", Address: c.Check.Listen, TLS: c.Check.TLS.Cert != ""},
		{Key: "check.grpc", Address: c.Check.GRPC, TLS: c.Check.TLS.Cert != ""},
		{Key: "metrics.listen", Address: c.Metrics.Listen, NoTLS: true},
	}
	if len(c.Kafka.Brokers) == 0 {
		out = append(out, doctor.Listener{Key: "kafka.listen", Address: c.Kafka.Listen, NoTLS: true})
	}
	if len(c.ClickHouse.Addr) == 0 {
		out = append(out, doctor.Listener{Key: "clickhouse.listen", Address: c.ClickHouse.Listen, NoTLS: true})
		if c.ClickHouse.ReadListen != "" {
			out = append(out, doctor.Listener{Key: "clickhouse.read_listen", Address: c.ClickHouse.ReadListen, NoTLS: true})
		}
	}
	for i := range out {
		host, _, _ := net.SplitHostPort(out[i].Address)
		ip := net.ParseIP(host)
		out[i].Loopback = host == "localhost" || ip != nil && ip.IsLoopback()
	}
	return out
}

// receiverFacts connects to each receiver and sends nothing.
func receiverFacts(ctx context.Context, c config.Config) []doctor.Endpoint {
	out := make([]doctor.Endpoint, len(c.Alerts.Receivers))
	var dials sync.WaitGroup
	for i, r := range c.Alerts.Receivers {
		out[i] = doctor.Endpoint{Name: r.Name, Address: receiverAddress(r)}
		if out[i].Address == "" {
			continue // its kind has a fixed address
		}
		dials.Go(func() {
			d := net.Dialer{Timeout: doctorTimeout - time.Second}
			conn, err := d.DialContext(ctx, "tcp", out[i].Address)
			if err != nil {
				out[i].Error = err.Error()
				return
			}
			_ = conn.Close()
		})
	}
	dials.Wait()
	return out
}

// receiverAddress returns the address of a receiver, whichever its kind is: host and port of its key url or address.
func receiverAddress(r config.Receiver) string {
	for _, name := range []string{"URL", "Address", "SmartHost"} {
		if v := kindField(r, name); v != "" {
			return hostPort(v)
		}
	}
	return ""
}

// receiverFiles returns the files with secrets of a receiver.
func receiverFiles(r config.Receiver) (out []string) {
	for _, name := range []string{"SecretFile", "KeyFile", "TokenFile", "PasswordFile", "URLFile"} {
		if v := kindField(r, name); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// kindField returns the text of a field of a receiver's kind; empty if the kind has no such field.
func kindField(r config.Receiver, name string) string {
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		kind := v.Field(i)
		if kind.Kind() != reflect.Pointer || kind.IsNil() || kind.Elem().Kind() != reflect.Struct {
			continue
		}
		if f := kind.Elem().FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
	}
	return ""
}

// hostPort returns host and port of a URL or of an address.
func hostPort(v string) string {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return v
	}
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
