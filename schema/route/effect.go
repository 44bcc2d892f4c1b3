package route

import (
	"strings"

	"flyball/schema"
)

// meaning is the effect and the reversibility that a word stands for.
type meaning struct {
	effect        schema.Effect
	reversibility schema.Reversibility
}

var (
	reads   = meaning{schema.EffectRead, schema.ReadOnly}
	creates = meaning{schema.EffectCreate, schema.Reversible}
	updates = meaning{schema.EffectUpdate, schema.Compensable}
	deletes = meaning{schema.EffectDelete, schema.Irreversible}
	pays    = meaning{schema.EffectPay, schema.Irreversible}
	sends   = meaning{schema.EffectSend, schema.Irreversible}
	grants  = meaning{schema.EffectGrant, schema.Compensable}
)

// wordMeanings holds the meanings of words in the last part of a route, in the name of a tool or in
// an operation. Money that was paid and messages that were sent cannot be taken back.
var wordMeanings = meanings(map[meaning]string{
	pays:    "pay payment payout refund charge transfer withdraw withdrawal purchase checkout buy donate reimburse wire tip",
	sends:   "send email mail message sms notify notification publish broadcast tweet reply forward comment",
	grants:  "grant permission role invite invitation share acl policy member apikey token password authorize impersonate",
	deletes: "delete remove purge drop destroy wipe truncate erase terminate",
	updates: "cancel update modify edit set change exchange return toggle reset reboot suspend resume enable disable append",
	creates: "create add insert book reserve upload register schedule",
	reads: "get list read search find query fetch lookup describe count check show view calculate think validate preview estimate " +
		"verify completion embedding rerank moderation token_count initialize ping export introspect",
})

// meanings maps each word of the lists to its meaning.
func meanings(lists map[meaning]string) map[string]meaning {
	out := map[string]meaning{}
	for m, words := range lists {
		for w := range strings.FieldsSeq(words) {
			out[w] = m
		}
	}
	return out
}

// leadingVerbs are verbs whose meaning has priority over that of the method and of other words when
// they begin a name: get_payment reads, cancel_order does not pay.
var leadingVerbs = func() map[string]meaning {
	out := map[string]meaning{}
	const words = "get list read search find query fetch lookup describe count check show view calculate think validate preview estimate " +
		"verify delete remove purge drop destroy wipe truncate erase cancel update modify edit set change toggle reset reboot " +
		"suspend resume enable disable append create add insert book reserve upload register schedule send pay transfer grant " +
		"invite share publish notify refund charge exchange return"
	for w := range strings.FieldsSeq(words) {
		out[w] = wordMeanings[w]
	}
	return out
}()

// methodMeanings are the meanings of methods.
var methodMeanings = map[string]meaning{
	"GET": reads, "HEAD": reads, "OPTIONS": reads, "TRACE": reads,
	"POST": creates, "PUT": updates, "PATCH": updates, "DELETE": deletes,
}

// setEffect sets effect and reversibility, by the first of these: the operator's rule, the words
// of the call, its method.
func setEffect(c *schema.Call, in *Input, rule *Rule, segs []string) {
	m, source := effectByWords(c, segs)
	c.Effect, c.Reversibility, c.EffectSource, c.ReversibilitySource = m.effect, m.reversibility, source, source
	if rule != nil && rule.Effect != schema.EffectUnknown {
		c.Effect, c.EffectSource = rule.Effect, rule.Source
		for _, w := range []meaning{reads, creates, updates, deletes, pays, sends, grants} {
			if w.effect == rule.Effect {
				c.Reversibility, c.ReversibilitySource = w.reversibility, rule.Source
			}
		}
	}
	if rule != nil && rule.Reversibility != schema.ReversibilityUnknown {
		c.Reversibility, c.ReversibilitySource = rule.Reversibility, rule.Source
	}
}

// effectByWords returns the effect of a call without a rule, by its words and its method.
func effectByWords(c *schema.Call, segs []string) (meaning, schema.Provenance) {
	changes := c.Method == "DELETE" || c.Method == "PUT" || c.Method == "PATCH"
	switch {
	case (c.OpKind == schema.OpLLM || c.OpKind == schema.OpAgentInvoke) && !changes:
		return reads, schema.ProvenanceFromWords
	case c.MCPMethod != "" && !strings.HasSuffix(c.MCPMethod, "tools/call"):
		return reads, schema.ProvenanceFromWords
	case c.ToolName != "":
		return meaningOf(c.ToolName, meaning{}), schema.ProvenanceFromWords
	case c.OpKind == schema.OpAWSAPI: // dynamodb:DeleteTable
		return meaningOf(c.Operation[strings.LastIndexByte(c.Operation, ':')+1:], meaning{}), schema.ProvenanceFromWords
	case c.OpKind == schema.OpGRPC && (c.Method == "" || c.Method == "POST"):
		// Every method of a service is a POST: its name says what it does.
		m, from := byMethod(c.Method, segs)
		if w := meaningOf(grpcMethod(c, segs), meaning{}); w != (meaning{}) {
			return w, schema.ProvenanceFromWords
		}
		return m, from
	case c.ObserverKind == schema.ObserverAudit && c.Method == "" && c.Operation != "": // github:repo.destroy
		return meaningOf(c.Operation[strings.LastIndexAny(c.Operation, ".:")+1:], meaning{}), schema.ProvenanceFromWords
	case c.MCPMethod != "":
		return meaning{}, schema.ProvenanceNone // a tool call without the name of its tool can have any effect
	}
	return byMethod(c.Method, segs)
}

