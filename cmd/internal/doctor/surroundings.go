package doctor

import (
	"fmt"
	"strings"
	"time"
)

func process(f *Facts) []Finding {
	p := f.Process
	if p.Error != "" {
		return []Finding{{checkProcess, Wrong, "process_away", p.Error,
			"start flyball, or correct metrics.listen: it must be that of the process"}}
	}
	var out []Finding
	add := func(reason, found, do string) { out = append(out, Finding{checkProcess, Wrong, reason, found, do}) }
	for _, s := range p.NotReady {
		add("part_not_ready", s, "")
	}
	for _, s := range p.Warnings {
		add("part_warns", s, "")
	}
	if len(p.Restart) > 0 {
		add("restart_needed", "changed in the file and not in force: "+strings.Join(p.Restart, ", "), "restart the process")
	}
	if p.FileError != "" {
		add("file_not_usable", p.FileError, "flyball check-config says what is wrong; the process runs with what it had")
	}
	return orGood(checkProcess, out, "the process on "+p.Address+" is ready")
}

// minCalls is the number of calls of a gateway below which nothing is concluded.
const minCalls = 20

// left says what a check of gateways did not look at.
func (g *Gateways) left(check string) []Finding {
	if g.Left == "" {
		return nil
	}
	return []Finding{{check, Unknown, "not_all_looked_at", g.Left, "flyball coverage --since 1h asks about a shorter time"}}
}

// ids finds gateways that ask the check, and do not log what it answered.
func ids(f *Facts) []Finding {
	g := f.Gateways
	if g.Error != "" {
		return unknown(checkIDs, g.Error, "")
	}
	var out []Finding
	seen := 0
	for _, x := range g.Seen {
		if x.Calls < minCalls || x.Asked == 0 {
			continue
		}
		seen++
		switch {
		case x.Decisions == 0:
			out = append(out, Finding{checkIDs, Wrong, "ids_not_logged",
				fmt.Sprintf("%s: none of %d logged calls has the decision id, and the check was asked about %d",
					x.Name, x.Calls, x.Asked),
				"let the gateway log x-flyball-decision, x-flyball-run and x-flyball-receipt of the check's answer (deploy/gateways)"})
		case x.Receipts*2 < x.Decisions:
			out = append(out, Finding{checkIDs, Wrong, "receipts_not_logged",
				fmt.Sprintf("%s: %d of %d calls with a decision have a valid receipt",
					x.Name, x.Receipts, x.Decisions),
				"let the gateway log x-flyball-receipt whole: a line of 512 bytes must not be cut, and a client's header must not be logged"})
		}
	}
	out = append(out, g.left(checkIDs)...)
	if seen == 0 && len(out) == 0 {
		return good(checkIDs, "no gateway with enough calls has asked the check within a day")
	}
	return orGood(checkIDs, out, fmt.Sprintf("%d gateways log what the check answered", seen))
}

// identities finds gateways that establish nobody, and those that let clients' identity headers through.
func identities(f *Facts) []Finding {
	g := f.Gateways
	if g.Error != "" {
		return unknown(checkIdentity, g.Error, "")
	}
	var out []Finding
	seen := 0
	for _, x := range g.Seen {
		if x.Calls < minCalls {
			continue
		}
		seen++
		switch {
		case x.Established == 0:
			out = append(out, Finding{checkIdentity, Wrong, "nobody_established",
				fmt.Sprintf("%s vouches for no caller of %d calls: %d name themselves", x.Name,
					x.Calls, x.Claimed),
				"let the gateway authenticate callers and log its own name for them (consumer, certificate, token), or list it under agents"})
		case x.Contradicted*10 > x.Calls:
			out = append(out, Finding{checkIdentity, Wrong, "client_names_logged",
				fmt.Sprintf("%s: %d of %d calls carry another agent's name in the client's headers",
					x.Name, x.Contradicted, x.Calls), "delete the identity headers of clients at the gateway, as the shipped files do"})
		}
	}
	out = append(out, g.left(checkIdentity)...)
	if seen == 0 && len(out) == 0 {
		return good(checkIdentity, "no gateway has logged enough calls within a day")
	}
	return orGood(checkIdentity, out, fmt.Sprintf("%d gateways vouch for callers", seen))
}

