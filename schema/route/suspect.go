package route

import "strings"

// Some services change things by GET: Slack's /auth.revoke, /users/7/deleteAccount, /admin?action=delete. Others only name a page like
// that: /can_delete, /refund-policy, a form that asks whether to delete. Such a call has no known effect unless somebody declares it.
var (
	suspectVerbs = wordSet("delete remove purge destroy wipe truncate erase terminate revoke")
	// suspectCalls are also nouns, and count only as the beginning of a name like refundOrder.
	suspectCalls = wordSet("pay refund transfer charge withdraw send")
	// harmless are the last words of names that are about such an operation: delete_request, refund-policy. removeReason is one of them, too,
	// but deleteTask is a call.
	harmless = wordSet("request history log policy status reason confirmation preview count marker at by id date time flag url")
	// operationKeys are parameters of a query that name what is to be done.
	operationKeys = wordSet("action do op operation cmd command")
)

// maxWord is the length, as it is written in a query, of the longest value that is looked at as a word.
const maxWord = 192

// suspectQuery reports whether a GET may change something by its query.
func suspectQuery(query string) bool {
	for key, value := range queryParameters(query) {
		if !operationKeys[strings.ToLower(key)] || len(value) > maxWord {
			continue
		}
		if value = unescaped(value); suspectVerbs[strings.ToLower(value)] || suspectName(value) {
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
