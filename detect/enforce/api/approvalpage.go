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

// ApprovalLink returns a signed link through which a person decides one question without a token,
// until a time in Unix ns. It works once. It is empty without a key or a base address.
func ApprovalLink(key schema.Secret, base, id string, until int64) string {
	if key == "" || base == "" {
		return ""
	}
	return fmt.Sprintf("%s/v1/grants/%s/page?until=%d&sig=%s", strings.TrimSuffix(base, "/"), url.PathEscape(id), until,
		linkSignature(key, id, until))
}

func linkSignature(key schema.Secret, id string, until int64) string {
	return signLink(key, approvalPurpose, aboutApproval(id, until))
}

// aboutApproval is what the signature of a link to a question covers.
func aboutApproval(id string, until int64) string { return id + "\x00" + strconv.FormatInt(until, 10) }

// approvalPage shows one question to a person, and receives the decision.
type approvalPage struct{ *pages }

// linked returns the question of a link, which must be signed by this deployment and not expired. An error comes with the status of the
// response.
func (p *approvalPage) linked(r *http.Request) (*schema.Gate, int, error) {
	id, query := r.PathValue("id"), r.URL.Query()
	until, err := strconv.ParseInt(query.Get("until"), 10, 64)
	if err != nil {
		return nil, http.StatusForbidden, errNotSigned
	}
	replaced, err := p.signer(query.Get("sig"), approvalPurpose, aboutApproval(id, until))
	if err != nil {
		return nil, http.StatusForbidden, err
	}
	g := p.gate(id)
	if g != nil {
		if err := madeBefore(replaced, time.Unix(0, g.AskedAt)); err != nil {
			return nil, http.StatusForbidden, err
		}
	}
	switch {
	case p.o.Now().UnixNano() >= until:
		if p.o.wantsSignIn() {
			g = nil // it is shown to whom the sign-in admits
		}
		return g, http.StatusGone, errors.New("this link has expired; use flyball breakers grant, or the link of a later page")
	case g == nil:
		return nil, http.StatusGone, errors.New("this question is already decided or has expired")
	}
	return g, http.StatusOK, nil
}

// show shows the question and changes nothing, because programs also follow links.
func (p *approvalPage) show(w http.ResponseWriter, r *http.Request) {
	g, status, err := p.linked(r)
	var who *caller
	if err == nil {
		var ended bool
		if who, ended = p.viewer(w, r, g.Tenant); ended {
			return
		}
	}
	p.render(w, status, g, err, "", who)
}

// decide applies the decision in the form.
func (p *approvalPage) decide(w http.ResponseWriter, r *http.Request) {
	g, status, err := p.linked(r)
	if err != nil {
		p.render(w, status, g, err, "", nil)
		return
	}
	who, ended := p.decider(w, r, g.Tenant)
	if ended {
		return
	}
	command, want, err := p.readForm(w, r, g, who)
	if err != nil {
		p.render(w, http.StatusBadRequest, g, err, "", who)
		return
	}
	result, err := p.o.Log.Submit(r.Context(), command)
	switch {
	case err != nil:
		p.render(w, http.StatusServiceUnavailable, g, err, "", who)
	case result.Code != want:
		p.render(w, http.StatusConflict, p.gate(g.ID), fmt.Errorf("this question is already decided or has expired: %s", result.Code), "",
			who)
	default:
		p.render(w, http.StatusOK, p.gate(g.ID), nil, string(result.Code), who)
	}
}

// readForm returns the command of the form, and the result that means success. who has signed in; nil: pages want no sign-in, and the
// form names the person.
func (p *approvalPage) readForm(w http.ResponseWriter, r *http.Request, g *schema.Gate, who *caller) (schema.Command, enforce.ResultCode,
	error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return schema.Command{}, "", errors.New("the form cannot be read")
	}
	kind, want := schema.CommandGrant, enforce.ApprovalGranted
	switch r.PostForm.Get("answer") {
	case "grant":
	case "refuse":
		kind, want = schema.CommandRefuse, enforce.ApprovalRefused
	default:
		return schema.Command{}, "", errors.New("the answer is grant or refuse")
	}
	form := RefuseRequest{Reason: r.PostForm.Get("reason"), By: r.PostForm.Get("by")}
	text, err := json.Marshal(form)
	if err == nil {
		err = p.bodies.validate(r.Context(), "refuse", text)
	}
	if err != nil {
		return schema.Command{}, "", err
	}
	if kind == schema.CommandGrant {
		names := []string{form.By}
		if who != nil {
			names = append(names, who.names()...)
		}
		err := ownApproval(g, names...)
		if err == nil && who != nil {
			err = who.comparable(g.PrincipalID)
		}
		if err != nil {
			return schema.Command{}, "", err
		}
	}
	by := linkedCaller(who)
	return schema.Command{ID: point.NewCommandID("o_"), Kind: kind, Tenant: g.Tenant, Role: string(by.role), By: by.auditName(form.By),
		Reason: form.Reason, Gate: &schema.Gate{ID: g.ID}}, want, nil
}

