package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"flyball/cmd/internal/config"
	"flyball/schema"
)

// Environment variables of the commands that talk to a running deployment.
const (
	tokenVariable   = "FLYBALL_TOKEN"
	profileVariable = "FLYBALL_PROFILE"
)

// target is the deployment that a command talks to, and what named it.
type target struct {
	url         string // scheme and address of the control API
	where       string // the same for people
	from        string // flag, key or profile that named it
	profile     string // name of the profile; empty: none
	tenant      string // empty: unknown before the deployment has answered
	token       schema.Secret
	tokenFrom   string      // what the token was read from; empty: no token
	signedIn    *signIn     // the token is that of flyball login; nil: it is not
	authorities []authority // certificates to trust beside those of the system
}

// authority is a file of certificates, and the key that names it.
type authority struct{ key, file string }

// choice is what a person or the environment has named, in the order in which it applies: flags, then
// variables, then files.
type choice struct {
	control, tokenFile, profile, config string // flags
	profileVariable, tokenVariable      string
	current                             string // profile that `flyball profile use` has chosen
	profiles                            string // path of the profile file
}

// profileName returns the profile that applies, and what chose it. The name is empty if a flag or the
// configuration names the deployment.
func (c choice) profileName() (name, by string) {
	switch {
	case c.control != "":
	case c.profile != "":
		name, by = c.profile, "--profile"
	case c.config != "":
	case c.profileVariable != "":
		name, by = c.profileVariable, profileVariable
	case c.current != "":
		name, by = c.current, "flyball profile use"
	}
	if name == noProfile {
		return "", ""
	}
	return name, by
}

// token returns the token that applies and what it was read from; both are empty if there is none.
// profileFile is the token file of the profile that applies, and by is what chose the profile.
func (c choice) token(profileFile, profile, by string) (token schema.Secret, from string, err error) {
	fromProfile := fmt.Sprintf("token_file of profile %s", profile)
	switch {
	case c.tokenFile != "":
		return readToken("--token-file", c.tokenFile)
	case profileFile != "" && by == "--profile":
		return readToken(fromProfile, profileFile)
	case c.tokenVariable != "":
		return schema.Secret(c.tokenVariable), tokenVariable, nil
	case profileFile != "":
		return readToken(fromProfile, profileFile)
	}
	return "", "", nil
}

// readsFile reports whether the token that applies is in the token file of the profile that applies.
func (c choice) readsFile(profileFile, by string) bool {
	return profileFile != "" && c.tokenFile == "" && (by == "--profile" || c.tokenVariable == "")
}

// readToken reads the token in a file; from names the file in errors.
func readToken(from, file string) (schema.Secret, string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", usage(fmt.Errorf("%s: %w", from, err))
	}
	token := strings.TrimSpace(string(text))
	switch {
	case token == "":
		return "", "", usage(fmt.Errorf("%s: %s is empty; it must hold the token", from, file))
	case strings.HasPrefix(token, "sha256:"):
		return "", "", usage(fmt.Errorf("%s: %s holds the hash of a token, which is for control.tokens[].value_file; "+
			"a client needs the token itself, which flyball token printed", from, file))
	case strings.ContainsAny(token, " \t\r\n"):
		return "", "", usage(fmt.Errorf("%s: %s must hold one token and nothing else", from, file))
	}
	return schema.Secret(token), fmt.Sprintf("%s (%s)", from, file), nil
}

// choice returns what the flags, the environment and the profile file name.
func (o *options) choice() (choice, *profiles, error) {
	c := choice{control: o.controlURL, tokenFile: o.tokenFile, profile: o.profile, config: o.config,
		profileVariable: os.Getenv(profileVariable), tokenVariable: os.Getenv(tokenVariable)}
	if c.control != "" && c.profile != "" {
		return c, nil, usage(fmt.Errorf("--control %s and --profile %s both name a deployment; remove one", c.control, c.profile))
	}
	saved, err := loadProfiles()
	if err != nil {
		return c, nil, usage(err)
	}
	c.current, c.profiles = saved.Current, saved.path
	return c, saved, nil
}

// selected returns the profile that applies, or nil, and what chose it.
func (o *options) selected() (choice, *profile, string, error) {
	c, saved, err := o.choice()
	if err != nil {
		return c, nil, "", err
	}
	name, by := c.profileName()
	if name == "" {
		return c, nil, "", nil
	}
	p, err := saved.find(name)
	if err != nil {
		return c, nil, "", usage(fmt.Errorf("%s: %w", by, err))
	}
	return c, p, by, nil
}

// target returns the deployment that the command talks to.
func (o *options) target() (target, error) {
	c, p, by, err := o.selected()
	if err != nil {
		return target{}, err
	}
	var t target
	switch {
	case c.control != "":
		t, err = urlTarget("--control", c.control)
	case p != nil:
		t, err = p.target()
	default:
		t, err = o.configuredTarget()
	}
	if err != nil {
		return t, err
	}
	var file, name string
	if p != nil {
		file, name = p.TokenFile, p.Name
	}
	if t.token, t.tokenFrom, err = c.token(file, name, by); err != nil {
		return t, err
	}
	if s := signInOf(c.profiles, name); c.readsFile(file, by) && file == s.tokenFile() {
		t.signedIn = s
	}
	return t, t.checkToken()
}

