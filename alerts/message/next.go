package message

import (
	"net/url"
	"strings"

	"flyball/alerts/incident"
	"flyball/schema"
)

// maxSteps bounds what a message tells a person to do.
const maxSteps = 3

// says are the purposes of commands, by their first words. The first that matches counts.
var says = []struct{ command, say string }{
	{"flyball run ", "See the run"},
	{"flyball touched ", "See what it touched and what can be undone"},
	{"flyball breakers reset ", "Allow its calls again"},
	{"flyball breakers trip ", "Deny its calls"},
	{"flyball breakers grant ", "Approve the call"},
	{"flyball breakers refuse ", "Refuse the call"},
	{"flyball findings show ", "See the finding"},
	{"flyball findings", "List the findings"},
	{"flyball breakers list", "List the breakers"},
	{"flyball breakers gates", "List the calls that wait for approval"},
	{"flyball alert ack", "Say that you have taken it"},
	{"flyball alert test ", "Test the receiver"},
	{"flyball status", "See whether all parts work"},
}

// steps chooses the commands of a page: see the run, what it touched, and undo or allow. A question to a person begins with its answers.
func steps(p *incident.Page) []Step {
	commands := p.Commands
	if !p.RunID.IsZero() && p.Family != incident.FamilyGate {
		id := p.RunID.String()
		commands = []string{"flyball run " + id, "flyball touched " + id}
		if act := lastOf(p.Commands, "flyball breakers ", "flyball findings show "); act != "" {
			commands = append(commands, act)
		}
	}
	var out []Step
	for _, c := range commands {
		if len(out) == maxSteps {
			break
		}
		if c = schema.Visible(c); len(c) <= maxCommand {
			out = append(out, Step{Say: say(c), Command: c})
		}
	}
	return out
}

// lastOf returns the last command with the first prefix that any command has.
func lastOf(commands []string, prefixes ...string) string {
	for _, prefix := range prefixes {
		for i := len(commands) - 1; i >= 0; i-- {
			if strings.HasPrefix(commands[i], prefix) {
				return commands[i]
			}
		}
	}
	return ""
}

func say(command string) string {
	for _, s := range says {
		if strings.HasPrefix(command, s.command) {
			return s.say
		}
	}
	return "Run"
}

// links are the addresses at which a person can answer. An address that is no http or https URL is left out.
func links(p *incident.Page) []Link {
	var out []Link
	for _, l := range []Link{{"Decide", p.Link}, {"Acknowledge", p.AckLink}} {
		u, err := url.Parse(l.URL)
		if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && schema.Visible(l.URL) == l.URL {
			out = append(out, l)
		}
	}
	return out
}
