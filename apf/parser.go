package apf

import (
	"encoding/binary"
	"io"
)

// Parser finds the messages in a stream, however it was cut. It keeps only the beginning of a message that has not come
// whole, within limits, and nothing of the data of channels. It does not allocate while messages come whole.
type Parser struct {
	side     Side
	limits   Limits
	loggedIn bool

	buf  []byte // the beginning of a message
	need int    // how long buf must be before it is looked at again
	used bool   // buf was returned

	data ChannelData // what is being received, while left is not zero
	left uint32

	// The answers that are due, the oldest in the lowest bit: whether it brings a port.
	due      uint64
	dueCount int
	stray    bool // a zero may follow that is to be dropped
	err      error

	// What Next returns points to one of these.
	msg struct {
		disconnect   Disconnect
		success      UserAuthSuccess
		granted      RequestSuccess
		denied       RequestFailure
		confirmation ChannelOpenConfirmation
		openFailure  ChannelOpenFailure
		adjust       WindowAdjust
		data         ChannelData
		close        ChannelClose
		version      ProtocolVersion
		keepAlive    KeepAliveRequest
		alive        KeepAliveReply
		options      KeepAliveOptionsRequest
		agreed       KeepAliveOptionsReply
	}
	text *textMessages
}

// textMessages are the messages with text, which a connection has little use for once it is logged in.
type textMessages struct {
	request ServiceRequest
	accept  ServiceAccept
	auth    UserAuthRequest
	failure UserAuthFailure
	forward TCPForward
	cancel  CancelTCPForward
	udp     UDPSendTo
	unknown UnknownRequest
	open    ChannelOpen
	control JSONControl
}

// NewParser returns a parser of what the given side receives.
func NewParser(side Side, l Limits) *Parser {
	p := new(Parser)
	p.init(side, l)
	return p
}

func (p *Parser) init(side Side, l Limits) { p.side, p.limits = side, l.withDefaults() }

// LoggedIn puts the limits for the time after the login in force. Before, the server's side takes messages of the login only.
func (p *Parser) LoggedIn() { p.loggedIn = true }

// maxDue is how many global requests can be unanswered.
const maxDue = 64

// Expect announces the answer to a global request that is being sent, which brings a port or does not: the answers can not be
// told apart by themselves. It reports whether there was room for it.
func (p *Parser) Expect(port bool) bool {
	if p.dueCount == maxDue {
		return false
	}
	if port {
		p.due |= 1 << p.dueCount
	}
	p.dueCount++
	return true
}

// Forget drops what refers to the bytes that were read: the message that Next returned last is not valid any more. What is
// read into can be given back then.
func (p *Parser) Forget() { p.text, p.msg.data.Data = nil, nil }

// Next reads from b and returns a message, or nil if b ends before one does, and how much of b it took. The message, and what
// it refers to in b, is valid until the next call. After an error nothing more can be read.
func (p *Parser) Next(b []byte) (m Message, n int, err error) {
	if p.err != nil {
		return nil, 0, p.err
	}
	if p.used {
		p.used = false
		if p.buf = p.buf[:0]; cap(p.buf) > 128 {
			p.buf = nil // idle connections hold nothing
		}
	}
	if p.stray && len(b) > 0 {
		p.stray = false
		if b[0] == 0 {
			b, n = b[1:], 1
		}
	}
	m, k, err := p.next(b)
	if err != nil {
		p.err = err
		return nil, n + k, err
	}
	return m, n + k, nil
}

