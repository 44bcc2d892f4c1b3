package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"flyball/cmd/internal/realparts"
)

const kubernetesFolder = "../../../deploy/kubernetes"

// manifest is what the tests read of an object of Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Data map[string]string
	Spec struct {
		Selector    any
		PodSelector selector `yaml:"podSelector"`
		PolicyTypes []string `yaml:"policyTypes"`
		Ingress     []struct {
			From []struct {
				NamespaceSelector selector `yaml:"namespaceSelector"`
			}
			Ports []struct{ Port any }
		}
		Ports []struct {
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []container
				Volumes    []struct {
					Name   string
					Secret struct {
						SecretName string `yaml:"secretName"`
					}
				}
			}
		}
	}
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type container struct {
	Args  []string
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
	Security struct {
		ReadOnly bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
}

// rendered are the objects that Kustomize makes of a folder.
func rendered(t *testing.T, folder string) (text []byte, objects []manifest) {
	t.Helper()
	text = realparts.Kustomize(t, filepath.Join(kubernetesFolder, folder))
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var m manifest
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return text, objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, m)
	}
}

func TestKubernetesRefusesAManifest(t *testing.T) {
	for _, folder := range []string{"roles", "single"} {
		t.Run(folder, func(t *testing.T) {
			text, _ := rendered(t, folder)
			file := filepath.Join(t.TempDir(), "rendered.yaml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			realparts.KubernetesValidate(t, file)
		})
	}
}

// Each role is given the secrets that its pod mounts and no others. It must accept the configuration that all roles share.
func TestRoleNeedsASecretThatItsPodDoesNotMount(t *testing.T) {
	for _, folder := range []string{"roles", "single"} {
		_, objects := rendered(t, folder)
		i := slices.IndexFunc(objects, func(m manifest) bool { return m.Kind == "ConfigMap" })
		if i < 0 {
			t.Fatalf("%s: no ConfigMap", folder)
		}
		for _, o := range objects {
			if len(o.Spec.Template.Spec.Containers) == 0 {
				continue
			}
			c := o.Spec.Template.Spec.Containers[0]
			role := c.Args[0]
			t.Run(folder+"/"+role, func(t *testing.T) {
				dir := t.TempDir()
				for _, m := range c.VolumeMounts {
					if strings.HasPrefix(m.MountPath, "/etc/flyball-") {
						writeSecrets(t, filepath.Join(dir, m.MountPath))
					}
				}
				text := strings.NewReplacer("/etc/flyball-", filepath.Join(dir, "etc/flyball-"), "/var/lib/flyball", filepath.Join(dir, "data")).
					Replace(objects[i].Data["flyball.yaml"])
				file := filepath.Join(dir, "flyball.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(binary, "check-config", "--role", role, "--config", file).CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if !c.Security.ReadOnly {
					t.Error("the root file system can be written")
				}
			})
		}
	}
}

// writeSecrets writes each file that a secret of the README has into dir, with new values.
func writeSecrets(t *testing.T, dir string) {
	t.Helper()
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	random := hex.EncodeToString(raw)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	switch name := filepath.Base(dir); name {
	case "flyball-tokens":
		if out, err := exec.Command(binary, "token", "--hash-to", filepath.Join(dir, "soc.hash")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	case "flyball-control-tls", "flyball-check-tls":
		a := &authority{t: t, dir: dir}
		a.issue("tls", nil)
	case "flyball-kafka", "flyball-clickhouse", "flyball-shipper":
		write("password", random)
		a := &authority{t: t, dir: dir}
		a.issue("ca", nil)
	case "flyball-check-token":
		write("token", random)
	case "flyball-key":
		write("secret.key", random)
	case "flyball-receivers":
		write("soc", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	default:
		t.Fatalf("no file is known of the secret %s", name)
	}
}

func TestServiceOrPolicyNamesAPortThatNobodyOpens(t *testing.T) {
	for _, folder := range []string{"roles", "single"} {
		_, objects := rendered(t, folder)
		named := map[string]int{}
		for _, o := range objects {
			for _, c := range o.Spec.Template.Spec.Containers {
				for _, p := range c.Ports {
					named[p.Name] = p.ContainerPort
				}
			}
		}
		want := map[string]int{"control": 7171, "check": 7172, "grpc": 7173, "metrics": 7174}
		if folder == "single" {
			want["kafka"] = 9092
		}
		if !maps.Equal(named, want) {
			t.Errorf("%s: ports %v, want %v", folder, named, want)
		}
		for _, o := range objects {
			for _, p := range o.Spec.Ports {
				if _, ok := named[p.TargetPort]; !ok {
					t.Errorf("%s: service %s: no container has the port %q", folder, o.Metadata.Name, p.TargetPort)
				}
			}
			for _, rule := range o.Spec.Ingress {
				for _, p := range rule.Ports {
					if name, ok := p.Port.(string); !ok || named[name] == 0 {
						t.Errorf("%s: policy %s: no container has the port %v", folder, o.Metadata.Name, p.Port)
					}
				}
			}
		}
	}
}

// A pod of a namespace without the label of a gateway, an operator, a shipper or a monitor reaches no port, and a gateway reaches the
// check alone.
func TestPodOfAnAgentReachesTheControlAPI(t *testing.T) {
	for folder, want := range map[string]map[string][]string{
		"roles":  {"gateways": {"check", "grpc"}, "operators": {"control"}, "monitoring": {"metrics"}},
		"single": {"gateways": {"check", "grpc"}, "operators": {"control"}, "monitoring": {"metrics"}, "shippers": {"kafka"}},
	} {
		_, objects := rendered(t, folder)
		closed := false
		got := map[string][]string{}
		for _, o := range objects {
			if o.Kind != "NetworkPolicy" {
				continue
			}
			if slices.Contains(o.Spec.PolicyTypes, "Ingress") && len(o.Spec.Ingress) == 0 {
				closed = closed || maps.Equal(o.Spec.PodSelector.MatchLabels,
					map[string]string{"app.kubernetes.io/name": "flyball", "app.kubernetes.io/part-of": "flyball"}) ||
					maps.Equal(o.Spec.PodSelector.MatchLabels, map[string]string{"app.kubernetes.io/name": "flyball"})
			}
			for _, rule := range o.Spec.Ingress {
				if len(rule.From) == 0 {
					t.Errorf("%s: policy %s lets everybody in", folder, o.Metadata.Name)
				}
				for _, from := range rule.From {
					if len(from.NamespaceSelector.MatchLabels) != 1 {
						t.Errorf("%s: policy %s does not select one label of a namespace: %v", folder, o.Metadata.Name, from.NamespaceSelector)
					}
					for label, value := range from.NamespaceSelector.MatchLabels {
						who, ours := strings.CutPrefix(label, "flyball/")
						if !ours || value != "yes" {
							t.Errorf("%s: policy %s lets in %s=%s", folder, o.Metadata.Name, label, value)
						}
						for _, p := range rule.Ports {
							got[who] = append(got[who], fmt.Sprint(p.Port))
						}
					}
				}
			}
		}
		if !closed {
			t.Errorf("%s: no policy closes every pod", folder)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: let in %v, want %v", folder, got, want)
		}
		for _, o := range objects {
			if len(o.Spec.Template.Spec.Containers) > 0 && o.Spec.Template.Metadata.Labels["app.kubernetes.io/name"] != "flyball" {
				t.Errorf("%s: the policies do not select the pods of %s", folder, o.Metadata.Name)
			}
		}
	}
}

// The rules of Kubernetes are those of alerts/rules, which promtool tests.
func TestPrometheusOperatorLoadsOtherRules(t *testing.T) {
	var rules struct{ Groups any }
	var object struct{ Spec struct{ Groups any } }
	for file, into := range map[string]any{"../../../alerts/rules/flyball.yaml": &rules,
		filepath.Join(kubernetesFolder, "monitoring/rules.yaml"): &object} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	if rules.Groups == nil || !reflect.DeepEqual(rules.Groups, object.Spec.Groups) {
		t.Error("deploy/kubernetes/monitoring/rules.yaml differs from alerts/rules/flyball.yaml: make kubernetes-rules")
	}
	realparts.Kustomize(t, filepath.Join(kubernetesFolder, "monitoring"))
}