// byMethod returns the effect of a method, unless the last word of the path indicates a
// stronger one.
func byMethod(method string, segs []string) (meaning, schema.Provenance) {
	m, known := methodMeanings[method]
	last := lastStatic(segs)
	switch {
	case !known:
		return meaning{}, schema.ProvenanceNone
	case m.effect == schema.EffectRead:
		// GET /orders/7/delete deletes.
		if len(segs) > 0 && last == segs[len(segs)-1] {
			if w, ok := leadingVerbs[strings.ToLower(last)]; ok && w.effect > schema.EffectRead {
				return w, schema.ProvenanceFromWords
			}
		}
	default:
		w := meaningOf(last, m)
		if w != m && (method == "POST" || w.reversibility > m.reversibility || w.effect >= schema.EffectPay) {
			return w, schema.ProvenanceFromWords
		}
	}
	return m, schema.ProvenanceMethod
}

// grpcMethod returns the name of the method: the last segment of the path, or of service/method
// in the operation.
func grpcMethod(c *schema.Call, segs []string) string {
	if len(segs) > 0 {
		return segs[len(segs)-1]
	}
	return c.Operation[strings.LastIndexAny(c.Operation, "/.")+1:]
}

// lastStatic returns the last segment that is a word and not an identifier.
func lastStatic(segs []string) string {
	for i := len(segs) - 1; i >= 0; i-- {
		if _, param := classify(segs[i]); !param && !isVersion(segs[i]) {
			return segs[i]
		}
	}
	return ""
}

// meaningOf returns the meaning of a name: that of a leading verb, otherwise that of the word with
// the worst reversibility, otherwise fallback.
func meaningOf(name string, fallback meaning) meaning {
	var arena [8]string
	words := wordsOf(name, arena[:0])
	for i, w := range words {
		if m, ok := leadingVerbs[w]; ok && (i == 0 || m.effect > schema.EffectRead) {
			return worstJoined(m, words[i+1:])
		}
	}
	best := fallback
	for _, w := range words {
		if m, ok := wordMeanings[w]; ok && (best == fallback || m.reversibility > best.reversibility) {
			best = m
		}
	}
	return best
}

// worstJoined returns m, or the meaning of a verb with a worse reversibility that is joined to it
// by "and", "or" or "then": find_and_delete deletes.
func worstJoined(m meaning, rest []string) meaning {
	for i := 1; i < len(rest); i++ {
		if n, ok := leadingVerbs[rest[i]]; ok && isConjunction(rest[i-1]) && n.reversibility > m.reversibility {
			m = n
		}
	}
	return m
}

func isConjunction(w string) bool { return w == "and" || w == "or" || w == "then" }

// wordsOf splits a name at separators and capitals, and returns the words in lower case and
// singular.
func wordsOf(name string, into []string) []string {
	start := 0
	flush := func(end int) {
		if end > start {
			into = append(into, singular(strings.ToLower(name[start:end])))
		}
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.' || c == ':' || c == '/' || c == ' ':
			flush(i)
			start = i + 1
		case c >= 'A' && c <= 'Z' && i > start && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush(i)
			start = i
		}
	}
	flush(len(name))
	return into
}

// singular returns the singular of an English plural, by simple rules for names of
// collections.
func singular(s string) string {
	switch {
	case len(s) < 4 || strings.HasSuffix(s, "ss") || strings.HasSuffix(s, "us") || strings.HasSuffix(s, "is") || s == "series" ||
		s == "news" || s == "sms":
		return s
	case strings.HasSuffix(s, "ies"):
		return s[:len(s)-3] + "y"
	case strings.HasSuffix(s, "sses"), strings.HasSuffix(s, "uses"), strings.HasSuffix(s, "xes"), strings.HasSuffix(s, "ches"),
		strings.HasSuffix(s, "shes"):
		return s[:len(s)-2]
	case strings.HasSuffix(s, "s"):
		return s[:len(s)-1]
	}
	return s
}
