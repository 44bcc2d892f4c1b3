package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/document"
)

const (
	// profilesVersion is the version of the format of the profile file.
	profilesVersion = 1
	// noProfile is the name that stands for no profile.
	noProfile = "none"
)

// profile is a deployment that the commands of a person can talk to.
type profile struct {
	Name       string            `yaml:"name" json:"name"`
	Control    string            `yaml:"control" json:"control"` // URL of the control API
	TokenFile  string            `yaml:"token_file,omitempty" json:"token_file,omitempty"`
	CA         string            `yaml:"ca,omitempty" json:"ca,omitempty"` // file of certificates to trust
	Tenant     string            `yaml:"tenant,omitempty" json:"tenant,omitempty"`
	ClickHouse profileClickHouse `yaml:"clickhouse,omitempty" json:"clickhouse,omitzero"`
}

// profileClickHouse is the database of a profile's deployment; without addresses, commands that read
// it are refused.
type profileClickHouse struct {
	Addr         []string `yaml:"addr,omitempty" json:"addr,omitempty"` // host:port of the HTTP interface
	Database     string   `yaml:"database,omitempty" json:"database,omitempty"`
	User         string   `yaml:"user,omitempty" json:"user,omitempty"`
	PasswordFile string   `yaml:"password_file,omitempty" json:"password_file,omitempty"`
	CA           string   `yaml:"ca,omitempty" json:"ca,omitempty"`
}

// config returns the database in the form of the configuration.
func (p profileClickHouse) config() config.ClickHouse {
	return config.ClickHouse{Addr: p.Addr, Database: cmp.Or(p.Database, config.Default().ClickHouse.Database),
		User: p.User, PasswordFile: p.PasswordFile, TLS: config.TLS{CA: p.CA}}
}

// profiles is the profile file.
type profiles struct {
	Version  int       `yaml:"version"`
	Current  string    `yaml:"current,omitempty"` // empty: none
	Profiles []profile `yaml:"profiles"`

	path string // empty: this user has no configuration folder
}

// loadProfiles reads the profile file in the user's configuration folder. A missing file is an
// empty one. A file that others can change is refused: it says where tokens are sent.
func loadProfiles() (*profiles, error) {
	p := &profiles{Version: profilesVersion}
	dir, err := os.UserConfigDir()
	if err != nil {
		return p, nil
	}
	p.path = filepath.Join(dir, "flyball", "profiles.yaml")
	text, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	if info, err := os.Stat(p.path); err == nil && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("profiles: others can change %s (mode %#o), which names where tokens are sent; chmod 600 it",
			p.path, info.Mode().Perm())
	}
	var head struct{ Version int }
	if err := yaml.Unmarshal(text, &head); err == nil && head.Version > profilesVersion {
		return nil, fmt.Errorf("profiles: %s has version %d, this binary reads %d; use a newer flyball", p.path, head.Version, profilesVersion)
	}
	if err := document.Read(text, p); err != nil {
		return nil, fmt.Errorf("profiles: %s: %w", p.path, err)
	}
	return p, nil
}

// save writes the file so that only its owner can read it.
func (p *profiles) save() error {
	if p.path == "" {
		return errors.New("profiles: no configuration folder: set HOME or XDG_CONFIG_HOME")
	}
	p.Version = profilesVersion
	text, err := yaml.Marshal(p)
	if err != nil {
		return err
	}
	dir := filepath.Dir(p.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	f, err := os.CreateTemp(dir, "profiles-*.yaml") // 0600
	if err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	_, err = io.Copy(f, bytes.NewReader(text))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("profiles: %w", err)
	}
	return nil
}

