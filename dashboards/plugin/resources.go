package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/schema"
)

// headerAction is the header with which Grafana sends the actions of panels. A page of another site cannot send it without
// being asked about by the browser.
const headerAction = "X-Grafana-Action"

// resource is a path below the data source's /resources.
type resource struct {
	method string
	needs  access
	serve  func(*exchange) (any, error)
}

// resources are all paths. The POSTs change something and are sent to the control API.
func resources() map[string]resource {
	all := map[string]resource{
		"agents": {http.MethodGet, accessSee, completeAgents},
		"runs":   {http.MethodGet, accessSee, completeRuns},
	}
	maps.Copy(all, actions())
	return all
}

// exchange is one resource call.
type exchange struct {
	*Datasource
	ctx context.Context
	req *backend.CallResourceRequest
	who person
}

// CallResource serves the actions of panels and the completion of the editors. An error is a JSON object with a sentence for the
// user in message and a named reason.
func (d *Datasource) CallResource(ctx context.Context, req *backend.CallResourceRequest, out backend.CallResourceResponseSender) error {
	answer, err := d.call(ctx, req)
	status := http.StatusOK
	if err != nil {
		var r *refusal
		if !errors.As(err, &r) {
			r = refused(http.StatusBadGateway, "database", "%s", d.explainDatabase(err))
		}
		status = r.status
		answer = map[string]string{"message": schema.Visible(r.text), "reason": r.reason}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return out.Send(&backend.CallResourceResponse{Status: status, Body: body, Headers: map[string][]string{
		"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}})
}

// call checks whether a request may be served, and serves it.
func (d *Datasource) call(ctx context.Context, req *backend.CallResourceRequest) (any, error) {
	path := strings.Trim(req.Path, "/")
	all := resources()
	r, ok := all[path]
	if !ok {
		return nil, refused(http.StatusNotFound, "path", "no such resource: one of %s", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	if req.Method != r.method {
		return nil, refused(http.StatusMethodNotAllowed, "method", "%s is called with %s", path, r.method)
	}
	if d.wrong != nil {
		return nil, refused(http.StatusBadRequest, "settings", "%s", d.wrong)
	}
	user := req.PluginContext.User
	if r.method == http.MethodPost {
		if err := checkOrigin(req); err != nil {
			return nil, err
		}
	}
	if have := d.settings.accessOf(user); have < r.needs {
		return nil, refuseUser(user, have, r.needs)
	}
	x := &exchange{Datasource: d, ctx: ctx, req: req, who: person{user.Login, d.settings.accessOf(user).role()}}
	if r.method == http.MethodPost {
		if err := d.checkControl(ctx, user); err != nil {
			return nil, err
		}
	}
	return r.serve(x)
}

// refuseUser says what a user lacks.
func refuseUser(user *backend.User, have, needs access) error {
	if user == nil || user.Role == "" {
		return refused(http.StatusForbidden, "no_user", "this needs a user of Grafana with a role")
	}
	role := schema.Visible(user.Role)
	return refused(http.StatusForbidden, "role", "%s may not do this: Grafana's role %s is mapped to %s, and this needs %s; an administrator "+
		"changes that in roles of the data source", schema.Visible(user.Login), role, have, needs)
}

// checkControl returns a refusal if there is no control API, or if it serves another tenant than the one of this data source.
func (d *Datasource) checkControl(ctx context.Context, user *backend.User) error {
	if d.control == nil {
		return refused(http.StatusNotImplemented, "no_control", "actions are off: set controlUrl in the settings of the data source, and a "+
			"token in secureJsonData.controlToken")
	}
	if strings.TrimSpace(user.Login) == "" {
		return refused(http.StatusForbidden, "no_user", "this user has no login to name in the audit trail")
	}
	if d.tenant == "" {
		return nil
	}
	var got rights
	if err := d.control.request(ctx, nil, http.MethodGet, "/v1/caller", nil, &got); err != nil {
		return err
	}
	if err := checkTenant(d.tenant, got.Tenant); err != nil {
		return refused(http.StatusConflict, "tenant", "%s", err)
	}
	return nil
}

// checkOrigin refuses a change that a page of another site may have sent in the user's browser.
func checkOrigin(req *backend.CallResourceRequest) error {
	h := req.GetHTTPHeaders()
	cross := func(text string) error { return refused(http.StatusForbidden, "cross_site", "%s", text) }
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return refused(http.StatusUnsupportedMediaType, "content_type", "Content-Type: send application/json")
	}
	if h.Get(headerAction) != "1" {
		return cross(headerAction + ": 1 is missing: only actions of panels and programs that send this header may change something")
	}
	switch site := h.Get("Sec-Fetch-Site"); site {
	case "same-origin":
		return nil
	case "": // not a browser, or one that reads Grafana over plain HTTP
	default:
		return cross("the request comes from a page of another site; use a panel of this Grafana")
	}
	origin := h.Get("Origin")
	if origin == "" {
		return nil
	}
	if app := appURL(req); app == nil || !sameOrigin(origin, app) {
		return cross("the request comes from the page of another origin than Grafana's root_url; use a panel of this Grafana")
	}
	return nil
}

// appURL returns the address of Grafana, as it says itself; nil: it does not say.
func appURL(req *backend.CallResourceRequest) *url.URL {
	if req.PluginContext.GrafanaConfig == nil {
		return nil
	}
	text, err := req.PluginContext.GrafanaConfig.AppURL()
	if err != nil {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	return u
}

func sameOrigin(origin string, app *url.URL) bool {
	o, err := url.Parse(origin)
	return err == nil && strings.EqualFold(o.Scheme, app.Scheme) && strings.EqualFold(o.Host, app.Host)
}
