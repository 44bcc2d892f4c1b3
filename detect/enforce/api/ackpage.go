package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/wording"
)

// AckLink returns a signed link through which a person acknowledges one incident without a token, until a time in Unix ns. It is that of
// one notification, and works once whichever receiver it was sent to. It is empty without a key or a base address.
func AckLink(key schema.Secret, base, tenant, incident, notification string, until int64) string {
	if key == "" || base == "" {
		return ""
	}
	q := url.Values{"tenant": {tenant}, "for": {notification}, "until": {strconv.FormatInt(until, 10)},
		"sig": {ackSignature(key, tenant, incident, notification, until)}}
	return strings.TrimSuffix(base, "/") + "/v1/incidents/" + url.PathEscape(incident) + "/page?" + q.Encode()
}

func ackSignature(key schema.Secret, tenant, incident, notification string, until int64) string {
	return signLink(key, ackPurpose, aboutAck(tenant, incident, notification, until))
}

// aboutAck is what the signature of a link to an incident covers.
func aboutAck(fields ...any) string {
	var b strings.Builder
	for _, f := range fields {
		text := fmt.Sprint(f)
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	return b.String()
}

// ackPage shows one incident to a person, and receives the acknowledgement.
type ackPage struct{ *pages }

// ackLink is a link that is signed by this deployment and has not expired.
type ackLink struct {
	tenant   string
	order    schema.AckOrder
	incident *IncidentLine // nil: it is not open, or not known here
}

// linked returns the incident of a link. An error comes with the status of the response.
func (p *ackPage) linked(r *http.Request) (*ackLink, int, error) {
	id, query := r.PathValue("id"), r.URL.Query()
	l := &ackLink{tenant: query.Get("tenant"), order: schema.AckOrder{Incident: id, Link: query.Get("for")}}
	var err error
	l.order.LinkUntil, err = strconv.ParseInt(query.Get("until"), 10, 64)
	if err != nil || l.order.Link == "" {
		return nil, http.StatusForbidden, errNotSigned
	}
	replaced, err := p.signer(query.Get("sig"), ackPurpose, aboutAck(l.tenant, id, l.order.Link, l.order.LinkUntil))
	if err == nil {
		err = madeBefore(replaced, time.Unix(0, l.order.LinkUntil).Add(-schema.AckLinkLife))
	}
	if err != nil {
		return nil, http.StatusForbidden, err
	}
	if p.o.Now().UnixNano() >= l.order.LinkUntil {
		return nil, http.StatusGone, errors.New("this link has expired; use flyball alert ack, or the link of a later notification")
	}
	v := p.o.State.Acquire()
	used := v.Notices.LinkUsed(l.order.Link)
	v.Release()
	if used {
		return nil, http.StatusGone, errors.New("this link was used before; flyball alert show " + id +
			" shows whether the incident is acknowledged, and by whom")
	}
	lines, rejected := p.read(func(i Incidents) ([]IncidentLine, error) { return i.Find(l.tenant, id) })
	switch away := rejected != nil || p.o.Incidents == nil; {
	case away && !replaced.IsZero(): // whoever has the former key may have set the times in the link
		return nil, http.StatusServiceUnavailable, errors.New("this link was signed with a key of the deployment that was replaced since, and " +
			"when the incident was opened is not known here: use flyball alert ack " + id)
	case away: // the acknowledgement is taken nevertheless
		return l, http.StatusOK, nil
	case len(lines) != 1:
		return nil, http.StatusGone, errors.New("this incident is not open any more")
	}
	l.incident = &lines[0]
	if replaced.IsZero() {
		return l, http.StatusOK, nil
	}
	opened, err := time.Parse(time.RFC3339Nano, l.incident.Opened)
	if err != nil {
		err = errors.New("this link was signed with a key of the deployment that was replaced since, and the time when the incident was opened " +
			"cannot be read: use flyball alert ack " + id)
	} else {
		err = madeBefore(replaced, opened)
	}
	if err != nil {
		return nil, http.StatusForbidden, err
	}
	return l, http.StatusOK, nil
}

// show shows the incident and changes nothing, because programs also follow links.
func (p *ackPage) show(w http.ResponseWriter, r *http.Request) {
	l, status, err := p.linked(r)
	var who *caller
	if err == nil {
		var ended bool
		if who, ended = p.viewer(w, r, l.tenant); ended {
			return
		}
	}
	p.render(w, status, l, err, false, who)
}

// decide acknowledges the incident.
func (p *ackPage) decide(w http.ResponseWriter, r *http.Request) {
	l, status, err := p.linked(r)
	if err != nil {
		p.render(w, status, nil, err, false, nil)
		return
	}
	who, ended := p.decider(w, r, l.tenant)
	if ended {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.render(w, http.StatusBadRequest, l, errors.New("the form cannot be read"), false, who)
		return
	}
	form := AckRequest{Why: r.PostForm.Get("why"), By: r.PostForm.Get("by")}
	body, err := json.Marshal(form)
	if err == nil {
		err = p.bodies.validate(r.Context(), "acknowledgeIncident", body)
	}
	if err == nil && who == nil && strings.TrimSpace(form.By) == "" {
		err = errors.New("by: empty; write your name")
	}
	if err != nil {
		p.render(w, http.StatusBadRequest, l, err, false, who)
		return
	}
	by := linkedCaller(who)
	command := schema.Command{ID: point.NewCommandID("o_"), Kind: schema.CommandAck, Tenant: l.tenant, Role: string(by.role),
		By: by.auditName(form.By), Reason: form.Why, Ack: &l.order}
	if err := p.o.State.Supports(command.Kind); err != nil {
		p.render(w, http.StatusConflict, l, err, false, who)
		return
	}
	switch result, err := p.o.Log.Submit(r.Context(), command); {
	case err != nil:
		p.render(w, http.StatusServiceUnavailable, l, err, false, who)
	case result.Code != enforce.Acknowledged:
		p.render(w, http.StatusGone, nil, fmt.Errorf("this link does not work any more: %s", result.Code), false, who)
	default:
		p.render(w, http.StatusOK, l, nil, true, who)
	}
}

func (p *ackPage) render(w http.ResponseWriter, status int, l *ackLink, err error, done bool, who *caller) {
	in := struct {
		Error    error
		Done     bool
		Open     bool
		ID       string
		Incident *IncidentLine
		Summary  string
		Agent    string
		Family   string
		Findings string
		Runs     string
		Person   string // who has signed in
	}{Error: err, Done: done, Person: personName(who)}
	if l != nil {
		in.ID, in.Incident, in.Open = l.order.Incident, l.incident, !done
	}
	if in.Incident != nil {
		in.Summary, in.Agent = schema.Visible(in.Incident.Summary), schema.Visible(in.Incident.Agent)
		in.Family = schema.Visible(in.Incident.Family)
		in.Findings, in.Runs = wording.Count(in.Incident.Findings, "finding"), wording.Count(in.Incident.Runs, "run")
	}
	p.write(w, status, incidentTemplate, in)
}

var incidentTemplate = pageTemplate("an incident", "acknowledge an incident", `{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
{{if .Done}}<p class="done" role="status">Acknowledged. You are not notified of it again unless it becomes worse.</p>{{end}}
{{with .ID}}<h1>{{if $.Incident}}{{$.Summary}}{{else}}Incident {{.}}{{end}}</h1>{{end}}
{{with .Incident}}
<dl>
<dt>Incident</dt><dd>{{.ID}}</dd>
<dt>Level</dt><dd>{{.Level}}{{if .Denied}}, calls are denied{{else}}, calls are not denied{{end}}</dd>
<dt>Family</dt><dd>{{$.Family}}</dd>
{{with $.Agent}}<dt>Agent</dt><dd>{{.}}</dd>{{end}}
<dt>Open since</dt><dd>{{.Opened}}, {{$.Findings}} in {{$.Runs}}</dd>
{{with .AcknowledgedBy}}<dt>Acknowledged</dt><dd>by {{.}} at {{$.Incident.AcknowledgedAt}}</dd>{{end}}
<dt>More</dt><dd><code>flyball alert show {{.ID}}</code></dd>
</dl>
{{end}}
{{if .Open}}
<form method="post">
`+personField+`<p><label>Why<br><textarea name="why" required maxlength="1000" rows="2">I take it on</textarea></label></p>
<button>Acknowledge</button>
</form>
{{end}}
`)
