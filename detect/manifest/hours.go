package manifest

import "time"

func (h *hours) contain(now int64) bool {
	t := time.Unix(0, now).In(h.zone)
	at, today := t.Hour()*60+t.Minute(), int(t.Weekday())
	if h.from < h.to {
		return h.days>>today&1 == 1 && at >= h.from && at < h.to
	}
	if at >= h.from {
		return h.days>>today&1 == 1
	}
	return at < h.to && h.days>>((today+6)%7)&1 == 1 // the night that began yesterday
}