func receivers(f *Facts) []Finding {
	if len(f.Receivers) == 0 {
		return []Finding{{checkReceivers, Wrong, "no_receiver", "alerts.receivers is empty: nobody is notified",
			"configure a receiver, better two"}}
	}
	var out []Finding
	for _, r := range f.Receivers {
		if r.Error != "" {
			out = append(out, Finding{checkReceivers, Wrong, "receiver_away", r.Name + ": " + r.Error,
				"look at its address and the way to it; flyball alert test " + r.Name + " sends a page"})
		}
	}
	return orGood(checkReceivers, out, fmt.Sprintf("something listens at each of %d; no page was sent", len(f.Receivers)))
}

// Times before an end at which it is near.
const (
	tokenNotice       = 14 * 24 * time.Hour
	certificateNotice = 21 * 24 * time.Hour
)

func tokens(f *Facts) []Finding {
	return expiries(f, checkTokens, f.Tokens, tokenNotice, "flyball token makes one; enter it in control.tokens")
}

func certificates(f *Facts) []Finding {
	return expiries(f, checkCertificate, f.Certs, certificateNotice, "renew it; the file is read again without a restart")
}

func expiries(f *Facts, check string, list []Expiry, notice time.Duration, do string) []Finding {
	var out []Finding
	for _, x := range list {
		left := x.At.Sub(f.Now)
		name := x.Key
		if x.Name != "" {
			name += " (" + x.Name + ")"
		}
		switch {
		case x.Error != "":
			out = append(out, Finding{check, Wrong, "not_readable", name + ": " + x.Error, "correct the file"})
		case x.At.IsZero():
		case left <= 0:
			out = append(out, Finding{check, Wrong, "expired", name + " expired at " + x.At.UTC().Format(time.RFC3339), do})
		case left < notice:
			out = append(out, Finding{check, Wrong, "expires_soon", fmt.Sprintf("%s expires at %s, in %d days", name,
				x.At.UTC().Format(time.RFC3339),
				int(left.Hours()/24)), do})
		}
	}
	return orGood(check, out, fmt.Sprintf("%d looked at, none is near its end", len(list)))
}

// openBits are the permission bits of others than the owner.
const openBits = 0o077

func files(f *Facts) []Finding {
	var out []Finding
	for _, x := range f.Files {
		switch {
		case x.Error != "":
			out = append(out, Finding{checkFiles, Wrong, "not_readable", x.Key + ": " + x.Error, "correct the path, or its permissions"})
		case x.Mode&openBits != 0:
			out = append(out, Finding{checkFiles, Wrong, "open_to_others",
				fmt.Sprintf("%s: %s has the permissions %04o: others than its owner can read or change it",
					x.Key, x.Path, x.Mode), "chmod go= " + x.Path})
		}
	}
	return orGood(checkFiles, out, fmt.Sprintf("%d files and folders with secrets are their owner's alone", len(f.Files)))
}

func listeners(f *Facts) []Finding {
	var out []Finding
	for _, l := range f.Listeners {
		switch {
		case l.Loopback || l.TLS:
		case l.NoTLS:
			out = append(out, Finding{checkListeners, Wrong, "open_without_tls", l.Key + " " + l.Address +
				" is reachable from elsewhere and speaks no TLS",
				"listen on loopback or a private network that only its readers reach"})
		default:
			out = append(out, Finding{checkListeners, Wrong, "open_without_tls", l.Key + " " + l.Address +
				" is reachable from elsewhere without TLS",
				"set the certificate and key of its section, or listen on loopback"})
		}
	}
	return orGood(checkListeners, out, fmt.Sprintf("%d addresses: loopback, or with TLS", len(f.Listeners)))
}