func (p *Parser) next(b []byte) (m Message, n int, err error) {
	if p.left > 0 {
		m, n = p.piece(b)
		return m, n, nil
	}
	if len(b) == 0 {
		return nil, 0, nil
	}
	if len(p.buf) == 0 {
		if len(b) >= dataHeader && Type(b[0]) == TypeChannelData && (p.loggedIn || p.side == SideDevice) {
			return p.frame(b)
		}
		need, whole, err := p.measure(b)
		if err != nil {
			return nil, 0, err
		}
		if whole && len(b) >= need {
			m, err = p.decode(b[:need])
			return m, need, err
		}
		p.buf, p.need = append(p.buf, b...), need
		return nil, len(b), nil
	}
	for {
		k := min(p.need-len(p.buf), len(b)-n)
		p.buf = append(p.buf, b[n:n+k]...)
		n += k
		if len(p.buf) < p.need {
			return nil, n, nil
		}
		if Type(p.buf[0]) == TypeChannelData {
			m, _, err := p.frame(p.buf)
			p.used = true
			if m == nil && err == nil && n < len(b) {
				m, k = p.piece(b[n:])
				n += k
			}
			return m, n, err
		}
		need, whole, err := p.measure(p.buf)
		if err != nil {
			return nil, n, err
		}
		if whole && len(p.buf) >= need {
			p.used = true
			m, err = p.decode(p.buf)
			return m, n, err
		}
		p.need = need
	}
}

// frame reads the header of a ChannelData and what is there of its data.
func (p *Parser) frame(b []byte) (m Message, n int, err error) {
	length := binary.BigEndian.Uint32(b[5:])
	if int64(length) > int64(p.limits.Data) {
		return nil, 0, tooMuch(TypeChannelData, "%d bytes of data", length)
	}
	p.data = ChannelData{Recipient: binary.BigEndian.Uint32(b[1:]), Length: length}
	p.left = length
	if length == 0 {
		p.msg.data = p.data
		return &p.msg.data, dataHeader, nil
	}
	m, n = p.piece(b[dataHeader:])
	return m, dataHeader + n, nil
}

// piece returns what is there of the data of the current frame.
func (p *Parser) piece(b []byte) (Message, int) {
	k := min(uint64(p.left), uint64(len(b)))
	if k == 0 {
		return nil, 0
	}
	p.msg.data = p.data
	p.msg.data.Data = b[:k]
	p.data.Offset += uint32(k)
	p.left -= uint32(k)
	return &p.msg.data, int(k)
}

// EOF tells that the stream has ended. It returns a last message, a Disconnect that some send without its last two bytes,
// or [io.ErrUnexpectedEOF] if the stream ended within a message.
func (p *Parser) EOF() (Message, error) {
	switch {
	case p.err != nil:
		return nil, p.err
	case p.left > 0:
		return nil, io.ErrUnexpectedEOF
	case p.used || len(p.buf) == 0:
		return nil, nil
	case Type(p.buf[0]) == TypeDisconnect && len(p.buf) >= 5:
		p.used = true
		return p.decode(p.buf)
	}
	return nil, io.ErrUnexpectedEOF
}

// beforeLogin says whether a device may send a message before it is logged in.
func beforeLogin(t Type) bool {
	switch t {
	case TypeDisconnect, TypeServiceRequest, TypeUserAuthRequest, TypeProtocolVersion, TypeJSONControl:
		return true
	default:
		return false
	}
}

