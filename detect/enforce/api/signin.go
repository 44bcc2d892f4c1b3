package api

import (
	"errors"
	"html/template"
	"net/http"
	"slices"

	"flyball/schema"
)

// signIn is the end of a sign-in at the issuer.
type signIn struct{ *server }

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
func (s *server) wantsSignIn() bool { return s.o.OIDC != nil && s.o.OIDC.SignIn != nil }

// viewer returns who looks at a page of a tenant; nil: pages want no sign-in. Without a sign-in it begins one. ended: it has responded.
func (s *server) viewer(w http.ResponseWriter, r *http.Request, tenant string) (who *caller, ended bool) {
	if !s.wantsSignIn() {
		return nil, false
	}
	who, rejected := s.signedIn(r, tenant, Viewer)
	if rejected == nil {
		return who, false
	}
	if who != nil {
		s.o.OIDC.SignIn.Forget(w)
		s.refusePage(w, rejected, who.name)
		return nil, true
	}
	setPageHeaders(w.Header())
	if err := s.o.OIDC.SignIn.Begin(w, r, r.URL.RequestURI()); err != nil {
		s.refusePage(w, refusedIdentity(err), "")
	}
	return nil, true
}

// decider returns who decides on a page of a tenant; nil: pages want no sign-in. It does not send anybody to the issuer, because browsers
// do not follow a form to another site. ended: it has responded.
func (s *server) decider(w http.ResponseWriter, r *http.Request, tenant string) (who *caller, ended bool) {
	if !s.wantsSignIn() {
		return nil, false
	}
	who, rejected := s.signedIn(r, tenant, Responder)
	if rejected == nil {
		return who, false
	}
	name := ""
	if who != nil {
		name = who.name
	}
	s.refusePage(w, rejected, name)
	return nil, true
}

// signedIn returns who has signed in and has a role in a tenant. With a refusal, the caller is the person who lacks it; nil: nobody.
func (s *server) signedIn(r *http.Request, tenant string, need Role) (*caller, *refusal) {
	id, ok := s.o.OIDC.SignIn.Person(r)
	if !ok {
		return nil, refused(http.StatusUnauthorized, "oidc_not_signed_in", "your sign-in has ended: open the link of the notification again")
	}
	who, rejected := s.o.OIDC.admit(&id, s.o.Tenant)
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
func (s *server) refusePage(w http.ResponseWriter, rejected *refusal, person string) {
	s.refusals.WithLabelValues(rejected.why).Inc()
	setPageHeaders(w.Header())
	w.WriteHeader(rejected.status)
	in := struct {
		Error  error
		Person string
	}{errors.New(schema.Visible(rejected.err.Error())), schema.Visible(person)}
	if err := signInPage.Execute(w, in); err != nil {
		s.o.Logger.Warn("the page of a sign-in could not be written", "error", err)
	}
}

var signInPage = template.Must(template.New("signin").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Flyball: sign in</title>
` + pageStyle + `
<p class="error" role="alert">{{.Error}}</p>
{{with .Person}}<p>Signed in as {{.}}</p>{{end}}
</html>
`))
