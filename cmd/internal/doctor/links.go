package doctor

import "fmt"

// Links is what answers at the address of the links in pages (control.public_url).
type Links struct {
	URL, Error string // URL is empty: pages have no links
	// Deployment is the id of the deployment that answers, empty if it is not Flyball; Want is this one's, empty if it is not known.
	Deployment, Want string
}

// links finds links in pages that lead nowhere: whoever is woken cannot acknowledge.
func links(f *Facts) []Finding {
	l := &f.Links
	do := "set control.public_url to the address at which people's browsers reach control.listen"
	switch {
	case l.URL == "":
		return good(checkLinks, "control.public_url is not set: pages have no link, incidents are acknowledged with flyball alert ack")
	case l.Error != "":
		return []Finding{{checkLinks, Unknown, "links_not_reached", fmt.Sprintf("control.public_url %s cannot be reached from this machine: %s",
			l.URL, l.Error), "open it in the browser of somebody who is on call; if nothing answers there either, " + do}}
	case l.Deployment == "":
		return []Finding{{checkLinks, Wrong, "links_elsewhere", "what answers at control.public_url " + l.URL + " is not Flyball's control API",
			do}}
	case l.Want != "" && l.Deployment != l.Want:
		return []Finding{{checkLinks, Wrong, "links_elsewhere", fmt.Sprintf("at control.public_url %s the deployment %s answers, this one is %s",
			l.URL, l.Deployment, l.Want), do}}
	}
	return good(checkLinks, "links in pages lead to "+l.URL+", where this deployment answers")
}
