package route

import (
	"net/url"
	"strings"
)

// Some services change things by GET: Slack's /auth.revoke, /users/7/deleteAccount, /admin?action=delete. Others only name a page like
// that: /can_delete, /refund-policy, a form that asks whether to delete. Such a call has no known effect unless somebody declares it.
var (
	suspectVerbs = wordSet("delete remove purge destroy wipe truncate erase terminate revoke")
	// suspectCalls are also nouns, and count only as the beginning of a name like refundOrder.
	suspectCalls = wordSet("pay refund transfer charge withdraw send")
	// harmless are the last words of names that are about such an operation.
	harmless = wordSet("request history log policy status reason queue confirmation event job task list report preview option count marker " +
		"at by id date time url link key flag")
	// operationKeys are parameters of a query that name what is to be done.
	operationKeys = wordSet("action do op operation cmd command")
)

// suspectQuery reports whether a GET may change something by its query.
func suspectQuery(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if len(value) > 64 || !operationKeys[strings.ToLower(key)] {
			continue
		}
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		if suspectVerbs[strings.ToLower(value)] || suspectName(value) {
			return true
		}
	}
	return false
}

// suspectName reports whether a name of several words begins with a verb that destroys, or ends in one after a dot or a colon.
func suspectName(name string) bool {
	if len(name) > 64 {
		return false
	}
	var arena [8]string
	words := wordsOf(name, arena[:0])
	if len(words) < 2 || harmless[words[len(words)-1]] {
		return false
	}
	first, end := words[0], words[len(words)-1]
	if suspectVerbs[first] {
		return true
	}
	if at := strings.LastIndexAny(name, ".:"); at >= 0 && suspectVerbs[end] && strings.EqualFold(name[at+1:], end) {
		return true
	}
	rest := name[min(len(first), len(name)):]
	return suspectCalls[first] && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z'
}
