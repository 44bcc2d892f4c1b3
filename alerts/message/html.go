package message

import (
	"html/template"
	"strings"
)

// page is the body of an e-mail. It loads nothing from elsewhere.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html><body style="font-family:sans-serif;font-size:14px;color:#1c1c1c">
<p style="font-size:16px"><b style="color:{{.Colour}}">{{.Label}}</b>: {{.Title}}</p>
{{if .Why}}<table cellpadding="4" style="border-collapse:collapse;font-size:14px">
<tr align="left"><th>What</th><th>Observed</th><th>Usual</th><th>Peers</th><th>Humans</th></tr>
{{range .Why}}<tr><td>{{.Feature}}</td><td>{{.Observed}}</td><td>{{.Usual}}{{if .UsualOf}} ({{.UsualOf}}){{end}}</td><td>{{.Peers}}</td><td>{{.Humans}}</td></tr>
{{end}}</table>
{{end}}<table cellpadding="4" style="border-collapse:collapse;font-size:14px">
{{range .Facts}}<tr valign="top"><td><b>{{.Name}}</b></td><td>{{.Text}}</td></tr>
{{end}}</table>
{{if .Next}}<p><b>Next</b></p>
{{range .Next}}<p>{{.Say}}:<br><code>{{.Command}}</code></p>
{{end}}{{end}}{{range .Links}}<p><a href="{{.URL}}" rel="noreferrer">{{.Say}}</a> (works once)</p>
{{end}}</body></html>
`))

// colours of the labels, dark enough to be read on white.
var colours = map[string]string{"CRITICAL": "#b00020", "WARNING": "#8a4b00", "RESOLVED": "#1b6e2c", "ACKNOWLEDGED": "#1a4f8b"}

// Colour returns the colour of the label, in the form of CSS.
func (m *Message) Colour() template.CSS {
	if c, ok := colours[m.Label()]; ok {
		return template.CSS(c)
	}
	return "#444444"
}

// HTML returns the message as a page of HTML.
func (m *Message) HTML() (string, error) {
	var b strings.Builder
	err := page.Execute(&b, m)
	return b.String(), err
}
