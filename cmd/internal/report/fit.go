package report

// field is what the layout knows of one column of a table, in columns of the screen.
type field struct {
	want  int  // width of its longest cell, or of its head
	least int  // width below which its cells are of no use; at most want
	good  int  // width that is wanted before columns of leave 2 and more are shown; at least least
	id    bool // it is what the next command takes: its good width comes before all columns that may be left out
	leave int  // 0: it stays; a column with a higher number is left out first, one of 3 and more rather than that another is cut
}

const (
	gap      = 2 // between columns
	minText  = 14
	minFinal = 18 // of the last column, if it is text: a reason or a summary
	good     = 40 // of such a last column, and of the first one
)

// fitted is the layout of a table.
type fitted struct {
	widths []int // of each column; 0: left out
	// records: the columns do not fit beside each other at all.
	records bool
}

// fit returns the layout of a table on a screen. It narrows texts, and leaves out columns that may be, as long as the others do not have
// their least width; less important ones (leave 2) as long as they do not have a good width, and the least important ones as long as one
// of the others is cut.
func fit(fields []field, screen int) fitted {
	widths := make([]int, len(fields))
	kept := make([]bool, len(fields))
	for i := range kept {
		kept[i] = true
	}
	stay := make([]bool, len(fields))
	for i, f := range fields {
		stay[i] = f.leave == 0 || f.id
	}
	whole := need(fields, stay, func(f field) int { // the id has room for its good width, if all that may be is left out
		if f.id {
			return max(f.good, f.least)
		}
		return f.least
	}) <= screen
	for {
		drop := -1
		for i, f := range fields {
			if kept[i] && f.leave > 0 && (drop < 0 || f.leave >= fields[drop].leave) {
				drop = i
			}
		}
		if drop < 0 || need(fields, kept, func(f field) int {
			switch {
			case fields[drop].leave > 2:
				return max(min(f.want, good), f.least)
			case fields[drop].leave > 1 || f.id && whole:
				return max(f.good, f.least)
			}
			return f.least
		}) <= screen {
			break
		}
		kept[drop] = false
	}
	spare := screen - need(fields, kept, func(f field) int { return f.least })
	if spare < 0 {
		return fitted{records: true}
	}
	for i, f := range fields {
		if kept[i] {
			widths[i] = f.least
		}
	}
	for i, f := range fields {
		if more := min(f.good-f.least, spare); f.id && kept[i] && whole && more > 0 {
			widths[i] += more
			spare -= more
		}
	}
	for grown := true; grown && spare > 0; {
		grown = false
		for i, f := range fields {
			if kept[i] && widths[i] < f.want && spare > 0 {
				widths[i]++
				spare--
				grown = true
			}
		}
	}
	return fitted{widths: widths}
}

// need returns the width of a table in which each kept column has a width.
func need(fields []field, kept []bool, width func(field) int) int {
	total := -gap
	for i, f := range fields {
		if kept[i] {
			total += width(f) + gap
		}
	}
	return total
}
