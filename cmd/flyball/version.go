package main

import (
	"cmp"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// version, commit and date (RFC 3339, of the commit) are set by the linker. Without them, commit and date are those that Go has stamped.
var version, commit, date string

// versionLine is what `flyball version -o json` prints.
type versionLine struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Modified: the binary was built from other files than those of the commit.
	Modified bool   `json:"modified,omitempty"`
	Date     string `json:"date,omitempty"` // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// readVersion returns what is known about this binary.
func readVersion() versionLine {
	v := versionLine{Version: versionText(), Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok || commit != "" {
		return v
	}
	stamps := map[string]string{}
	for _, s := range info.Settings {
		stamps[s.Key] = s.Value
	}
	v.Commit, v.Modified = stamps["vcs.revision"], stamps["vcs.modified"] == "true"
	v.Date = cmp.Or(date, stamps["vcs.time"])
	return v
}

// shortCommit is how much of a commit people need.
const shortCommit = 12

// String is the line for people.
func (v versionLine) String() string {
	about := []string{}
	if v.Commit != "" {
		c := "commit " + v.Commit[:min(len(v.Commit), shortCommit)]
		if v.Modified {
			c += ", modified"
		}
		about = append(about, c)
	}
	if v.Date != "" {
		about = append(about, "of "+v.Date)
	}
	about = append(about, v.Go, v.Platform)
	return "flyball " + v.Version + " (" + strings.Join(about, ", ") + ")"
}

func versionCommand(o *options) *cobra.Command {
	a := answer[versionLine]{query: func(*request) (versionLine, error) { return readVersion(), nil },
		table: func(w io.Writer, v versionLine) error { return report.Printf(w, "%s\n", v.String()) }}
	return &cobra.Command{Use: "version", Short: "Print the version, its commit and date", Args: cobra.NoArgs, RunE: a.run(o)}
}
