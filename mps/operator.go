//go:build !js

package mps

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// OperatorOptions say how ServeOperator takes a request. Its zero value works.
type OperatorOptions struct {
	// CheckOrigin decides on requests with an Origin header. Nil takes those from the server's own host and port.
	CheckOrigin func(*http.Request) bool
	// WriteTimeout is how long the operator may take to receive what is sent. Default 30 s.
	WriteTimeout time.Duration
}

// Traffic is what went through a connection, in bytes.
type Traffic struct {
	FromDevice, FromOperator int64
}

// ServeOperator makes a WebSocket of an operator's request and passes on what comes, both ways, between it and a connection
// to a port of a device, until one of them ends; it closes both. Who may ask for what is the caller's to check before. That
// is /webrelay.ashx of a stock server: messages are the bytes of the connection, in pieces that mean nothing; text ones are
// taken as one byte a character.
//
// Confirmed in webserver.js, handleRelayWebSocket.
func ServeOperator(w http.ResponseWriter, r *http.Request, device net.Conn, o OperatorOptions) (Traffic, error) {
	defer device.Close()
	def(&o.WriteTimeout, 30*time.Second)
	ws, err := msgconn.Hijack(w, r, msgconn.UpgradeOptions{CheckOrigin: o.CheckOrigin})
	if err != nil {
		return Traffic{}, fmt.Errorf("mps: operator: %w", err)
	}
	p := &operatorPipe{ws: ws, device: device, timeout: o.WriteTimeout}
	defer ws.Close()
	ended := make(chan error, 2)
	go func() { ended <- p.fromOperator() }()
	go func() { ended <- p.fromDevice() }()
	err = <-ended
	device.Close() // the other one ends with it
	code, reason := msgconn.CloseNormal, ""
	if err != nil {
		code, reason = msgconn.CloseGoingAway, "the connection to the device ended"
	}
	if werr := p.write(msgconn.AppendCloseFrame(nil, code, reason)); werr == nil {
		ws.SetReadDeadline(time.Now().Add(closeTime))
	} else {
		ws.Close()
	}
	<-ended
	return Traffic{FromDevice: p.down.Load(), FromOperator: p.up.Load()}, err
}

// closeTime is how long an operator has to answer a close frame.
const closeTime = time.Second

// operatorPipe joins an operator's WebSocket with a connection.
type operatorPipe struct {
	ws, device net.Conn
	timeout    time.Duration
	writing    sync.Mutex
	down, up   atomic.Int64
}

func (p *operatorPipe) write(frame []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.ws.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return err
	}
	_, err := p.ws.Write(frame)
	return err
}

// downBuffer is how much of what a device sends is one message at most.
const downBuffer = 64 << 10

// fromDevice makes messages of what the device sends, each from one buffer in one write.
func (p *operatorPipe) fromDevice() error {
	const room = 10 // for the header
	buf := make([]byte, room+downBuffer)
	for {
		n, err := p.device.Read(buf[room:])
		if n > 0 {
			p.down.Add(int64(n))
			var header [msgconn.MaxFrameHeader]byte
			h := msgconn.AppendFrameHeader(header[:0], msgconn.FrameHeader{Final: true, Opcode: uint8(msgconn.Binary), Length: uint64(n)})
			start := room - len(h)
			copy(buf[start:], h)
			if err := p.write(buf[start : room+n]); err != nil {
				return fmt.Errorf("mps: to operator: %w", err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("mps: from device: %w", err)
		}
	}
}

// fromOperator passes on what messages hold, and answers control frames.
func (p *operatorPipe) fromOperator() error {
	in := bufio.NewReaderSize(p.ws, 16<<10)
	var text textDecoder
	var message uint8 // opcode of the message that goes on
	for {
		h, err := readFrameHeader(in)
		if err != nil {
			return fromOperatorError(err)
		}
		if !h.Masked {
			return fmt.Errorf("mps: from operator: %w: not masked", msgconn.ErrFrame)
		}
		mask := msgconn.NewMasker(h.Mask)
		if h.Control() {
			if done, err := p.control(in, h, &mask); done || err != nil {
				return err
			}
			continue
		}
		if (h.Opcode == msgconn.OpContinuation) != (message != 0) {
			return fmt.Errorf("mps: from operator: %w: a message within another", msgconn.ErrFrame)
		}
		if message == 0 {
			message = h.Opcode
		}
		if err := p.payload(in, h.Length, &mask, message == uint8(msgconn.Text), &text); err != nil {
			return err
		}
		if h.Final {
			message = 0
		}
	}
}

func fromOperatorError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("mps: from operator: %w", err)
}

// control takes a ping, a pong or a close frame, and says whether it was the last.
func (p *operatorPipe) control(in *bufio.Reader, h msgconn.FrameHeader, mask *msgconn.Masker) (done bool, err error) {
	payload := make([]byte, h.Length) // which ParseFrameHeader bounds
	if _, err := io.ReadFull(in, payload); err != nil {
		return false, fromOperatorError(err)
	}
	mask.XOR(payload, payload)
	switch h.Opcode {
	case msgconn.OpClose:
		return true, nil
	case msgconn.OpPing:
		return false, p.write(msgconn.AppendFrame(nil, msgconn.OpPong, nil, payload))
	}
	return false, nil
}

// payload passes a frame's on, as it comes.
func (p *operatorPipe) payload(in *bufio.Reader, length uint64, mask *msgconn.Masker, isText bool, text *textDecoder) error {
	for length > 0 {
		if _, err := in.Peek(1); err != nil {
			return fromOperatorError(err)
		}
		b, err := in.Peek(int(min(uint64(in.Buffered()), length)))
		if err != nil {
			return fromOperatorError(err)
		}
		mask.XOR(b, b) // in the reader's buffer, from which it is gone then
		n := len(b)
		out := b
		if isText {
			out = text.decode(b)
		}
		if len(out) > 0 {
			p.up.Add(int64(len(out)))
			if _, err := p.device.Write(out); err != nil {
				return fmt.Errorf("mps: to device: %w", err)
			}
		}
		if _, err := in.Discard(n); err != nil {
			return fromOperatorError(err)
		}
		length -= uint64(n)
	}
	return nil
}

func readFrameHeader(in *bufio.Reader) (h msgconn.FrameHeader, err error) {
	for want := 2; ; want++ {
		b, err := in.Peek(want)
		if err != nil {
			return h, err
		}
		h, n, err := msgconn.ParseFrameHeader(b)
		if err != nil {
			return h, err
		}
		if n > 0 {
			_, err := in.Discard(n)
			return h, err
		}
	}
}

// textDecoder turns text into bytes, one a character: the low eight bits of each, as Node.js does.
type textDecoder struct{ rest []byte }

func (d *textDecoder) decode(b []byte) []byte {
	b = append(d.rest, b...)
	out := make([]byte, 0, len(b))
	for len(b) > 0 && utf8.FullRune(b) {
		r, n := utf8.DecodeRune(b)
		out = append(out, byte(r))
		b = b[n:]
	}
	d.rest = append([]byte(nil), b...)
	return out
}
