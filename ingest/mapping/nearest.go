package mapping

// nearest is the name that takes the fewest edits.
func nearest(s string, names []string) string {
	best, least := "", 1<<30
	for _, n := range names {
		row := make([]int, len(n)+1)
		for j := range row {
			row[j] = j
		}
		for i := range len(s) {
			diagonal := row[0]
			row[0] = i + 1
			for j := range len(n) {
				cost := diagonal
				if s[i] != n[j] {
					cost = 1 + min(diagonal, row[j], row[j+1])
				}
				diagonal, row[j+1] = row[j+1], cost
			}
		}
		if row[len(n)] < least {
			best, least = n, row[len(n)]
		}
	}
	return best
}
