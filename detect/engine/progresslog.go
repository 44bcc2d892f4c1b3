package engine

// progressLog holds a partition's current progress, and its progress at the offset that a restart
// would replay from.
type progressLog struct {
	now     *progress // after the last record applied
	base    *progress // as of the offset that a restart would replay from
	changes []change  // applied since base, oldest first
}

// apply applies the change of one record.
func (l *progressLog) apply(c *change) {
	l.now.apply(c)
	l.changes = append(l.changes, *c)
}

// moveBase moves the base forward to an offset.
func (l *progressLog) moveBase(offset int64) {
	done := 0
	for done < len(l.changes) && l.changes[done].offset < offset {
		l.base.apply(&l.changes[done])
		done++
	}
	l.changes = append(l.changes[:0], l.changes[done:]...)
}
