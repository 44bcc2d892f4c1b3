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
