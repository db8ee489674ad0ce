package redir

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// fuzzStreams are all messages of a side and session in one stream.
func fuzzStreams(f *testing.F, from Side) {
	for _, session := range []SessionType{0, SOL, KVM, IDER} {
		var stream []byte
		for _, v := range vectors() {
			if v.from == from && v.session == session {
				stream = append(stream, unhex(f, v.hex)...)
			}
		}
		f.Add(uint32(session), uint8(3), stream)
	}
}

// fuzzParser checks that messages and error do not depend on how the stream is cut, that no message is larger than allowed,
// and that what a codec reads it also writes and reads again.
func fuzzParser(f *testing.F, from Side) {
	fuzzStreams(f, from)
	f.Fuzz(func(t *testing.T, session uint32, cut uint8, stream []byte) {
		run := func(size int) (all [][]byte, err error) {
			p := NewParser(from)
			p.SetSession(SessionType(session))
			for rest := stream; len(rest) > 0; {
				piece := rest[:min(size, len(rest))]
				rest = rest[len(piece):]
				for len(piece) > 0 {
					m, n, err := p.Next(piece)
					if err != nil {
						return all, err
					}
					if m == nil && n != len(piece) || n == 0 {
						t.Fatalf("took %d of %d bytes for no message", n, len(piece))
					}
					piece = piece[n:]
					if m != nil {
						if len(m) > MaxMessage {
							t.Fatalf("%d bytes", len(m))
						}
						all = append(all, bytes.Clone(m))
					}
				}
			}
			return all, nil
		}
		whole, wholeErr := run(len(stream) + 1)
		pieces, piecesErr := run(int(cut) + 1)
		if !reflect.DeepEqual(whole, pieces) || (wholeErr == nil) != (piecesErr == nil) {
			t.Fatalf("%x, %v, cut %x, %v", whole, wholeErr, pieces, piecesErr)
		}
		for _, m := range whole {
			for _, v := range vectors() {
				first := reflect.New(reflect.TypeOf(v.message))
				if first.Interface().(wireParser).Parse(m) != nil {
					continue
				}
				again := reflect.New(reflect.TypeOf(v.message))
				if err := again.Interface().(wireParser).Parse(first.Elem().Interface().(wireMessage).Append(nil)); err != nil {
					t.Fatalf("%T of %x: %v", v.message, m, err)
				}
				if !reflect.DeepEqual(first.Interface(), again.Interface()) {
					t.Fatalf("%#v became %#v", first.Interface(), again.Interface())
				}
			}
		}
	})
}

func FuzzParserOperator(f *testing.F) { fuzzParser(f, Operator) }

func FuzzParserDevice(f *testing.F) { fuzzParser(f, AMT) }

func FuzzDigestFields(f *testing.F) {
	f.Add([]byte("\x05admin\x00\x00\x13/RedirectionService\x00\x00\x00\x00"))
	f.Add([]byte("\x01r\x01n\x04auth"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d DigestResponse
		if d.Parse(b) == nil {
			if again, err := d.Append(nil); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x became %x, %v", b, again, err)
			}
		}
		var c DigestChallenge
		if c.Parse(b) == nil {
			if again, err := c.Append(nil); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x became %x, %v", b, again, err)
			}
		}
	})
}