// measure says how long a message is, or, if that can not be said yet, how much of it is needed to go on.
func (p *Parser) measure(b []byte) (need int, whole bool, err error) {
	t := Type(b[0])
	if p.side == SideServer && !p.loggedIn && !beforeLogin(t) {
		return 0, false, unexpected(t, "before the login")
	}
	w := walk{b: b, at: 1, typ: t}
	switch t {
	case TypeDisconnect:
		w.skip(6)
	case TypeServiceRequest, TypeServiceAccept:
		w.str(maxService, "service")
	case TypeUserAuthRequest:
		w.str(maxUser, "user name")
		w.str(maxService, "service")
		if string(w.str(maxMethod, "method")) == MethodPassword {
			w.skip(1)
			w.str(maxPassword, "password")
		}
	case TypeUserAuthFailure:
		w.str(maxMethods, "methods")
		w.skip(1)
	case TypeUserAuthSuccess, TypeRequestFailure:
	case TypeGlobalRequest:
		name := w.str(maxRequest, "request")
		w.skip(1)
		switch string(name) {
		case RequestForward, RequestCancelForward:
			w.str(maxAddress, "address")
			w.skip(4)
		case RequestUDPSendTo:
			w.str(maxAddress, "address")
			w.skip(4)
			w.str(maxAddress, "originator")
			w.skip(4)
			w.str(p.limits.UDP, "data")
		}
	case TypeRequestSuccess:
		if p.dueCount > 0 && p.due&1 != 0 {
			w.skip(4)
		}
	case TypeChannelOpen:
		w.str(maxChannelType, "channel type")
		w.skip(12)
		w.str(maxAddress, "address")
		w.skip(4)
		w.str(maxAddress, "originator")
		w.skip(4)
	case TypeChannelOpenConfirmation, TypeChannelOpenFailure:
		w.skip(16)
	case TypeChannelWindowAdjust, TypeChannelData, TypeKeepAliveOptionsRequest, TypeKeepAliveOptionsReply:
		w.skip(8)
	case TypeChannelClose, TypeKeepAliveRequest, TypeKeepAliveReply:
		w.skip(4)
	case TypeProtocolVersion:
		w.skip(92)
	case TypeJSONControl:
		limit := p.limits.JSON
		if !p.loggedIn {
			limit = min(limit, p.limits.LoginBytes)
		}
		w.str(limit, "JSON")
	default:
		return 0, false, malformed(t, "no such message")
	}
	return w.at, !w.short, w.err
}

// hasText says whether a message has text.
func hasText(t Type) bool {
	switch t {
	case TypeServiceRequest, TypeServiceAccept, TypeUserAuthRequest, TypeUserAuthFailure, TypeGlobalRequest, TypeChannelOpen, TypeJSONControl:
		return true
	default:
		return false
	}
}

// decode reads a message whose length was measured.
func (p *Parser) decode(b []byte) (Message, error) {
	t := Type(b[0])
	w := walk{b: b, at: 1, typ: t}
	if p.text == nil && hasText(t) {
		p.text = new(textMessages)
	}
	switch t {
	case TypeDisconnect:
		p.msg.disconnect = Disconnect{DisconnectReason(w.u32())}
		return &p.msg.disconnect, nil
	case TypeServiceRequest:
		p.text.request = ServiceRequest{w.str(maxService, "")}
		return &p.text.request, nil
	case TypeServiceAccept:
		p.text.accept = ServiceAccept{w.str(maxService, "")}
		return &p.text.accept, nil
	case TypeUserAuthRequest:
		m := UserAuthRequest{User: w.str(maxUser, ""), Service: w.str(maxService, ""), Method: w.str(maxMethod, "")}
		if string(m.Method) == MethodPassword {
			if w.u8() != 0 {
				return nil, unexpected(t, "change of the password")
			}
			m.Password = w.str(maxPassword, "")
		}
		p.text.auth = m
		return &p.text.auth, nil
	case TypeUserAuthFailure:
		p.text.failure = UserAuthFailure{w.str(maxMethods, ""), w.u8() != 0}
		p.stray = true
		return &p.text.failure, nil
	case TypeUserAuthSuccess:
		return &p.msg.success, nil
	case TypeGlobalRequest:
		return p.globalRequest(&w)
	case TypeRequestSuccess:
		port, err := p.answer(t)
		if err != nil {
			return nil, err
		}
		if p.msg.granted = (RequestSuccess{HasPort: port}); port {
			p.msg.granted.Port = w.u32()
		}
		return &p.msg.granted, nil
	case TypeRequestFailure:
		if _, err := p.answer(t); err != nil {
			return nil, err
		}
		return &p.msg.denied, nil
	case TypeChannelOpen:
		m := ChannelOpen{ChannelType: w.str(maxChannelType, ""), Sender: w.u32(), Window: w.u32()}
		w.skip(4)
		m.Address, m.Port = w.str(maxAddress, ""), w.u32()
		m.Originator, m.OriginatorPort = w.str(maxAddress, ""), w.u32()
		p.text.open = m
		return &p.text.open, nil
	case TypeChannelOpenConfirmation:
		p.msg.confirmation = ChannelOpenConfirmation{w.u32(), w.u32(), w.u32()}
		return &p.msg.confirmation, nil
	case TypeChannelOpenFailure:
		p.msg.openFailure = ChannelOpenFailure{w.u32(), OpenReason(w.u32())}
		return &p.msg.openFailure, nil
	case TypeChannelWindowAdjust:
		p.msg.adjust = WindowAdjust{w.u32(), w.u32()}
		return &p.msg.adjust, nil
	case TypeChannelClose:
		p.msg.close = ChannelClose{w.u32()}
		return &p.msg.close, nil
	case TypeProtocolVersion:
		p.msg.version = ProtocolVersion{w.u32(), w.u32(), Trigger(w.u32()), uuidFromWire(b[13:])}
		return &p.msg.version, nil
	case TypeKeepAliveRequest:
		p.msg.keepAlive = KeepAliveRequest{w.u32()}
		return &p.msg.keepAlive, nil
	case TypeKeepAliveReply:
		p.msg.alive = KeepAliveReply{w.u32()}
		return &p.msg.alive, nil
	case TypeKeepAliveOptionsRequest:
		p.msg.options = KeepAliveOptionsRequest{w.u32(), w.u32()}
		return &p.msg.options, nil
	case TypeKeepAliveOptionsReply:
		p.msg.agreed = KeepAliveOptionsReply{w.u32(), w.u32()}
		return &p.msg.agreed, nil
	case TypeJSONControl:
		p.text.control = JSONControl{w.str(p.limits.JSON, "")}
		return &p.text.control, nil
	default: // data is read elsewhere
		return nil, malformed(t, "no such message")
	}
}