// configuredTarget is the deployment of the configuration file, which is that of this machine.
func (o *options) configuredTarget() (target, error) {
	c, err := o.loadFile()
	if err != nil {
		return target{}, err
	}
	t := target{url: "http://" + c.Control.Listen, where: c.Control.Listen, from: "control.listen", tenant: c.Tenant}
	if c.Control.TLS.Cert == "" {
		return t, nil
	}
	t.url = "https://" + c.Control.Listen
	for key, file := range map[string]string{"control.tls.cert": c.Control.TLS.Cert, "control.tls.ca": c.Control.TLS.CA} {
		if file != "" {
			t.authorities = append(t.authorities, authority{key, file})
		}
	}
	return t, nil
}

// urlTarget is the deployment at the URL of a control API; key names the URL in errors.
func urlTarget(key, text string) (target, error) {
	u, err := parseControlURL(text)
	if err != nil {
		return target{}, usage(fmt.Errorf("%s: %w", key, err))
	}
	return target{url: u, where: u, from: key}, nil
}

// parseControlURL checks the URL of a control API and returns it without a slash at its end.
func parseControlURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not a URL such as https://flyball.example:7171", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the URL of the control API has no user, query or fragment; pass a token by --token-file")
	}
	return strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/"), nil
}

// checkToken refuses a token that others on the way could read.
func (t target) checkToken() error {
	rest, plain := strings.CutPrefix(t.url, "http://")
	if !plain || t.token == "" {
		return nil
	}
	host, _, _ := strings.Cut(rest, "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usage(fmt.Errorf("%s: %s is plain HTTP to another machine: others could read the token of %s; use https://",
		t.from, t.url, t.tokenFrom))
}

// loadFile is the configuration of the file and the environment.
func (o *options) loadFile() (config.Config, error) {
	c, err := config.Load(o.config, os.Environ())
	if err != nil {
		return c, usage(err)
	}
	if o.data != "" {
		c.Data = o.data
	}
	return c, nil
}

// load is the configuration of a command that runs on the deployment's machine: a role, or one that
// reads the deployment's key or Kafka. Flags that name another deployment are refused.
func (o *options) load() (config.Config, error) {
	for _, f := range []struct{ flag, value string }{{"--control", o.controlURL}, {"--profile", o.profile}, {"--token-file", o.tokenFile}} {
		if f.value != "" {
			return config.Config{}, usage(fmt.Errorf("%s %s: this command does not talk to the control API; "+
				"it works with the deployment of a configuration file (--config)", f.flag, f.value))
		}
	}
	return o.loadFile()
}

// loadClient is the configuration of a command that talks to a running deployment. For another
// deployment than that of this machine's file, which --control or a profile names, it is the defaults with
// the addresses, the tenant and the ClickHouse of that deployment: its own file is not known here, unless
// --config names a copy.
func (o *options) loadClient() (config.Config, error) {
	chosen, p, _, err := o.selected()
	if err != nil {
		return config.Config{}, err
	}
	other, err := o.isAnother(chosen, p)
	if err != nil {
		return config.Config{}, err
	}
	if !other {
		return o.loadFile()
	}
	c := config.Default()
	if o.config != "" {
		if c, err = o.loadFile(); err != nil {
			return c, err
		}
	}
	if p == nil {
		c.Metrics.Listen = chosen.control
		return c, nil
	}
	c.Metrics.Listen, c.Control.TLS = p.Control, config.TLS{CA: p.CA}
	c.Tenant = cmp.Or(p.Tenant, c.Tenant)
	c.ClickHouse = p.ClickHouse.config()
	return c, nil
}

// isAnother reports whether --control or a profile names another deployment than that of the
// configuration file.
func (o *options) isAnother(chosen choice, p *profile) (bool, error) {
	if p != nil || chosen.control == "" {
		return p != nil, nil
	}
	u, err := parseControlURL(chosen.control)
	if err != nil {
		return false, usage(fmt.Errorf("--control: %w", err))
	}
	own, err := o.configuredTarget()
	return err == nil && u != own.url, err
}

// checkDatabase refuses to answer from the database of one deployment while the command names
// another one.
func (o *options) checkDatabase() error {
	c, p, by, err := o.selected()
	switch {
	case err != nil:
		return err
	case p != nil && len(p.ClickHouse.Addr) == 0:
		return usage(fmt.Errorf("%s: profile %s names no ClickHouse, which this command reads; "+
			"flyball profile add %s --replace --control %s --clickhouse HOST:PORT adds it", by, p.Name, p.Name, p.Control))
	case p != nil || c.config != "":
		return nil
	}
	if other, err := o.isAnother(c, p); err != nil || !other {
		return err
	}
	return usage(fmt.Errorf("--control %s: this is another deployment than that of the configuration, and names no ClickHouse, "+
		"which this command reads; use a profile with --clickhouse (flyball profile add)", c.control))
}

// fileConfig is the configuration of a command that needs more of the deployment than its control API
// and database: its file, or its Kafka. It refuses to take those of another deployment.
func (r *request) fileConfig() (config.Config, error) {
	c, err := r.config()
	if err == nil && isRemote(c) && r.options.config == "" {
		err = usage(fmt.Errorf("%s is another deployment than that of this machine, and this command reads the deployment's Kafka or "+
			"its configuration file; run it there, or name a copy of the file by --config", c.Metrics.Listen))
	}
	return c, err
}

// fileKnown reports whether the command knows the deployment's configuration file. If not, it prints that
// a part of the result is not known.
func (r *request) fileKnown(part string) bool {
	c, err := r.config()
	if err != nil || !isRemote(c) || r.options.config != "" {
		return true
	}
	r.unknown(part, errors.New("it is in the deployment's configuration file; name a copy of it by --config"))
	return false
}
