package incident

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"flyball/schema"
	"flyball/schema/wording"
)

// A run key with an escape sequence was in a command that a responder pastes, and a name could mention everybody in a chat.
func TestPageHasNoTextThatActsWhereItIsShown(t *testing.T) {
	const hostile = "a\x1b]0;x\x07'\\b\u202e\r\n<!channel> [x](http://h) `c` @everyone"
	i := &open{finding: &schema.Finding{ID: "f", Summary: "agent " + hostile + " ran away"},
		breaker: &schema.Breaker{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: hostile}, State: schema.BreakerOpen, Reason: hostile}}
	p := i.page(Opened, "finding_opened", "c", 0)
	for _, s := range append([]string{p.Title(), p.Summary, p.Breaker.Reason}, p.Commands...) {
		for _, r := range s {
			if !unicode.IsPrint(r) {
				t.Errorf("%q contains %U", s, r)
			}
		}
	}
	for _, bad := range []string{"<!channel>", "](", "`c`", "@everyone"} {
		if strings.Contains(p.Title(), bad) {
			t.Errorf("title %q contains %s", p.Title(), bad)
		}
	}
	out, err := exec.Command("bash", "-c", "printf %s "+wording.ShellWord(hostile)).Output()
	if err != nil || string(out) != hostile {
		t.Errorf("pasted, %s is %q, %v", wording.ShellWord(hostile), out, err)
	}
}
