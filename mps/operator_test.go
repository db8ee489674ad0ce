//go:build !js

package mps

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// operatorRig is an operator's WebSocket and the other end of the connection that it is joined with.
type operatorRig struct {
	ws     *msgconn.WebSocket
	device net.Conn
	ended  chan error
	sent   chan Traffic
}

func newOperatorRig(t *testing.T) *operatorRig {
	t.Helper()
	near, far := net.Pipe()
	r := &operatorRig{device: far, ended: make(chan error, 1), sent: make(chan Traffic, 1)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		sent, err := ServeOperator(w, req, near, OperatorOptions{})
		r.sent <- sent
		r.ended <- err
	}))
	t.Cleanup(web.Close)
	var err error
	if r.ws, err = msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), msgconn.DialOptions{ReadLimit: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		far.Close()
		r.ws.Close(0, "")
	})
	return r
}

func TestOperator(t *testing.T) {
	r := newOperatorRig(t)
	up, down := make([]byte, 300_000), make([]byte, 500_000)
	rand.Read(up)
	rand.Read(down)
	wrote := make(chan error, 2)
	go func() {
		_, err := r.device.Write(down)
		wrote <- err
	}()
	go func() {
		wrote <- func() error {
			for _, n := range []int{0, 1, 125, 126, 65535, 65536, len(up)} {
				if err := r.ws.WriteMessage(t.Context(), msgconn.Binary, up[:n]); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	got := make(chan []byte, 1)
	var want []byte
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, len(up)} {
		want = append(want, up[:n]...)
	}
	go func() {
		b := make([]byte, len(want))
		io.ReadFull(r.device, b)
		got <- b
	}()
	var received []byte
	for len(received) < len(down) {
		typ, m, err := r.ws.ReadMessage(t.Context())
		if err != nil || typ != msgconn.Binary || len(m) == 0 {
			t.Fatalf("%v, %d bytes, %v", typ, len(m), err)
		}
		received = append(received, m...)
	}
	if !bytes.Equal(received, down) {
		t.Error("the operator received something else than the device sent")
	}
	if !bytes.Equal(<-got, want) {
		t.Error("the device received something else than the operator sent")
	}
	for range 2 {
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	}
	r.device.Close()
	var closed *msgconn.CloseError
	if _, _, err := r.ws.ReadMessage(t.Context()); !errors.As(err, &closed) || closed.Code != msgconn.CloseNormal {
		t.Errorf("the operator is told %v", err)
	}
	if sent := <-r.sent; sent.FromDevice != int64(len(down)) || sent.FromOperator != int64(len(want)) {
		t.Errorf("%+v", sent)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestOperatorSendsText(t *testing.T) {
	r := newOperatorRig(t)
	if err := r.ws.WriteMessage(t.Context(), msgconn.Text, []byte("a\u00ff\u0100\u20ac\U0001f600")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(r.device, b); err != nil || string(b) != "a\xff\x00\xac\x00" {
		t.Errorf("%q, %v", b, err)
	}
	if err := r.ws.Close(msgconn.CloseNormal, ""); err != nil {
		t.Error(err)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	if _, err := r.device.Read(b); !errors.Is(err, io.EOF) {
		t.Errorf("the device's end: %v", err)
	}
}

func TestTextDecoder(t *testing.T) {
	text := "a\u00ff\u0100\u20ac\U0001f600z"
	for cut := range len(text) + 1 {
		var d textDecoder
		got := append(bytes.Clone(d.decode([]byte(text[:cut]))), d.decode([]byte(text[cut:]))...)
		if string(got) != "a\xff\x00\xac\x00z" {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}

func TestOperatorGoesAway(t *testing.T) {
	r := newOperatorRig(t)
	r.ws.Close(0, "")
	<-r.ended
	if _, err := r.device.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the device's end: %v", err)
	}
}

// TestOperatorBreaksTheRules is what a client may not do, in frames.
func TestOperatorBreaksTheRules(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	for name, frame := range map[string][]byte{
		"no mask":           msgconn.AppendFrame(nil, uint8(msgconn.Binary), nil, []byte("x")),
		"continues nothing": msgconn.AppendFrame(nil, msgconn.OpContinuation, &mask, []byte("x")),
		"an unknown opcode": msgconn.AppendFrame(nil, 7, &mask, []byte("x")),
		"a message in a message": append(msgconn.AppendFrameHeader(nil, msgconn.FrameHeader{Opcode: uint8(msgconn.Binary), Masked: true}),
			msgconn.AppendFrame(nil, uint8(msgconn.Binary), &mask, nil)...),
	} {
		near, far := net.Pipe()
		ws, operator := net.Pipe()
		p := &operatorPipe{ws: ws, device: near, timeout: 1 << 30}
		ended := make(chan error, 1)
		go func() { ended <- p.fromOperator() }()
		operator.Write(frame)
		operator.Close()
		if err := <-ended; !errors.Is(err, msgconn.ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
		near.Close()
		far.Close()
	}
}