// find returns the profile with a name.
func (p *profiles) find(name string) (*profile, error) {
	i := slices.IndexFunc(p.Profiles, func(q profile) bool { return q.Name == name })
	if i >= 0 {
		return &p.Profiles[i], nil
	}
	var names []string
	for _, q := range p.Profiles {
		names = append(names, q.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%q is no profile: there are none; flyball profile add %s --control URL adds it", name, name)
	}
	return nil, fmt.Errorf("%q is no profile; there are %s", name, strings.Join(names, ", "))
}

// target is the profile's deployment, without a token.
func (p *profile) target() (target, error) {
	t, err := urlTarget("control of profile "+p.Name, p.Control)
	t.profile, t.tenant = p.Name, p.Tenant
	if p.CA != "" {
		t.authorities = []authority{{"ca of profile " + p.Name, p.CA}}
	}
	return t, err
}

// validate checks a profile, and opens the files that it names.
func (p *profile) validate() error {
	if p.Name == noProfile || p.Name == "" || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fmt.Errorf("NAME: %q must be of letters, digits, -, _ and ., and not none", p.Name)
	}
	if p.Control == "" {
		return errors.New("--control: empty; the URL of the control API, such as https://flyball.example:7171")
	}
	var err error
	if p.Control, err = parseControlURL(p.Control); err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	for _, a := range p.ClickHouse.Addr {
		if _, _, err := net.SplitHostPort(a); err != nil || strings.Contains(a, "/") {
			return fmt.Errorf("--clickhouse: %q is not host:port of the HTTP interface", a)
		}
	}
	t, err := p.target()
	if err != nil {
		return err
	}
	if p.TokenFile != "" {
		if t.token, t.tokenFrom, err = readToken("--token-file", p.TokenFile); err != nil {
			return err
		}
		if err := t.checkToken(); err != nil {
			return err
		}
	}
	_, err = newControlClient(t)
	return err
}

// readableByOthers returns a sentence for each file with a secret that other users can read.
func (p *profile) readableByOthers() (out []string) {
	for _, f := range []struct{ key, file string }{{"--token-file", p.TokenFile}, {"--clickhouse-password-file", p.ClickHouse.PasswordFile}} {
		if info, err := os.Stat(f.file); err == nil && info.Mode().Perm()&0o077 != 0 {
			out = append(out, fmt.Sprintf("%s: other users can read %s (mode %#o); chmod 600 it", f.key, f.file, info.Mode().Perm()))
		}
	}
	return out
}

// makeAbsolute makes the paths of files independent of the working directory.
func (p *profile) makeAbsolute() error {
	for _, file := range []*string{&p.TokenFile, &p.CA, &p.ClickHouse.PasswordFile, &p.ClickHouse.CA} {
		if *file == "" {
			continue
		}
		abs, err := filepath.Abs(*file)
		if err != nil {
			return err
		}
		*file = abs
	}
	return nil
}

func profileCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "profile", Short: "Add, list and choose the deployments that commands talk to",
		Long: "Add, list and choose the deployments that commands talk to.\n\n" +
			"A command talks to the first of these that is given: --control URL; --profile NAME; the file of --config;\n" +
			"FLYBALL_PROFILE; the profile chosen by flyball profile use; flyball.yaml in the working directory.\n" +
			"Its token is the first of: --token-file FILE; the token file of --profile; FLYBALL_TOKEN; the token file of a profile\n" +
			"chosen otherwise."}
	cmd.AddCommand(profileAdd(o), profileList(o), profileUse(), profileRemove())
	return cmd
}

