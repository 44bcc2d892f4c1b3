package api

import (
	"errors"
	"net/http"
	"slices"

	"flyball/schema"
)

// signIn is the end of a sign-in at the issuer.
type signIn struct{ *pages }

// finish remembers who has signed in, if it may see pages, and returns to the page.
func (s *signIn) finish(w http.ResponseWriter, r *http.Request) {
	in := s.o.OIDC.SignIn
	id, back, err := in.Finish(w, r)
	if err != nil {
		s.refusePage(w, refusedIdentity(err), "")
		return
	}
	who, rejected := s.o.OIDC.admit(&id, s.o.Tenant)
	if rejected == nil {
		rejected = who.mayUse(Viewer)
	}
	if rejected != nil {
		s.refusePage(w, rejected, id.String())
		return
	}
	// The cookie holds what decides only: a person can be in many groups.
	id.Groups = slices.DeleteFunc(id.Groups, func(g string) bool { return s.o.OIDC.Roles[g] == "" })
	if err := in.Admit(w, &id); err != nil {
		s.refusePage(w, refusedIdentity(err), id.String())
		return
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// mayUse returns a refusal unless the caller has a role.
func (c caller) mayUse(need Role) *refusal {
	if !slices.Contains(included[need], c.role) {
		return refused(http.StatusForbidden, "role", "%s has the role %s, this needs %s", c.who(), c.role, need)
	}
	return nil
}

// wantsSignIn reports whether pages want a sign-in.
func (o *Options) wantsSignIn() bool { return o.OIDC != nil && o.OIDC.SignIn != nil }

// viewer returns who looks at a page of a tenant; nil: pages want no sign-in. Without a sign-in it begins one. ended: it has responded.
func (p *pages) viewer(w http.ResponseWriter, r *http.Request, tenant string) (who *caller, ended bool) {
	if !p.o.wantsSignIn() {
		return nil, false
	}
	who, rejected := p.signedIn(r, tenant, Viewer)
	if rejected == nil {
		return who, false
	}
	if who != nil {
		p.o.OIDC.SignIn.Forget(w)
		p.refusePage(w, rejected, who.name)
		return nil, true
	}
	setPageHeaders(w.Header())
	if err := p.o.OIDC.SignIn.Begin(w, r, r.URL.RequestURI()); err != nil {
		p.refusePage(w, refusedIdentity(err), "")
	}
	return nil, true
}

// decider returns who decides on a page of a tenant; nil: pages want no sign-in. It does not send anybody to the issuer, because browsers
// do not follow a form to another site. ended: it has responded.
func (p *pages) decider(w http.ResponseWriter, r *http.Request, tenant string) (who *caller, ended bool) {
	if !p.o.wantsSignIn() {
		return nil, false
	}
	who, rejected := p.signedIn(r, tenant, Responder)
	if rejected == nil {
		return who, false
	}
	name := ""
	if who != nil {
		name = who.name
	}
	p.refusePage(w, rejected, name)
	return nil, true
}

// signedIn returns who has signed in and has a role in a tenant. With a refusal, the caller is the person who lacks it; nil: nobody.
func (p *pages) signedIn(r *http.Request, tenant string, need Role) (*caller, *refusal) {
	id, ok := p.o.OIDC.SignIn.Person(r)
	if !ok {
		return nil, refused(http.StatusUnauthorized, "oidc_not_signed_in", "your sign-in has ended: open the link of the notification again")
	}
	who, rejected := p.o.OIDC.admit(&id, p.o.Tenant)
	if rejected == nil {
		rejected = who.mayUse(need)
	}
	if rejected == nil && len(who.tenants) > 0 && !slices.Contains(who.tenants, tenant) {
		rejected = refused(http.StatusForbidden, "tenant", "%s is not of tenant %s", &id, tenant)
	}
	if rejected != nil {
		return &caller{name: id.String(), identity: &id}, rejected
	}
	return &who, nil
}

// refusePage shows why a person may not use a page.
func (p *pages) refusePage(w http.ResponseWriter, rejected *refusal, person string) {
	p.refusals.WithLabelValues(rejected.why).Inc()
	in := struct {
		Error  error
		Person string
	}{errors.New(schema.Visible(rejected.err.Error())), schema.Visible(person)}
	p.write(w, rejected.status, signInTemplate, in)
}

var signInTemplate = pageTemplate("a sign-in", "sign in", `<p class="error" role="alert">{{.Error}}</p>
{{with .Person}}<p>Signed in as {{.}}</p>{{end}}
`)
