package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/cmd/internal/archive"
)

// Manifest says what an archive is about and contains.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`

	Question   Question `json:"question"`
	Deployment string   `json:"deployment,omitempty"` // id; absent: not known
	Tenant     string   `json:"tenant"`
	Program    string   `json:"program"` // version of Flyball
	Schema     int      `json:"schema"`  // version of the tables
	// Complete: nothing is known to be missing. Otherwise Missing has a sentence for each reason.
	Complete bool     `json:"complete"`
	Missing  []string `json:"missing"`
	Notes    []string `json:"notes"` // what is in no archive
	Files    []File   `json:"files"`
	// Content is the SHA-256 over format, question, deployment, tenant and files: the same for two archives of the same rows.
	Content string `json:"content_sha256"`

	Made Made `json:"made"`
	// Digest is the SHA-256 of the manifest with an empty digest.
	Digest string `json:"digest"`
}

// Question is what an archive was made for.
type Question struct {
	Kind string `json:"kind"` // run, finding
	ID   string `json:"id"`
	Run  string `json:"run"` // id of the run that the archive is about
}

// File is one file of an archive.
type File struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	Records int64  `json:"records"`
	SHA256  string `json:"sha256"`
}

// Made is when and by whom an archive was made. Nothing else differs between two archives of the same rows.
type Made struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
	// AsOf is the time up to which all records in Kafka were stored; absent: there were unread ones, or it is not known.
	AsOf *time.Time `json:"as_of,omitempty"`
}

// seal sets the digests.
func (m *Manifest) seal() {
	if m.Missing == nil {
		m.Missing = []string{}
	}
	m.Content, m.Digest = m.content(), ""
	m.Digest = m.own()
}

// content returns the digest of what the archive contains.
func (m *Manifest) content() string {
	return digestOf(&Manifest{Format: m.Format, Version: m.Version, Question: m.Question, Deployment: m.Deployment, Tenant: m.Tenant,
		Files: m.Files})
}

// own returns the digest of the manifest.
func (m *Manifest) own() string {
	c := *m
	c.Digest = ""
	return digestOf(&c)
}

// sums returns the digests of all files in the form of sha256sum. own is that of the manifest.
func (m *Manifest) sums(own string) string {
	var b strings.Builder
	for _, f := range m.Files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.Name)
	}
	fmt.Fprintf(&b, "%s  %s\n", own, manifestName)
	return b.String()
}

func digestOf(m *Manifest) string {
	b, err := m.encode()
	if err != nil {
		return ""
	}
	sum := archive.NewSum()
	_, _ = sum.Write(b)
	return sum.Hex()
}

func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(m)
	return b.Bytes(), err
}

// parseManifest reads a manifest. Only the bytes that a manifest has are accepted: no further member, and no other order.
func parseManifest(b []byte) (*Manifest, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("%s: format %q, want %q: this is no archive of flyball evidence", manifestName, head.Format, Format)
	}
	if head.Version < 1 || head.Version > Version {
		return nil, fmt.Errorf("%s: version %d of the format, this binary knows %d: use a newer one", manifestName, head.Version, Version)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	again, err := m.encode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%s: was changed: it has members, an order or a form that no manifest has", manifestName)
	}
	names := map[string]bool{}
	for _, f := range m.Files {
		if err := checkName(f.Name); err != nil || names[f.Name] || f.Size < 0 || slices.Contains(listedNowhere, f.Name) {
			return nil, fmt.Errorf("%s: file %q is listed twice, or has a name or size that no file has", manifestName, f.Name)
		}
		names[f.Name] = true
	}
	return &m, nil
}

// listedNowhere are the files of an archive that its manifest does not list.
var listedNowhere = []string{manifestName, sumsName}
