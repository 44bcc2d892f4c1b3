package schema

import "testing"

func TestOffsetOfALaterEpochComesBefore(t *testing.T) {
	for _, c := range [][2]int64{{0, 0}, {0, 12345}, {1, 0}, {1, 5}, {7, 99}, {MaxEpoch, 1 << 39}} {
		at := PositionOffset(c[0], c[1])
		if PositionEpoch(at) != c[0] || KafkaOffset(at) != c[1] {
			t.Errorf("%v: %d is epoch %d, offset %d", c, at, PositionEpoch(at), KafkaOffset(at))
		}
		ref, next := CallRef{Offset: at, Item: 511}, CallRef{Offset: at + 1}
		if c[0] < MaxEpoch {
			next = CallRef{Offset: PositionOffset(c[0]+1, 0)}
		}
		if ref.Version() >= next.Version() {
			t.Errorf("%v: version %d is not before %d", c, ref.Version(), next.Version())
		}
	}
	if PositionOffset(0, 77) != 77 || PositionOffset(-1, 77) != 77 || KafkaOffset(-1) != -1 || PositionEpoch(-1) != 0 {
		t.Error("offsets of the version before change")
	}
	if PositionOffset(MaxEpoch+9, 3) != PositionOffset(MaxEpoch, 3) {
		t.Error("an epoch is too high for a version")
	}
}
