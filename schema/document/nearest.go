package document

import "slices"

// Nearest returns the name with the smallest edit distance to name, for "did you mean". Of
// several it returns the first in alphabetical order; without names the result is empty.
func Nearest(name string, names []string) string {
	best, fewest := "", 0
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(name, n); best == "" || d < fewest {
			best, fewest = n, d
		}
	}
	return best
}

// editDistance returns the Levenshtein distance: the number of insertions, deletions and
// replacements of single bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distance of the processed prefix of a to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, replaced)
		}
	}
	return row[len(b)]
}
