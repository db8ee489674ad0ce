package redir

import "testing"

// TestAllocs: what goes through in numbers needs no memory of its own.
func TestAllocs(t *testing.T) {
	if raceDetector {
		t.Skip("not counted under the race detector")
	}
	out := make([]byte, 0, MaxMessage)
	none := func(what string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	data := make([]byte, 8192)
	piece := IDERDataToHost{Sequence: 1, Select: 0xB0, Data: data}
	none("append of data to the host", func() { out = piece.Append(out[:0]) })
	whole := piece.Append(nil)
	none("parsing it", func() {
		var m IDERDataToHost
		if m.Parse(whole) != nil {
			t.Error("not parsed")
		}
	})
	p := NewParser(Operator)
	p.SetSession(IDER)
	cut := func() {
		for rest := whole; len(rest) > 0; {
			_, n, _ := p.Next(rest[:min(len(rest), 1000)])
			rest = rest[n:]
		}
	}
	cut() // its buffer has its size then
	none("cutting it out of a stream", cut)
	keys := SOLData{Operator, 1, []byte("keys")}
	none("keys", func() { out = keys.Append(out[:0]) })
	cdb := SCSICommand{Op: OpRead10, LBA: 1, Blocks: 32}.CDB()
	none("a command block", func() { _ = ParseSCSI(cdb) })

	s := NewMediaServer(MediaServerConfig{CD: 1 << 30})
	s.Start(nil)
	for n, m := range []wireMessage{IDEROpenReply{ReadBuffer: 8192}, IDERFeaturesReply{1, FeaturesToggle, 1}} {
		if _, err := s.Receive(nil, m.Append(nil)); err != nil {
			t.Fatal(n, err)
		}
	}
	command := make([]byte, 0, 100)
	n := uint32(2)
	none("a read of 64 KiB", func() {
		command = IDERCommand{Sequence: n, Select: 0xB0, CDB: cdb}.Append(command[:0])
		n++
		if _, err := s.Receive(out[:0], command); err != nil {
			t.Fatal(err)
		}
		for {
			r, ok := s.Next()
			if !ok {
				return
			}
			s.Deliver(out[:0], data[:r.Length], nil)
		}
	})

	i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
	if _, err := i.FromDevice(nil, AuthReply{Type: AuthDigest}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	none("a transparent interceptor", func() { out, _ = i.FromOperator(out[:0], data) })
	h := testHTTP(nil)
	if _, err := h.FromOperator(nil, []byte("POST / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	none("the body of a request", func() { out, _ = h.FromOperator(out[:0], data) })
}
