package wsman

import (
	"bufio"
	"strings"
	"testing"
)

func TestAllocs(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	get, invoke := cannedGeneral(t), cannedPower(t)
	page := []byte(pullOf(100))
	var buf []byte
	request := &Envelope{Action: ActionGet, To: Path, ResourceURI: "u", MessageID: "1", ReplyTo: Anonymous}
	settings := &generalSettings{DigestRealm: peerRealm, HostName: "pc1"}
	raw := strings.NewReader("")
	br := bufio.NewReaderSize(raw, maxLine)
	rr := &responseReader{br: br}
	body := make([]byte, 0, 256)
	for name, c := range map[string]struct {
		most float64
		run  func()
	}{
		"Get": {45, func() {
			if _, err := Get[generalSettings](t.Context(), get); err != nil {
				t.Error(err)
			}
		}},
		"Invoke": {50, func() {
			if _, err := invokePower(t.Context(), invoke); err != nil {
				t.Error(err)
			}
		}},
		// Two of each instance: itself and its array.
		"100 instances": {215, func() { decodePull(t, page) }},
		"request": {2, func() {
			var err error
			if buf, err = AppendEnvelope(buf[:0], request); err != nil {
				t.Error(err)
			}
		}},
		"instance": {3, func() {
			var err error
			if buf, err = AppendValue(buf[:0], "AMT_GeneralSettings", "AMT_GeneralSettings", settings); err != nil {
				t.Error(err)
			}
		}},
		"HTTP": {1, func() {
			raw.Reset(chunkedSample)
			br.Reset(raw)
			r, err := rr.header()
			if err == nil {
				body, err = rr.body(r, body[:0], 100)
			}
			if err != nil {
				t.Error(err)
			}
		}},
	} {
		c.run()
		if got := testing.AllocsPerRun(100, c.run); got > c.most {
			t.Errorf("%s: %v allocations, at most %v", name, got, c.most)
		} else {
			t.Logf("%s: %v allocations", name, got)
		}
	}
}
