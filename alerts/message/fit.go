package message

import "unicode/utf8"

// cut marks where a text was shortened.
const cut = " … (cut)"

// Fit returns a text of at most n characters. A longer one ends with a mark.
func Fit(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	mark := cut
	if n < 3*utf8.RuneCountInString(mark) {
		mark = "…"
	}
	keep := n - utf8.RuneCountInString(mark)
	if keep < 0 {
		return ""
	}
	for i := range s {
		if keep == 0 {
			return s[:i] + mark
		}
		keep--
	}
	return s
}

// FitBytes is Fit with a limit in bytes of UTF-8.
func FitBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	mark := cut
	if n < 3*len(mark) {
		mark = "…"
	}
	end := max(n-len(mark), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