// FuzzSCSI decodes command blocks, and lets a drive answer them.
func FuzzSCSI(f *testing.F) {
	for op := range 256 {
		f.Add(append([]byte{byte(op)}, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0), true, int64(2048*10))
	}
	f.Add(bytes.Repeat([]byte{0xFF}, 12), false, int64(0))
	f.Fuzz(func(t *testing.T, block []byte, cd bool, size int64) {
		if len(block) != 12 {
			t.Skip()
		}
		cdb := [12]byte(block)
		c := ParseSCSI(cdb)
		if again := ParseSCSI(c.CDB()); again != c {
			t.Fatalf("%+v became %+v", c, again)
		}
		id := Floppy
		if cd {
			id = CD
		}
		s := NewMediaServer(MediaServerConfig{Floppy: size, CD: size})
		s.Start(nil)
		h := NewDiskHost(DiskHostConfig{ReadBuffer: 1000})
		pump(t, s, h)
		into := make([]byte, 1<<18)
		out, err := h.Command(nil, HostCommand{Drive: id, CDB: cdb, Into: into, Write: make([]byte, maxBuffer)})
		if err != nil {
			t.Fatal(err)
		}
		m, _ := cut(t, AMT, out)
		toHost, err := s.Receive(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		for pieces := 0; ; pieces++ {
			for len(toHost) > 0 {
				var rest []byte
				m, rest = cut(t, Operator, toHost)
				toHost = rest
				back, err := h.Receive(nil, m)
				if err != nil {
					if c.Blocks > 100 {
						return // more than the host has room for
					}
					t.Fatalf("%+v: %v", c, err)
				}
				if len(back) > 0 {
					answer, _ := cut(t, AMT, back)
					if toHost, err = s.Receive(toHost, answer); err != nil {
						t.Fatal(err)
					}
				}
			}
			r, ok := s.Next()
			if !ok {
				break
			}
			if pieces > 1000 {
				return // megabytes
			}
			// The last block may go on beyond the end of the medium.
			if r.Offset < 0 || r.Offset-size >= id.BlockSize() || r.Length <= 0 || r.Length > 1000 {
				t.Fatalf("%+v of %d bytes", r, size)
			}
			toHost = s.Deliver(nil, make([]byte, r.Length), nil)
		}
		if _, ok := h.Result(); !ok {
			t.Fatalf("%+v has no answer", c)
		}
	})
}

func cut(t *testing.T, from Side, b []byte) (Message, []byte) {
	t.Helper()
	p := NewParser(from)
	p.SetSession(IDER)
	m, n, err := p.Next(b)
	if err != nil || m == nil {
		t.Fatalf("%x: %v", b, err)
	}
	return m, b[n:]
}

// pump opens a session between both machines.
func pump(t *testing.T, s *MediaServer, h *DiskHost) {
	t.Helper()
	s2 := NewMediaServer(MediaServerConfig{}) // Start was called already: its message is always the same
	toHost := s2.Start(nil)
	for len(toHost) > 0 {
		m, _ := cut(t, Operator, toHost)
		back, err := h.Receive(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		m, _ = cut(t, AMT, back)
		if toHost, err = s.Receive(nil, m); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzMediaServer gives the operator's end of IDE-R anything a device may send, numbered as it has to be.
func FuzzMediaServer(f *testing.F) {
	var stream []byte
	for _, v := range vectors() {
		if v.from == AMT && v.session == IDER {
			stream = append(stream, unhex(f, v.hex)...)
		}
	}
	f.Add(stream, uint8(0))
	f.Add(stream, uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, every uint8) {
		s := NewMediaServer(MediaServerConfig{Floppy: 1 << 20, CD: 1 << 40})
		s.Start(nil)
		p := NewParser(AMT)
		p.SetSession(IDER)
		out := uint32(1)
		check := func(b []byte) {
			for len(b) > 0 {
				m, rest := cut(t, Operator, b)
				if m.Sequence() != out {
					t.Fatalf("message %d has number %d", out, m.Sequence())
				}
				out++
				b = rest
			}
		}
		for n := uint32(0); len(stream) > 0; {
			m, taken, err := p.Next(stream)
			stream = stream[taken:]
			if err != nil || m == nil {
				return
			}
			m = bytes.Clone(m)
			binary.LittleEndian.PutUint32(m[4:], n)
			n++
			b, err := s.Receive(nil, m)
			check(b)
			if err != nil {
				if _, again := s.Receive(nil, m); !errors.Is(again, err) {
					t.Fatalf("%v, then %v", err, again)
				}
				return
			}
			if every == 0 || n%uint32(every) == 0 {
				if r, ok := s.Next(); ok {
					check(s.Deliver(nil, make([]byte, r.Length), nil))
				}
			}
			if len(s.queue) > maxCommands {
				t.Fatalf("%d commands wait", len(s.queue))
			}
		}
	})
}

// FuzzDiskHost gives the device's end of IDE-R anything an operator may send.
func FuzzDiskHost(f *testing.F) {
	var stream []byte
	for _, v := range vectors() {
		if v.from == Operator && v.session == IDER {
			stream = append(stream, unhex(f, v.hex)...)
		}
	}
	f.Add(stream)
	f.Fuzz(func(t *testing.T, stream []byte) {
		h := NewDiskHost(DiskHostConfig{})
		p := NewParser(Operator)
		p.SetSession(IDER)
		for n := uint32(0); len(stream) > 0; n++ {
			m, taken, err := p.Next(stream)
			stream = stream[taken:]
			if err != nil || m == nil {
				return
			}
			m = bytes.Clone(m)
			if len(m) >= signalLen {
				binary.LittleEndian.PutUint32(m[4:], n)
			}
			b, err := h.Receive(nil, m)
			for len(b) > 0 {
				_, b = cut(t, AMT, b)
			}
			if err != nil {
				return
			}
			if h.Mode() != 0 && !h.Resetting() {
				_, _ = h.Command(nil, HostCommand{Drive: CD, Into: make([]byte, 100), Write: make([]byte, 100)})
			}
		}
	})
}

// FuzzLogins gives both logins anything.
func FuzzLogins(f *testing.F) {
	for _, from := range []Side{Operator, AMT} {
		var stream []byte
		for _, v := range vectors() {
			if v.from == from && v.session == 0 && v.name != "busy" {
				stream = append(stream, unhex(f, v.hex)...)
			}
		}
		f.Add(from == AMT, stream)
	}
	f.Fuzz(func(t *testing.T, toClient bool, stream []byte) {
		client, server := NewClientLogin(SOL, testCredentials()), testServer(nil)
		p := NewParser(Operator)
		if toClient {
			p = NewParser(AMT)
		}
		for len(stream) > 0 {
			m, n, err := p.Next(stream)
			stream = stream[n:]
			if err != nil || m == nil {
				return
			}
			var done bool
			if toClient {
				_, done, err = client.Receive(nil, m)
			} else {
				_, done, err = server.Receive(nil, m)
				if done {
					t.Fatal("logged in without the password")
				}
			}
			if err != nil || done {
				return
			}
		}
	})
}

// FuzzRedirInterceptor gives both sides of the interceptor anything, in both cuts, and looks for what may not get through.
func FuzzRedirInterceptor(f *testing.F) {
	for _, v := range vectors() {
		if v.session == 0 {
			f.Add(unhex(f, v.hex), unhex(f, "14 00 00 00 00 01 00 00 00 04"), uint8(1))
		}
	}
	data, _ := DigestChallenge{testRealm, testNonce, "auth"}.Append(nil)
	f.Add([]byte(operatorLogin(f, nil)), AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil), uint8(0))
	f.Fuzz(func(t *testing.T, operator, device []byte, size uint8) {
		run := func(size int) (toDevice, toOperator []byte, direct bool) {
			i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
			toOperator = feedPieces(i.FromDevice, device, size)
			toDevice = feedPieces(i.FromOperator, operator, size)
			if i.err == nil && cap(i.operator.buf)+cap(i.device.buf) > 4*maxAuthData+len(operator)+len(device) {
				t.Fatal("too much is kept")
			}
			return toDevice, toOperator, i.Authenticated()
		}
		wholeDevice, wholeOperator, direct := run(len(operator) + len(device) + 1)
		pieceDevice, pieceOperator, _ := run(int(size) + 1)
		if len(wholeDevice) != len(pieceDevice) || !bytes.Equal(wholeOperator, pieceOperator) {
			t.Fatalf("%x %x, cut %x %x", wholeDevice, wholeOperator, pieceDevice, pieceOperator)
		}
		if direct {
			return
		}
		p := NewParser(Operator)
		for rest := wholeDevice; len(rest) > 0; {
			m, n, err := p.Next(rest)
			if err != nil || m == nil {
				t.Fatalf("%x is sent to the device: %v", wholeDevice, err)
			}
			rest = rest[n:]
			var auth AuthRequest
			if auth.Parse(m) != nil || auth.Type == AuthQuery {
				continue
			}
			var d DigestResponse
			if auth.Type != AuthDigest || d.Parse(auth.Data) != nil || d.Username != "admin" {
				t.Fatalf("%x is sent to the device", []byte(m))
			}
		}
	})
}

func feedPieces(direction func(dst, src []byte) ([]byte, error), src []byte, size int) []byte {
	var out []byte
	var err error
	for len(src) > 0 && err == nil {
		piece := src[:min(size, len(src))]
		src = src[len(piece):]
		out, err = direction(out, piece)
	}
	return out
}

// FuzzHTTPInterceptor gives both sides of the interceptor anything, in both cuts. Nothing of a request's own credentials gets
// through in any head.
func FuzzHTTPInterceptor(f *testing.F) {
	for _, request := range []string{
		"POST /wsman HTTP/1.1\r\nAuthorization: foreign\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
	} {
		for _, answer := range []string{
			"HTTP/1.1 401 X\r\nWWW-Authenticate: " + testChallenge + "\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end",
		} {
			f.Add([]byte(request), []byte(answer), uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, operator, device []byte, size uint8) {
		run := func(size int) (toDevice, toOperator []byte) {
			i := testHTTP(nil)
			i.cnonce = "0123456789"
			toOperator = feedPieces(i.FromDevice, device, size)
			toDevice = feedPieces(i.FromOperator, operator, size)
			if cap(i.requests.buf)+cap(i.answers.buf) > 4*MaxHead+len(operator)+len(device) {
				t.Fatal("too much is kept")
			}
			return toDevice, toOperator
		}
		wholeDevice, wholeOperator := run(len(operator) + len(device) + 1)
		pieceDevice, pieceOperator := run(int(size) + 1)
		if !bytes.Equal(wholeDevice, pieceDevice) || !bytes.Equal(wholeOperator, pieceOperator) {
			t.Fatalf("%q %q, cut %q %q", wholeDevice, wholeOperator, pieceDevice, pieceOperator)
		}
		if !bytes.HasPrefix(device, wholeOperator) && !bytes.Contains(bytes.ToLower(device), []byte("authentication-info")) {
			t.Fatalf("answers were changed: %q, %q", device, wholeOperator)
		}
		// What another parser makes of it.
		r := bufio.NewReader(bytes.NewReader(wholeDevice))
		for {
			request, err := http.ReadRequest(r)
			if err != nil {
				break
			}
			_, err = io.Copy(io.Discard, request.Body)
			for _, value := range append(request.Header["Authorization"], request.Trailer["Authorization"]...) {
				if !strings.HasPrefix(value, `Digest username="admin",`) || len(request.Header["Authorization"]) > 1 {
					t.Fatalf("%q is sent to the device", value)
				}
			}
			if err != nil {
				break
			}
		}
		// The first head that is sent on.
		head, _, ok := strings.Cut(string(wholeDevice), "\r\n\r\n")
		if !ok {
			return
		}
		fields := 0
		for _, line := range strings.Split(head, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(strings.TrimSpace(name), "Authorization") {
				fields++
				if !strings.HasPrefix(value, ` Digest username="admin",`) {
					t.Fatalf("%q is sent to the device", line)
				}
			}
		}
		if fields > 1 {
			t.Fatalf("%q", head)
		}
	})
}
