package report

// field is what the layout knows of one column of a table, in columns of the screen.
type field struct {
	want  int // width of its longest cell, or of its head
	least int // width below which its cells are of no use; at most want
	leave int // 0: it stays; a column with a higher number is left out first
}

const (
	gap      = 2 // between columns
	minText  = 14
	minHead  = 6
	minFinal = 24 // of the last column, if it is text: a reason or a summary
	minWords = 6  // of a text, if all columns that may be left out are
)

// fitted is the layout of a table.
type fitted struct {
	widths []int // of each column; 0: left out
	// records: the columns do not fit beside each other at all.
	records bool
}

// fit returns the layout of a table on a screen. It first narrows texts, then leaves out columns that may be, then narrows texts
// further.
func fit(fields []field, screen int) fitted {
	widths := make([]int, len(fields))
	kept := make([]bool, len(fields))
	for i := range kept {
		kept[i] = true
	}
	for {
		if need(fields, kept, func(f field) int { return f.least }) <= screen {
			break
		}
		drop := -1
		for i, f := range fields {
			if kept[i] && f.leave > 0 && (drop < 0 || f.leave >= fields[drop].leave) {
				drop = i
			}
		}
		if drop < 0 {
			break
		}
		kept[drop] = false
	}
	least := func(f field) int { return f.least }
	if need(fields, kept, least) > screen {
		least = func(f field) int { return min(f.least, minWords+(f.least-minWords)/4) }
		if need(fields, kept, least) > screen {
			return fitted{records: true}
		}
	}
	spare := screen - need(fields, kept, least)
	for i, f := range fields {
		if kept[i] {
			widths[i] = least(f)
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
