package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
)

// rereading puts other values of the configuration file in force while the process runs: those of the keys of which the reference says
// that they are read again. A file with a mistake anywhere changes nothing. The other keys keep the values of the start.
type rereading struct {
	roles   []string
	running config.Config // in force
	parts   []rereadPart
	state   *fileState
	log     *slog.Logger

	paths  []string // files that were read at the start
	stamps []fileStamp
}

// rereadPart is a part that uses keys that are read again.
type rereadPart struct {
	key     string
	prepare func(next config.Config) (change, error)
}

// change is what a part has prepared. One of the functions is called.
type change struct {
	apply   func() // puts it in force
	abandon func() // nil: there is nothing to do
}

// add registers a function that prepares what a part uses from a changed configuration. It changes nothing in force itself. Parts are
// prepared in the order of their registration.
func (r *rereading) add(key string, prepare func(next config.Config) (change, error)) {
	r.parts = append(r.parts, rereadPart{key, prepare})
}

// watch reads the configuration file again when it, or a file that it names, changes.
func (r *rereading) watch(files *secretFiles, reg prometheus.Registerer) {
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "flyball_config_unusable", Help: "Values of the configuration whose files have " +
			"changed and cannot be used; the values before stay in force."}, files.unusable),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "flyball_config_restart_keys", Help: "Keys of the configuration file that have " +
			"changed and are not in force before a restart."}, func() float64 {
			changed, _ := r.state.state()
			return float64(len(changed))
		}))
	if r.running.File == "" {
		return
	}
	w := &watch{key: "configuration", paths: r.paths, stamps: r.stamps, reported: true}
	w.apply = func() error {
		paths, stamps, err := r.reread()
		if err == nil {
			w.paths, w.stamps = paths, stamps
		}
		return err
	}
	files.add(w)
}

func newRereading(c config.Config, roles []string, state *fileState, log *slog.Logger) *rereading {
	r := &rereading{roles: roles, running: c, state: state, log: log, paths: rereadPaths(c)}
	r.stamps = readStamps(r.paths)
	return r
}

// reread puts the file in force as far as a running process can, and returns the files that were read with their stamps. An error
// changes nothing.
func (r *rereading) reread() (paths []string, stamps []fileStamp, err error) {
	before := readStamp(r.running.File)
	next, err := config.Load(r.running.File, os.Environ())
	next.Data = r.running.Data // set by a flag as well
	next = next.ForRoles(r.roles...)
	if err != nil {
		err = withoutSource(err)
	} else {
		// The stamps are older than the values: a change in between is noticed.
		paths = rereadPaths(next)
		stamps = readStamps(paths)
		if i := slices.Index(paths, r.running.File); i >= 0 {
			stamps[i] = before
		}
		if err = Validate(next, r.roles...); err == nil {
			err = r.put(next)
		}
	}
	if err != nil {
		r.state.setUnusable(err)
	}
	return paths, stamps, err
}

// put puts the keys of next that are read again in force, all or none, and logs what has changed.
func (r *rereading) put(next config.Config) error {
	merged := withReread(r.running, next)
	changed := changedKeys(r.running, next)
	restart := slices.DeleteFunc(slices.Clone(changed), config.IsReread)
	if len(restart) > 0 {
		// Together with the values of the start that stay in force, the new ones may be wrong: an input without its mapping.
		if err := Validate(merged, r.roles...); err != nil {
			return fmt.Errorf("with the values of the start, which stay in force for %s: %w; restart the process", strings.Join(restart, ", "), err)
		}
	}
	var prepared []change
	abandon := func() {
		for _, c := range prepared {
			if c.abandon != nil {
				c.abandon()
			}
		}
	}
	for _, part := range r.parts {
		c, err := part.prepare(merged)
		if err != nil {
			abandon()
			return fmt.Errorf("%s: %w", part.key, err)
		}
		prepared = append(prepared, c)
	}
	for _, c := range prepared {
		c.apply()
	}
	r.running = merged
	r.state.setChanged(restart)
	inForce := slices.DeleteFunc(changed, func(key string) bool { return !config.IsReread(key) })
	r.log.Info("configuration read again, with the files that it names", "file", next.File, "in_force", strings.Join(inForce, ", "))
	if len(restart) > 0 {
		r.log.Warn("the configuration has changed beyond what is read again: the rest takes effect at the next start", "file", next.File,
			"changed", strings.Join(restart, ", "))
	}
	return nil
}

// withReread returns a configuration with the keys of another one that are read again. It sets each key of which config.IsReread is
// true; a test compares both.
func withReread(c, next config.Config) config.Config {
	c.Agents, c.Routes, c.Mappings = next.Agents, next.Routes, next.Mappings
	c.Alerts.Receivers, c.Alerts.Routes, c.Alerts.RemindAfter = next.Alerts.Receivers, next.Alerts.Routes, next.Alerts.RemindAfter
	return c
}

// rereadPaths returns the files that are read with the configuration, and the file itself.
func rereadPaths(c config.Config) []string {
	out := append([]string{c.File, c.Kafka.SchemaRegistry.PasswordFile}, tlsFiles(c.Kafka.SchemaRegistry.TLS)...)
	out = append(out, c.Mappings...)
	for _, r := range c.Routes {
		out = append(out, r.OpenAPI)
	}
	for _, r := range c.Alerts.Receivers {
		out = append(out, receiverFiles(r)...)
		if r.Email != nil {
			out = append(out, r.Email.CAFile)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(path string) bool { return path == "" })
}

// withoutSource returns the first line of an error. The lines after it show the file around a mistake,
// and may contain a secret; the error is logged and served.
func withoutSource(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}
