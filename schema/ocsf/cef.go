package ocsf

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flyball/schema"
)

// cefSeverity maps severity_id to the scale of CEF, 0 to 10.
var cefSeverity = map[int]int{0: 0, 1: 2, 2: 3, 3: 5, 4: 8, 5: 10, 6: 10}

// maxCEFValue is the most bytes of a value; CEF's own limit of most fields is 1023.
const maxCEFValue = 1023

// CEF returns an event in ArcSight's Common Event Format, version 0, as one line: pipes and backslashes of the header, equals
// signs, backslashes and line breaks of the extension are escaped, other control characters and line separators are replaced by a
// space. Values are cut at 1023 bytes.
func (e Event) CEF() string {
	meta, _ := e["metadata"].(object)
	product, _ := meta["product"].(object)
	class, _ := e["class_uid"].(int)
	name, id := "Flyball event", strconv.Itoa(class)
	if info, ok := e["finding_info"].(object); ok {
		id, name = text(info["title"]), cmp.Or(text(e["message"]), text(info["title"]))
	} else if api, ok := e["api"].(object); ok {
		id, name = "api_activity", text(api["operation"])
	}
	severity, _ := e["severity_id"].(int)
	head := []string{"Flyball", "Flyball", cmp.Or(text(product["version"]), "unknown"), id, name, strconv.Itoa(cefSeverity[severity])}
	for i, h := range head {
		head[i] = cefHeader(h)
	}
	return "CEF:0|" + strings.Join(head, "|") + "|" + strings.Join(e.cefFields(), " ")
}

// cefFields returns the extension, key=value each.
func (e Event) cefFields() []string {
	var out []string
	add := func(key string, value any) {
		if v := text(value); v != "" {
			out = append(out, key+"="+cefValue(v))
		}
	}
	labelled := func(n int, label string, value any) {
		if v := text(value); v != "" {
			add(fmt.Sprintf("cs%dLabel", n), label)
			add(fmt.Sprintf("cs%d", n), v)
		}
	}
	meta, _ := e["metadata"].(object)
	add("externalId", meta["uid"])
	add("rt", e["time"])
	add("cat", e["class_uid"])
	add("act", e["activity_id"])
	if outcome, ok := e["status_id"].(int); ok && e["class_uid"] == ClassAPIActivity {
		add("outcome", [...]string{statusUnknown: "unknown", statusSuccess: "success", statusFailure: "failure"}[outcome])
	}
	agentObject, _ := e["ai_agent"].(object)
	who, _ := e["actor"].(object)
	if all, ok := e["evidences"].([]any); ok && len(all) == 1 {
		evidence, _ := all[0].(object)
		agentObject, _ = evidence["ai_agent"].(object)
		who, _ = evidence["actor"].(object)
	}
	user, _ := who["user"].(object)
	session, _ := who["session"].(object)
	add("suser", user["uid"])
	labelled(1, "agent", agentObject["uid"])
	labelled(2, "run", meta["correlation_uid"])
	labelled(3, "credential", cmp.Or(text(user["credential_uid"]), text(session["credential_uid"])))
	info, _ := e["finding_info"].(object)
	labelled(4, "finding", info["uid"])
	labelled(5, "tenant", meta["tenant_uid"])
	if info != nil {
		add("msg", e["message"])
	}
	request, _ := e["http_request"].(object)
	url, _ := request["url"].(object)
	add("requestMethod", request["http_method"])
	add("request", url["path"])
	add("dhost", url["hostname"])
	add("requestClientApplication", request["user_agent"])
	src, _ := e["src_endpoint"].(object)
	add("src", src["ip"])
	add("cnt", e["count"])
	var resources []string
	all, _ := e["resources"].([]any)
	for _, r := range all {
		o, _ := r.(object)
		resources = append(resources, text(o["uid"]))
	}
	labelled(6, "resources", strings.Join(resources, ","))
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

func cefHeader(s string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(oneLine(schema.Cut(s, maxCEFValue), false))
}

func cefValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`).Replace(oneLine(schema.Cut(s, maxCEFValue), true))
}

// oneLine replaces what could end a line or change the direction of a text; breaks keeps \n and \r, which the caller escapes.
func oneLine(s string, breaks bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case breaks && (r == '\n' || r == '\r'):
			return r
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control), r == utf8.RuneError:
			return ' '
		}
		return r
	}, s)
}

// syslogPriority is facility 13 (log audit) with the severity informational, or warning for an alert.
func (e Event) syslogPriority() int {
	const facility, warning, informational = 13, 4, 6
	if alert, _ := e["is_alert"].(bool); alert {
		return facility*8 + warning
	}
	return facility*8 + informational
}

// Syslog returns a message in the form of RFC 5424 whose text is the event in CEF. host is the name of this machine.
func (e Event) Syslog(host string) string {
	ms, _ := e["time"].(int64)
	return fmt.Sprintf("<%d>1 %s %s flyball - - - %s", e.syslogPriority(), time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"),
		syslogName(host), e.CEF())
}

// syslogName returns a host name as RFC 5424 allows it.
func syslogName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), 255)]
}
