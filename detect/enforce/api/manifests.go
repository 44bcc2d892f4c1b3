package api

import (
	"net/http"

	"flyball/detect/enforce"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// manifests holds the operations on manifests in force.
type manifests struct{ *server }

func (m *manifests) operations() []operation {
	return []operation{
		list("/v1/manifests", "manifests", "Manifests in force", []ManifestLine{}, func(*exchange) any { return m.lines() }),
		withBody(operation{method: http.MethodPut, path: "/v1/manifests", id: "putManifest", role: Admin, answer: ChangeResult{},
			problems: []int{409, 422},
			summary:  "Put a manifest in force; a manifest with an error is refused and the present one stays in force"}, m.put),
		withBody(operation{path: "/v1/manifests/drop", id: "dropManifest", role: Admin, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "Remove a manifest"}, m.drop),
	}
}

// ManifestLine is a line of /v1/manifests.
type ManifestLine struct {
	schema.Manifest
	Tenant string `json:"tenant"`
	Since  string `json:"since"`
	Owner  string `json:"owner,omitempty"`
}

func (m *manifests) lines() []ManifestLine {
	v := m.o.State.Acquire()
	all := v.Manifests.List(m.o.Tenant)
	v.Release()
	out := make([]ManifestLine, 0, len(all))
	for _, x := range all {
		line := ManifestLine{Manifest: x, Tenant: m.o.Tenant, Since: timestamp(x.At)}
		if parsed, err := manifest.Parse([]byte(x.Text)); err == nil {
			line.Owner = parsed.Document.Owner
		}
		out = append(out, line)
	}
	return out
}

func (m *manifests) put(x *exchange, in *PutManifestRequest) {
	parsed, err := manifest.Parse([]byte(in.Text))
	if err != nil {
		x.refuse(&refusal{http.StatusUnprocessableEntity, "manifest", err})
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandManifest, By: x.by(in.By), Reason: in.Reason,
		Manifest: &schema.Manifest{Agent: parsed.Document.Agent, Text: in.Text}}, success: enforce.InForce,
		statuses: map[enforce.ResultCode]int{enforce.Rejected: http.StatusUnprocessableEntity}, met: m.metManifest(parsed.Document.Agent)})
}

func (m *manifests) drop(x *exchange, in *DropManifestRequest) {
	x.submit(change{command: schema.Command{Kind: schema.CommandManifestDrop, By: x.by(in.By), Reason: in.Reason,
		Manifest: &schema.Manifest{Agent: in.Agent}}, success: enforce.ManifestDropped,
		statuses: map[enforce.ResultCode]int{enforce.NoSuchManifest: http.StatusNotFound}, met: m.metManifest(in.Agent)})
}