func (p *Parser) globalRequest(w *walk) (Message, error) {
	name := w.str(maxRequest, "")
	want := w.u8() != 0
	switch string(name) {
	case RequestForward:
		p.text.forward = TCPForward{want, w.str(maxAddress, ""), w.u32()}
		return &p.text.forward, nil
	case RequestCancelForward:
		p.text.cancel = CancelTCPForward{want, w.str(maxAddress, ""), w.u32()}
		return &p.text.cancel, nil
	case RequestUDPSendTo:
		p.text.udp = UDPSendTo{want, w.str(maxAddress, ""), w.u32(), w.str(maxAddress, ""), w.u32(), w.str(p.limits.UDP, "")}
		return &p.text.udp, nil
	}
	p.text.unknown = UnknownRequest{want, name}
	p.err = unexpected(TypeGlobalRequest, "after a request of unknown length")
	return &p.text.unknown, nil
}

// answer takes the oldest answer that is due, and tells whether it brings a port.
func (p *Parser) answer(t Type) (port bool, err error) {
	if p.dueCount == 0 {
		return false, unexpected(t, "nothing was asked")
	}
	port = p.due&1 != 0
	p.due >>= 1
	p.dueCount--
	return port, nil
}

// walk goes through the fields of a message.
type walk struct {
	b     []byte
	at    int
	typ   Type
	short bool // b ends before it can be said what follows
	err   error
}

func (w *walk) skip(n int) {
	if !w.short {
		w.at += n
	}
}

func (w *walk) u8() byte {
	w.at++
	return w.b[w.at-1]
}

func (w *walk) u32() uint32 {
	w.at += 4
	return binary.BigEndian.Uint32(w.b[w.at-4:])
}

// str returns a string. If b does not hold it, w.at is where b must reach.
func (w *walk) str(limit int, what string) []byte {
	if w.short || w.err != nil {
		return nil
	}
	w.at += 4
	if w.at > len(w.b) {
		w.short = true
		return nil
	}
	n := binary.BigEndian.Uint32(w.b[w.at-4:])
	if int64(n) > int64(limit) {
		w.err, w.short = tooMuch(w.typ, "%s of %d bytes", what, n), true
		return nil
	}
	w.at += int(n)
	if w.at > len(w.b) {
		w.short = true
		return nil
	}
	return w.b[w.at-int(n) : w.at : w.at]
}
