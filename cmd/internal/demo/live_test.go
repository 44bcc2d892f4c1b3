package demo

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestLiveCallsHaveTheRecordedBodySize(t *testing.T) {
	var sizes []int64
	g := &gateway{keys: map[string]string{}, forAgent: map[string]string{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sizes = append(sizes, r.ContentLength) }))
	defer g.Server.Close()
	s := &stage{gw: g, client: g.Client()}
	for _, c := range []call{{Method: "POST", Path: "/a", Body: 71}, {Method: "GET", Path: "/b", Body: 22}, {Method: "GET", Path: "/c"}} {
		if _, _, err := s.request(t.Context(), &run{agent: "a"}, "r", c); err != nil {
			t.Fatal(err)
		}
	}
	if len(sizes) != 3 || sizes[0] != 71 || sizes[1] != 22 || sizes[2] != 0 {
		t.Errorf("bodies of %v bytes, recorded 71, 22, 0", sizes)
	}
}