func profileAdd(o *options) *cobra.Command {
	var p profile
	var replace bool
	cmd := &cobra.Command{Use: "add NAME --control URL", Short: "Add a profile", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.Name, p.Control, p.TokenFile = args[0], o.controlURL, o.tokenFile
		if err := p.makeAbsolute(); err != nil {
			return err
		}
		if err := p.validate(); err != nil {
			return usage(err)
		}
		saved, err := loadProfiles()
		if err != nil {
			return usage(err)
		}
		i := slices.IndexFunc(saved.Profiles, func(q profile) bool { return q.Name == p.Name })
		switch {
		case i < 0:
			saved.Profiles = append(saved.Profiles, p)
		case !replace:
			return usage(fmt.Errorf("profile %s exists, for %s; --replace replaces it", p.Name, saved.Profiles[i].Control))
		default:
			saved.Profiles[i] = p
		}
		if err := saved.save(); err != nil {
			return err
		}
		for _, text := range p.readableByOthers() {
			_ = report.Printf(cmd.ErrOrStderr(), "warning: %s\n", text)
		}
		return report.Printf(cmd.OutOrStdout(), "profile %s: %s; flyball profile use %s makes it the one in use\n", p.Name, p.Control, p.Name)
	}
	f := cmd.Flags()
	f.StringVar(&p.CA, "ca", "", "file of certificates to trust beside those of the system")
	f.StringVar(&p.Tenant, "tenant", "", "tenant, for commands that read the database")
	f.StringSliceVar(&p.ClickHouse.Addr, "clickhouse", nil, "host:port of ClickHouse's HTTP interface, for commands that read the database")
	f.StringVar(&p.ClickHouse.Database, "clickhouse-database", "", "database (default flyball)")
	f.StringVar(&p.ClickHouse.User, "clickhouse-user", "", "user of ClickHouse")
	f.StringVar(&p.ClickHouse.PasswordFile, "clickhouse-password-file", "", "file with the password of the user")
	f.StringVar(&p.ClickHouse.CA, "clickhouse-ca", "", "file of certificates to trust; it turns on TLS")
	f.BoolVar(&replace, "replace", false, "replace a profile with the same name")
	return cmd
}

// profileLine is a row of `flyball profile list`.
type profileLine struct {
	profile
	Current bool `json:"current"`
}

func profileList(o *options) *cobra.Command {
	l := listing[profileLine]{columns: profileColumns, query: func(*request) ([]profileLine, error) {
		saved, err := loadProfiles()
		if err != nil {
			return nil, usage(err)
		}
		out := []profileLine{}
		for _, p := range saved.Profiles {
			out = append(out, profileLine{p, p.Name == saved.Current})
		}
		return out, nil
	}, empty: "No profiles; flyball profile add NAME --control URL adds one."}
	return &cobra.Command{Use: "list", Short: "List the profiles", Args: cobra.NoArgs, RunE: l.run(o)}
}

var profileColumns = []report.Column[profileLine]{
	{Head: "PROFILE", Cell: func(p *profileLine) any { return p.Name }},
	{Head: "IN USE", Cell: func(p *profileLine) any {
		if p.Current {
			return "yes"
		}
		return "-"
	}},
	{Head: "CONTROL", Cell: func(p *profileLine) any { return report.Word(p.Control) }},
	{Head: "TENANT?", Cell: func(p *profileLine) any { return report.Dash(p.Tenant) }},
	{Head: "TOKEN FILE??", Cell: func(p *profileLine) any { return report.Dash(p.TokenFile) }},
	{Head: "CLICKHOUSE??", Cell: func(p *profileLine) any { return report.Dash(strings.Join(p.ClickHouse.Addr, ",")) }},
}

func profileUse() *cobra.Command {
	cmd := &cobra.Command{Use: "use NAME", Args: cobra.ExactArgs(1),
		Short: "Choose the profile that commands use when nothing else is given; none for no profile"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		saved, err := loadProfiles()
		if err != nil {
			return usage(err)
		}
		line := "no profile is in use: commands talk to the deployment of the configuration file"
		saved.Current = ""
		if args[0] != noProfile {
			p, err := saved.find(args[0])
			if err != nil {
				return usage(err)
			}
			saved.Current, line = p.Name, fmt.Sprintf("profile %s is in use: %s", p.Name, p.Control)
		}
		if err := saved.save(); err != nil {
			return err
		}
		return report.Printf(cmd.OutOrStdout(), "%s\n", line)
	}
	return cmd
}

func profileRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove NAME", Short: "Remove a profile; its token file stays", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		saved, err := loadProfiles()
		if err != nil {
			return usage(err)
		}
		if _, err := saved.find(args[0]); err != nil {
			return usage(err)
		}
		saved.Profiles = slices.DeleteFunc(saved.Profiles, func(p profile) bool { return p.Name == args[0] })
		if saved.Current == args[0] {
			saved.Current = ""
		}
		if err := saved.save(); err != nil {
			return err
		}
		return report.Printf(cmd.OutOrStdout(), "profile %s removed\n", args[0])
	}
	return cmd
}
