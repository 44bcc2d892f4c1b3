package containers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"flyball/cmd/internal/config"
)

const deploy = "../../../../deploy"

// composeFile is what the tests read of a compose file.
type composeFile struct {
	Services map[string]service `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type service struct {
	Image       string            `yaml:"image"`
	Networks    []string          `yaml:"networks"`
	NetworkMode string            `yaml:"network_mode"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Secrets     []string          `yaml:"secrets"`
	Environment map[string]string `yaml:"environment"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Memory      string            `yaml:"mem_limit"`
	User        string            `yaml:"user"`
}

var composeFiles = []string{"alone.yaml", "compose.yaml"}

func readCompose(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "compose", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestComposeFileBreaksItsSpecification(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/compose-spec.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range composeFiles {
		var doc map[string]any
		readCompose(t, name, &doc)
		if err := schema.Validate(plain(doc)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// plain returns a document with the types that JSON has.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case uint64:
		return int(v)
	case int64:
		return int(v)
	}
	return v
}

func TestAgentReachesMoreThanTheGateway(t *testing.T) {
	var f composeFile
	readCompose(t, "compose.yaml", &f)
	if len(f.Services["flyball"].Networks) == 0 || len(f.Services["agent"].Networks) == 0 {
		t.Fatal("no networks of flyball or agent")
	}
	for name, s := range f.Services {
		shared := slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(f.Services["agent"].Networks, n) })
		if shared != (name == "agent" || name == "envoy") {
			t.Errorf("%s shares a network with the agent: %v", name, shared)
		}
		if s.NetworkMode != "" {
			t.Errorf("%s has network_mode %s: the network of the machine is no boundary", name, s.NetworkMode)
		}
	}
	for _, n := range f.Services["agent"].Networks {
		if !f.Networks[n].Internal {
			t.Errorf("network %s of the agent is not internal: the machine and other networks can be reached from it", n)
		}
	}
}

func TestPortIsPublishedToOtherMachines(t *testing.T) {
	for _, name := range composeFiles {
		var f composeFile
		readCompose(t, name, &f)
		for service, s := range f.Services {
			for _, p := range s.Ports {
				if !strings.HasPrefix(p, "127.0.0.1:") {
					t.Errorf("%s: %s publishes %s on every address", name, service, p)
				}
			}
		}
	}
}

func TestContainerHasRightsThatItDoesNotNeed(t *testing.T) {
	for _, name := range composeFiles {
		var f composeFile
		readCompose(t, name, &f)
		for service, s := range f.Services {
			own := !slices.Contains([]string{"kafka", "clickhouse", "grafana"}, service)
			if own && !s.ReadOnly {
				t.Errorf("%s: the root file system of %s can be written", name, service)
			}
			// ClickHouse's image begins as root, gives its folder to its user and becomes that user.
			if service != "clickhouse" && !slices.Contains(s.CapDrop, "ALL") {
				t.Errorf("%s: %s keeps capabilities", name, service)
			}
			if !slices.Contains(s.SecurityOpt, "no-new-privileges") {
				t.Errorf("%s: %s can get new rights", name, service)
			}
			if s.Memory == "" {
				t.Errorf("%s: %s has no limit of memory", name, service)
			}
		}
	}
}

func TestImageChangesBetweenTwoStarts(t *testing.T) {
	for _, name := range composeFiles {
		var f composeFile
		readCompose(t, name, &f)
		for service, s := range f.Services {
			// A default inside ${…} has its own colon; a version that must be given is one.
			tag := s.Image[strings.LastIndex(s.Image, ":")+1:]
			if tag = strings.TrimSuffix(tag, "}"); tag == s.Image || tag == "latest" || tag == "" {
				t.Errorf("%s: the image of %s, %s, has no version", name, service, s.Image)
			}
		}
	}
}

func TestSecretIsInAFileThatIsCommitted(t *testing.T) {
	ignored, err := os.ReadFile(filepath.Join(deploy, "compose", ".gitignore"))
	if err != nil || !strings.Contains(string(ignored), "generated/\n") {
		t.Fatalf("deploy/compose/.gitignore: %q, %v", ignored, err)
	}
	for _, name := range composeFiles {
		var f composeFile
		readCompose(t, name, &f)
		for secret, s := range f.Secrets {
			if !strings.HasPrefix(s.File, "./generated/") {
				t.Errorf("%s: secret %s is %s, not in ./generated", name, secret, s.File)
			}
		}
		for service, s := range f.Services {
			for k, v := range s.Environment {
				if (strings.Contains(k, "PASSWORD") || strings.Contains(k, "TOKEN")) && !strings.HasPrefix(v, "/run/secrets/") {
					t.Errorf("%s: %s has the secret %s in its environment", name, service, k)
				}
			}
			for _, secret := range s.Secrets {
				if _, ok := f.Secrets[secret]; !ok {
					t.Errorf("%s: %s uses %s, which the file does not name", name, service, secret)
				}
			}
		}
	}
}

// The files that a configuration names are those that its container gets.
func TestConfigurationOfAContainerNamesAFileThatIsNotThere(t *testing.T) {
	for compose, configuration := range map[string]string{"alone.yaml": "alone.yaml", "compose.yaml": "flyball.yaml"} {
		var f composeFile
		readCompose(t, compose, &f)
		c, err := config.Load(filepath.Join(deploy, "compose", "config", configuration), nil)
		if err != nil {
			t.Fatal(err)
		}
		files := []string{c.ClickHouse.PasswordFile, c.Control.TLS.Cert, c.Control.TLS.Key, c.Check.TokenFile}
		for _, token := range c.Control.Tokens {
			files = append(files, string(token.Value))
		}
		for _, file := range files {
			if file != "" && !slices.Contains(f.Services["flyball"].Secrets, strings.TrimPrefix(file, "/run/secrets/")) {
				t.Errorf("%s: flyball does not get %s", configuration, file)
			}
		}
		if c.Data != "/var/lib/flyball" {
			t.Errorf("%s: data is %s, the volume is /var/lib/flyball", configuration, c.Data)
		}
	}
}
