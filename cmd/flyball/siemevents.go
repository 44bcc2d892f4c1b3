package main

import (
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
	"flyball/schema"
	"flyball/schema/ocsf"
)

// printEvents prints events for a SIEM, one a line. They are signed if this machine has the deployment's key.
func (p printer) printEvents(r *request, events func(ocsf.Producer) ([]ocsf.Event, error)) error {
	by := ocsf.Producer{Version: versionText()}
	if c, err := r.config(); err == nil {
		if keys, err := app.ReadKeys(c, false); err == nil {
			by.Key, by.Deployment = keys.Current, keys.Deployment()
		}
	}
	all, err := events(by)
	if err != nil {
		return err
	}
	for _, e := range all {
		line := []byte(e.CEF())
		if p.form == formOCSF {
			if line, err = e.JSON(); err != nil {
				return err
			}
			line = schema.VisibleJSON(line)
		}
		if err := report.Printf(p.out, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