func (p *approvalPage) render(w http.ResponseWriter, status int, g *schema.Gate, err error, outcome string, who *caller) {
	in := struct {
		Gate    *schema.Gate
		Error   error
		Outcome string
		Asked   string
		Until   string
		Open    bool
		// Of the question, for people.
		Call, About, Holder, Why string
		Command                  string // that shows what its run has touched
		Person                   string // who has signed in
	}{Gate: g, Error: err, Outcome: outcome, Person: personName(who)}
	if g != nil {
		run := g.RunKey
		if run == "" {
			run = g.RunID.String()
		}
		in.Command = "flyball touched " + wording.ShellWord(run)
		g = visibleGate(g)
		in.Gate = g
		in.Call, in.About, in.Holder = schema.Visible(g.Call()), schema.Visible(g.About()), schema.Visible(g.Caller())
		in.Why = wording.Reason(g.Why)
		in.Asked, in.Until = time.Unix(0, g.AskedAt).UTC().Format(time.RFC1123), time.Unix(0, g.Expires).UTC().Format(time.RFC1123)
		in.Open = g.State == schema.GatePending && err == nil
	}
	p.write(w, status, gateTemplate, in)
}

// visibleGate returns a gate for the page, with the characters escaped that HTML does not
// show: a call that reads differently from what it is must not be approved.
func visibleGate(g *schema.Gate) *schema.Gate {
	v := *g
	for _, s := range []*string{&v.AgentID, &v.CredentialID, &v.PrincipalID, &v.RunKey, &v.Route, &v.Amount, &v.Currency, &v.By,
		&v.Reason} {
		*s = schema.Visible(*s)
	}
	return &v
}

var gateTemplate = pageTemplate("a question", "a call waits for a yes", `{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
{{with .Outcome}}<p class="done" role="status">Done: {{.}}.</p>{{end}}
{{with .Gate}}
<h1>{{if .AgentID}}{{.AgentID}}{{else}}A caller without a name{{end}} wants to call {{$.Call}}</h1>
<dl>
{{with $.About}}<dt>What it is about</dt><dd>{{.}}</dd>{{end}}
{{with .Amount}}<dt>Amount</dt><dd>{{.}} {{$.Gate.Currency}}</dd>{{end}}
<dt>Why it was held</dt><dd>{{$.Why}} <small>({{.Why}})</small></dd>
<dt>Who asks</dt><dd>{{$.Holder}}{{with .CredentialID}}, credential {{.}}{{end}}</dd>
<dt>Route</dt><dd>{{.Route}}</dd>
{{with .PrincipalID}}<dt>On behalf of</dt><dd>{{.}}</dd>{{end}}
<dt>What its run has done so far</dt><dd>{{.SoFar.Calls}} calls passed here, {{.SoFar.Irreversible}} of them irreversible.
Everything it touched: <code>{{$.Command}}</code></dd>
<dt>Asked</dt><dd>{{$.Asked}}; without an answer until {{$.Until}} it is a no</dd>
<dt>State</dt><dd>{{.State}}{{with .By}} by {{.}}{{end}}{{with .Reason}}: {{.}}{{end}}</dd>
</dl>
{{end}}
{{if .Open}}
<form method="post">
`+personField+`<p><label>Why<br><textarea name="reason" required maxlength="1000" rows="2"></textarea></label></p>
<button name="answer" value="grant">Yes, this once</button><button name="answer" value="refuse">No</button>
</form>
{{end}}
`)
