package api

import (
	"html/template"
	"net/http"

	"flyball/schema"
)

// pages is what the pages for people share: which links are valid, who looks at a page and who decides on it, and how it is written.
type pages struct {
	*server
	bodies *validator
}

// maxForm is the maximum size of the form in bytes.
const maxForm = 16 << 10

// linkedCaller is who decides on a page: who has signed in, or whoever has the link.
func linkedCaller(who *caller) caller {
	if who == nil {
		return caller{name: "link", role: "link"}
	}
	return *who
}

// personName names who has signed in; empty: pages want no sign-in.
func personName(who *caller) string {
	if who == nil {
		return ""
	}
	return schema.Visible(who.name)
}

// setPageHeaders sets the headers of pages for people.
func setPageHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // everybody who has the address can decide
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
}

// write writes a page.
func (p *pages) write(w http.ResponseWriter, status int, t *template.Template, in any) {
	setPageHeaders(w.Header())
	w.WriteHeader(status)
	if err := t.Execute(w, in); err != nil {
		p.o.Logger.Warn("a page could not be written", "page", t.Name(), "error", err)
	}
}

// pageTemplate parses a page: what it is of, for logs, its title, and what is below the style.
func pageTemplate(of, title, body string) *template.Template {
	return template.Must(template.New(of).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Flyball: ` + title + `</title>
` + pageStyle + `
` + body + `</html>
`))
}

// pageStyle is the style of pages for people.
const pageStyle = `<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
dt { font-weight: 600; margin-top: .6rem } dd { margin: 0; overflow-wrap: anywhere }
input, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem }
button { font: inherit; padding: .6rem 1.2rem; margin: 1rem .6rem 0 0 }
.error { border-left: .3rem solid #c22; padding-left: .8rem } .done { border-left: .3rem solid #282; padding-left: .8rem }
</style>`

// personField is the part of a form that says who decides: the person who has signed in, or the name that is typed.
const personField = `{{if .Person}}<p>Signed in as {{.Person}}</p>
{{else}}<p><label>Your name<br><input name="by" required maxlength="100" autocomplete="name"></label></p>{{end}}
`
