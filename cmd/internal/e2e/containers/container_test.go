package containers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
	"flyball/cmd/internal/tiers"
)

// engineImage is the image that `make image` built, of flyball-engine; the test is skipped without it.
const engineImage = "FLYBALL_TEST_IMAGE"

// container is a running container of the image.
type container struct {
	t    *testing.T
	name string
}

func podman(args ...string) (string, error) {
	out, err := exec.Command("podman", args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("podman %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

func (c *container) exec(args ...string) (string, error) {
	return podman(append([]string{"exec", c.name, "flyball", "--config", "/etc/flyball/flyball.yaml"}, args...)...)
}

// start starts the image as alone.yaml does: all that it may write to is one volume.
func start(t *testing.T, image string) *container {
	t.Helper()
	dir := t.TempDir()
	port := func() int { return realparts.FreePort(t) }
	text := fmt.Sprintf("kafka: {listen: '127.0.0.1:%d'}\nclickhouse: {listen: '127.0.0.1:%d'}\ncontrol: {listen: '127.0.0.1:%d'}\n"+
		"check: {listen: '127.0.0.1:%d', grpc: '127.0.0.1:%d'}\nmetrics: {listen: '127.0.0.1:%d'}\n",
		port(), port(), port(), port(), port(), port())
	record := `{"start_time":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","method":"GET","path":"/v1/orders/1","authority":"api",` +
		`"response_code":200,"duration":3,"x_agent_id":"sample/one","x_agent_run_id":"run-in-a-container"}` + "\n"
	for name, content := range map[string]string{"flyball.yaml": text, "access.jsonl": record} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &container{t, fmt.Sprintf("flyball-test-%d", os.Getpid())}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := podman("logs", c.name)
			t.Log(out)
		}
		_, _ = podman("rm", "--force", "--volumes", "--time", "20", c.name)
	})
	if _, err := podman("run", "--detach", "--name", c.name, "--network", "host", "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--volume", dir+":/etc/flyball:ro", image,
		"up", "--config", "/etc/flyball/flyball.yaml"); err != nil {
		t.Fatal(err)
	}
	return c
}

// until tries again until the command says what is wanted; it fails after a minute.
func (c *container) until(want string, args ...string) {
	c.t.Helper()
	var out string
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if out, err = c.exec(args...); err == nil && strings.Contains(out, want) {
			return
		}
	}
	c.t.Fatalf("%q is not in the answer: %v\n%s", want, err, out)
}

func TestContainerLosesARecordOrNeedsMoreThanItsVolume(t *testing.T) {
	image := os.Getenv(engineImage)
	_, err := exec.LookPath("podman")
	if image == "" && err == nil {
		err = errors.New(engineImage + " is not set: make image, then set it to flyball-engine:VERSION")
	}
	if err != nil {
		tiers.Skipped("container", err) // never mandatory: CI builds no image
		t.Skip(err)
	}
	tiers.Ran("container")
	c := start(t, image)
	c.until("ready: ", "healthcheck")
	if out, err := podman("inspect", "--format", "{{json .Config}}", c.name); err != nil {
		t.Fatal(err)
	} else {
		var config struct {
			User        string
			Labels      map[string]string
			Healthcheck struct{ Test []string }
		}
		if err := json.Unmarshal([]byte(out), &config); err != nil {
			t.Fatal(err)
		}
		if config.User != "65532:65532" || config.Labels["org.opencontainers.image.version"] == "" || len(config.Healthcheck.Test) != 3 {
			t.Errorf("%+v", config)
		}
	}
	if _, err := c.exec("replay", "--topic", "gateway-logs", "/etc/flyball/access.jsonl"); err != nil {
		t.Fatal(err)
	}
	c.until("run-in-a-container", "runs", "-o", "json")
	if _, err := podman("stop", "--time", "30", c.name); err != nil {
		t.Fatal(err)
	}
	if out, err := podman("inspect", "--format", "{{.State.ExitCode}}", c.name); err != nil || strings.TrimSpace(out) != "0" {
		t.Errorf("exit status %s, %v", out, err)
	}
}
