package decode

// attempt runs read, which decodes bytes that may be a record. If read rejected them and made no call, attempt takes back what it did and
// returns false.
func (dec *decoder) attempt(read func()) bool {
	calls, dead, item, full, origins := len(dec.out), len(dec.rejected), dec.item, dec.full, len(dec.origins)
	read()
	if len(dec.out) > calls || len(dec.rejected) == dead {
		return true
	}
	dec.out, dec.rejected, dec.item, dec.full, dec.origins = dec.out[:calls], dec.rejected[:dead], item, full, dec.origins[:origins]
	return false
}
