package apf

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Mux is the channels of a connection: their numbers, windows and data, and the order in which they send. It neither reads
// nor writes, and does not look at a clock. It is not safe for concurrent use.
//
// The rules that firmware makes necessary: not more channels than it has, nor more that are being opened at once; a number
// is not used again until both sides have closed the channel; a channel is closed once and no more, as a second close would
// hit the channel that the device has given the number to meanwhile.
type Mux struct {
	cfg      MuxConfig
	out      *outbox
	channels map[uint32]*MuxChannel // by this side's number
	queue    []*MuxChannel          // opens that wait for a place
	retries  []*MuxChannel          // opens that have their place and are tried again
	opening  int                    // opens that wait for the peer's answer
	slots    int                    // channels that the device has
	lost     int                    // opens that were given up, and may still be answered
	nextID   uint32
	count    uint32 // opens that were sent
	ready    *MuxChannel
	frame    *MuxChannel // whose frame is being received
	timing   bool        // deadlines have changed
	dataIn   uint64      // of channels that are no more
	dataOut  uint64
	err      error
}

// MuxConfig configures a [Mux]. Fields that are zero have the defaults of ServerConfig.
type MuxConfig struct {
	Side                            Side
	Window, MaxFrame                uint32
	SendBuffer                      int
	MaxChannels, MaxOpens, MaxQueue int
	OpenTimeout, FlushTime          time.Duration
	NoFailure, NoWindow             bool   // see Quirks
	OneMessage                      bool   // see Quirks
	AdjustStep                      uint32 // see Firmware
	ReuseSlots                      bool   // see Firmware
	// OnEvent is told what happens to channels.
	OnEvent func(*MuxChannel, MuxEvent)
	// OnOpen is told of a channel that the peer opens, and calls Incoming, or RefuseOpen.
	OnOpen func(*ChannelOpen, time.Time)
	// OnViolation is told what the peer did wrong without ending the connection.
	OnViolation func(error)
}

// MuxEvent is what happened to a channel.
type MuxEvent uint8

// The events.
const (
	MuxOpened   MuxEvent = iota // the peer has confirmed it
	MuxReadable                 // there is something to read
	MuxWritable                 // there is room to write
	MuxEnded                    // it ended, or was not opened: see MuxChannel.Err
)

// Times and numbers that nobody has to change.
const (
	retryTime   = 250 * time.Millisecond // before a refused open is tried again
	closeTime   = 10 * time.Second       // until a channel that the peer does not close is taken for closed
	creditStep  = 64 << 10               // that is read of a large window until it is granted again
	windowSlack = 4 << 10                // that a window may be exceeded by
	noWindow    = 4                      // windows that a peer which ignores them may send
	firstID     = 4                      // stock servers' first channel
	maxLost     = 64
	maxChannels = 1 << 31 // numbers from here on break the stock server
)

// NewMux returns a Mux without channels.
func NewMux(cfg MuxConfig) *Mux {
	m := new(Mux)
	m.init(cfg, &outbox{one: cfg.OneMessage})
	return m
}

func (m *Mux) init(cfg MuxConfig, out *outbox) {
	def(&cfg.Window, 128<<10)
	def(&cfg.MaxFrame, 16<<10-dataHeader)
	def(&cfg.SendBuffer, 64<<10)
	def(&cfg.MaxChannels, 8)
	def(&cfg.MaxOpens, 6)
	def(&cfg.MaxQueue, 64)
	def(&cfg.OpenTimeout, 10*time.Second)
	def(&cfg.FlushTime, 5*time.Second)
	cfg.Window = min(cfg.Window, maxWindow)
	cfg.AdjustStep = min(cfg.AdjustStep, cfg.Window) // or nothing would ever be granted again
	m.cfg, m.out, m.nextID = cfg, out, firstID
}

// MuxChannel is a channel of a [Mux]. Its zero value is given to Open or Incoming.
type MuxChannel struct {
	// Owner is the user's.
	Owner any

	mux   *Mux
	state channelState
	id    uint32 // this side's number
	peer  uint32 // the peer's number
	req   OpenRequest
	err   error     // why it ended
	until time.Time // when the state ends by itself

	isOpening, hasSlot   bool // counted in Mux.opening, Mux.slots
	retried              bool
	closed               bool // by the user
	sentClose, gotClose  bool
	next, prev           *MuxChannel // of the ring of those that can send
	rx, tx               queue
	granted              int64  // bytes that the peer may send
	consumed             uint32 // bytes that were read and not yet granted again
	credit               int64  // bytes that may be sent
	dataIn, dataOut      uint64
	flushing, wroteLimit bool
}

type channelState uint8

const (
	chanNew     channelState = iota
	chanQueued               // waits for a place
	chanOpening              // waits for the peer's answer
	chanRetry                // was refused, and waits to be tried again
	chanLost                 // nobody waits for the answer any more
	chanPending              // the peer waits for the answer
	chanOpen
	chanEnded
)

// Err returns why the channel ended: nil while it has not, io.EOF if the peer closed it, an error that matches net.ErrClosed
// if the user did, an *OpenError if it never was open.
func (ch *MuxChannel) Err() error { return ch.err }

// Request returns what the channel was opened for.
func (ch *MuxChannel) Request() OpenRequest { return ch.req }

// ID returns this side's number of the channel.
func (ch *MuxChannel) ID() uint32 { return ch.id }

// Credit returns how many bytes may be sent.
func (ch *MuxChannel) Credit() int64 { return ch.credit }

// Opened reports whether the channel is open.
func (ch *MuxChannel) Opened() bool { return ch.state == chanOpen }

// Buffered returns how many bytes wait to be read.
func (ch *MuxChannel) Buffered() int { return ch.rx.n }

// Unsent returns how many bytes wait to be sent.
func (ch *MuxChannel) Unsent() int { return ch.tx.n }

// Open opens a channel, now or when there is a place for it. What becomes of it is told by an event.
func (m *Mux) Open(ch *MuxChannel, req OpenRequest, now time.Time) error {
	ch.mux, ch.req = m, req
	if m.err != nil {
		return m.openError(ch, 0, m.err)
	}
	if len(m.queue) >= m.cfg.MaxQueue {
		return m.openError(ch, OpenResourceShortage, fmt.Errorf("%w: %d wait", ErrBusy, len(m.queue)))
	}
	ch.state = chanQueued
	m.queue = append(m.queue, ch)
	m.setUntil(ch, now.Add(m.cfg.OpenTimeout))
	m.pump(now)
	return nil
}

func (m *Mux) openError(ch *MuxChannel, reason OpenReason, err error) *OpenError {
	return &OpenError{Host: ch.req.Host, Port: ch.req.Port, Reason: reason, Err: err}
}

// pump sends the opens for which there is a place.
func (m *Mux) pump(now time.Time) {
	for len(m.queue) > 0 && m.opening < m.cfg.MaxOpens && m.slots < m.cfg.MaxChannels {
		ch := m.queue[0]
		m.queue = without(m.queue, ch)
		m.places(ch, true, true)
		m.sendOpen(ch, now)
	}
}

// places keeps account of the places that a channel takes.
func (m *Mux) places(ch *MuxChannel, opening, slot bool) {
	count(&m.opening, &ch.isOpening, opening)
	count(&m.slots, &ch.hasSlot, slot)
}

func count(n *int, is *bool, want bool) {
	switch {
	case want && !*is:
		*n++
	case !want && *is:
		*n--
	}
	*is = want
}

func (m *Mux) setUntil(ch *MuxChannel, t time.Time) { ch.until, m.timing = t, true }

// newID returns a number that no channel has.
func (m *Mux) newID() uint32 {
	if m.cfg.ReuseSlots {
		id := uint32(0)
		for m.channels[id] != nil {
			id++
		}
		return id
	}
	for {
		id := m.nextID
		if m.nextID++; m.nextID == maxChannels {
			m.nextID = firstID
		}
		if m.channels[id] == nil {
			return id
		}
	}
}

func (m *Mux) register(ch *MuxChannel) {
	if m.channels == nil {
		m.channels = make(map[uint32]*MuxChannel)
	}
	ch.id = m.newID()
	m.channels[ch.id] = ch
	ch.granted = int64(m.cfg.Window)
}

// remove forgets a channel, and with the last one the memory for all.
func (m *Mux) remove(ch *MuxChannel) {
	if m.channels[ch.id] == ch {
		if delete(m.channels, ch.id); len(m.channels) == 0 {
			m.channels = nil
		}
	}
	m.unready(ch)
	m.places(ch, false, false)
	m.dataIn, m.dataOut = m.dataIn+ch.dataIn, m.dataOut+ch.dataOut
	ch.dataIn, ch.dataOut = 0, 0
}

func (m *Mux) sendOpen(ch *MuxChannel, now time.Time) {
	m.register(ch)
	ch.state = chanOpening
	m.setUntil(ch, now.Add(m.cfg.OpenTimeout))
	kind := ChannelForwarded
	if m.cfg.Side == SideDevice {
		kind = ChannelDirect
	}
	if ch.req.Originator == "" {
		// What stock servers send; some firmware wants the originator to be there.
		ch.req.Originator, ch.req.OriginatorPort = "1.2.3.4", 1024+m.count%30000
	}
	m.count++
	ch.req.Type = kind
	m.out.add(ChannelOpen{
		ChannelType: []byte(kind), Sender: ch.id, Window: m.cfg.Window, Address: []byte(ch.req.Host), Port: uint32(ch.req.Port),
		Originator: []byte(ch.req.Originator), OriginatorPort: ch.req.OriginatorPort,
	})
}

// Incoming takes a channel that the peer opens, which waits for Accept or Refuse. It reports whether there is a place; if
// not, the peer has been told.
func (m *Mux) Incoming(ch *MuxChannel, o *ChannelOpen) bool {
	ch.mux, ch.state, ch.peer, ch.credit = m, chanPending, o.Sender, int64(o.Window)
	ch.req = OpenRequest{
		Type: string(o.ChannelType), Host: string(o.Address), Port: uint16(o.Port),
		Originator: string(o.Originator), OriginatorPort: o.OriginatorPort,
	}
	switch {
	case m.err != nil:
		return false
	case m.slots >= m.cfg.MaxChannels:
		m.RefuseOpen(o.Sender, OpenResourceShortage)
		return false
	case o.Port == 0 || o.Port > 0xFFFF:
		m.RefuseOpen(o.Sender, OpenProhibited)
		return false
	case ch.credit > maxWindow:
		m.violation(TypeChannelOpen, fmt.Errorf("%w: %d bytes", ErrWindow, o.Window))
		m.RefuseOpen(o.Sender, OpenResourceShortage)
		return false
	}
	m.places(ch, false, true)
	return true
}

// Accept opens a channel for the peer. It reports whether the connection is still there.
func (m *Mux) Accept(ch *MuxChannel) bool {
	if ch.state != chanPending || m.err != nil {
		return false
	}
	m.register(ch)
	ch.state = chanOpen
	m.out.buf = ChannelOpenConfirmation{Recipient: ch.peer, Sender: ch.id, Window: m.cfg.Window}.Append(m.out.buf)
	m.out.end()
	return true
}

// Refuse does not open a channel for the peer.
func (m *Mux) Refuse(ch *MuxChannel, reason OpenReason, now time.Time) {
	if ch.state != chanPending {
		return
	}
	ch.state = chanEnded
	m.places(ch, false, false)
	if m.err == nil {
		m.RefuseOpen(ch.peer, reason)
		m.pump(now)
	}
}

// RefuseOpen refuses a channel by the peer's number of it.
func (m *Mux) RefuseOpen(sender uint32, reason OpenReason) {
	if m.cfg.NoFailure {
		return
	}
	m.out.buf = ChannelOpenFailure{Recipient: sender, Reason: reason}.Append(m.out.buf)
	m.out.end()
}

// Handle takes a message about a channel. What is wrong with it ends at most the channel.
func (m *Mux) Handle(msg Message, now time.Time) {
	if m.err != nil {
		return
	}
	switch msg := msg.(type) {
	case *ChannelData:
		m.handleData(msg, now)
	case *WindowAdjust:
		m.handleAdjust(msg, now)
	case *ChannelOpenConfirmation:
		m.handleConfirmation(msg, now)
	case *ChannelOpenFailure:
		m.handleFailure(msg, now)
	case *ChannelClose:
		m.handleClose(msg, now)
	case *ChannelOpen:
		if m.cfg.OnOpen == nil {
			m.RefuseOpen(msg.Sender, OpenUnknownType)
			return
		}
		m.cfg.OnOpen(msg, now)
	}
}

// violation tells of what the peer did wrong.
func (m *Mux) violation(t Type, err error) {
	if m.cfg.OnViolation != nil {
		m.cfg.OnViolation(&messageError{typ: t, cause: err, text: "ignored"})
	}
}

// find returns a channel in one of two states, or tells of the violation.
func (m *Mux) find(t Type, id uint32, state, or channelState) *MuxChannel {
	ch := m.channels[id]
	if ch == nil {
		m.violation(t, fmt.Errorf("%w: %v: no channel %d", ErrProtocol, t, id))
		return nil
	}
	if ch.state != state && ch.state != or {
		m.violation(t, fmt.Errorf("%w: %v: channel %d is in another state", ErrProtocol, t, id))
		return nil
	}
	return ch
}

func (m *Mux) handleConfirmation(msg *ChannelOpenConfirmation, now time.Time) {
	ch := m.find(msg.Type(), msg.Recipient, chanOpening, chanLost)
	if ch == nil {
		return
	}
	ch.peer = msg.Sender
	lost := ch.state == chanLost
	ch.state = chanOpen
	if lost { // nobody wants it any more
		m.lost--
		ch.closed = true
		m.places(ch, false, true)
		m.sendClose(ch, now)
		return
	}
	m.places(ch, false, true)
	ch.until = time.Time{}
	ch.credit = int64(msg.Window)
	m.emit(ch, MuxOpened)
	if ch.credit > maxWindow {
		m.kill(ch, msg.Type(), fmt.Errorf("%w: %d bytes", ErrWindow, msg.Window), now)
	} else {
		m.schedule(ch)
	}
	m.pump(now)
}

func (m *Mux) handleFailure(msg *ChannelOpenFailure, now time.Time) {
	ch := m.find(msg.Type(), msg.Recipient, chanOpening, chanLost)
	if ch == nil {
		return
	}
	switch {
	case ch.state == chanLost:
		m.lost--
		ch.state = chanEnded
		m.remove(ch)
	case !ch.retried && (msg.Reason == OpenConnectFailed || msg.Reason == OpenResourceShortage):
		delete(m.channels, ch.id)
		ch.state, ch.retried = chanRetry, true
		m.setUntil(ch, now.Add(retryTime))
		m.retries = append(m.retries, ch)
	default:
		m.end(ch, m.openError(ch, msg.Reason, nil))
		m.pump(now)
	}
}

func (m *Mux) handleAdjust(msg *WindowAdjust, now time.Time) {
	ch := m.find(msg.Type(), msg.Recipient, chanOpen, chanOpen)
	if ch == nil || ch.sentClose {
		return
	}
	if ch.credit += int64(msg.Bytes); ch.credit > maxWindow {
		m.kill(ch, msg.Type(), fmt.Errorf("%w: the peer grants %d bytes", ErrWindow, ch.credit), now)
		return
	}
	m.schedule(ch)
}

func (m *Mux) handleData(msg *ChannelData, now time.Time) {
	if msg.Offset == 0 {
		if m.frame = m.find(msg.Type(), msg.Recipient, chanOpen, chanOpen); m.frame == nil {
			return
		}
		if !m.take(m.frame, msg.Length, now) {
			return
		}
	}
	ch := m.frame
	if msg.Offset+uint32(len(msg.Data)) == msg.Length {
		m.frame = nil
	}
	if ch == nil || ch.state != chanOpen || ch.sentClose || len(msg.Data) == 0 {
		return // of a channel that was closed meanwhile
	}
	ch.dataIn += uint64(len(msg.Data))
	if ch.closed { // data that nobody reads counts as read, or the peer would wait
		m.consume(ch, len(msg.Data))
		return
	}
	ch.rx.write(msg.Data)
	m.emit(ch, MuxReadable)
}

// take accounts for a frame, or ends the channel if the frame is larger than the peer may send.
func (m *Mux) take(ch *MuxChannel, length uint32, now time.Time) bool {
	if ch.sentClose {
		return true // dropped, piece by piece
	}
	over := int64(length) > ch.granted+windowSlack
	if m.cfg.NoWindow {
		over = int64(ch.rx.n)+int64(length) > max(noWindow*int64(m.cfg.Window), windowSlack)
	}
	if over {
		m.kill(ch, TypeChannelData, fmt.Errorf("%w: the peer sent %d bytes and may send %d", ErrWindow, length, max(ch.granted, 0)), now)
		return false
	}
	ch.granted -= int64(length)
	return true
}

// consume grants bytes again once enough have been read.
func (m *Mux) consume(ch *MuxChannel, n int) {
	if ch.state != chanOpen || ch.sentClose {
		return
	}
	ch.consumed += uint32(n)
	if step := m.cfg.AdjustStep; step > 0 {
		for ch.consumed >= step {
			m.adjust(ch, step)
		}
		return
	}
	if ch.consumed > min(m.cfg.Window/2, creditStep) {
		m.adjust(ch, ch.consumed)
	}
}

func (m *Mux) adjust(ch *MuxChannel, n uint32) {
	ch.consumed -= n
	ch.granted += int64(n)
	m.out.buf = WindowAdjust{Recipient: ch.peer, Bytes: n}.Append(m.out.buf)
	m.out.end()
}

func (m *Mux) handleClose(msg *ChannelClose, now time.Time) {
	ch := m.channels[msg.Recipient]
	if ch == nil {
		m.violation(msg.Type(), fmt.Errorf("%w: %v: no channel %d", ErrProtocol, msg.Type(), msg.Recipient))
		return
	}
	switch ch.state {
	case chanOpen:
		ch.gotClose = true
		if !ch.sentClose {
			m.appendClose(ch)
		}
		m.end(ch, io.EOF)
	case chanLost:
		m.lost--
		ch.state = chanEnded
		m.remove(ch)
	default: // instead of an answer to the open
		m.violation(msg.Type(), fmt.Errorf("%w: %v: channel %d is not open", ErrProtocol, msg.Type(), msg.Recipient))
		m.end(ch, m.openError(ch, 0, ErrChannelClosed))
	}
	m.pump(now)
}

// Read moves what has come into p, and grants the peer as much again. It returns 0 if there is nothing.
func (m *Mux) Read(ch *MuxChannel, p []byte) int {
	n := ch.rx.read(p)
	m.consume(ch, n)
	return n
}

// Write takes from p what there is room for, to be sent when the peer's window allows.
func (m *Mux) Write(ch *MuxChannel, p []byte) int {
	if ch.closed || ch.sentClose || ch.state == chanEnded || m.err != nil {
		return 0
	}
	n := min(len(p), m.cfg.SendBuffer-ch.tx.n)
	if n <= 0 {
		ch.wroteLimit = len(p) > 0
		return 0
	}
	ch.tx.write(p[:n])
	ch.wroteLimit = n < len(p)
	m.schedule(ch)
	return n
}

// Close ends a channel. What was written is sent first, if that does not take too long; what comes is dropped.
func (m *Mux) Close(ch *MuxChannel, now time.Time) {
	if ch.closed {
		return
	}
	ch.closed = true
	unread := ch.rx.n
	ch.rx.clear()
	switch ch.state {
	case chanOpen:
		if ch.tx.n == 0 {
			m.sendClose(ch, now)
			return
		}
		m.consume(ch, unread)
		ch.flushing = true
		m.setUntil(ch, now.Add(m.cfg.FlushTime))
	case chanOpening:
		m.lose(ch)
		m.finish(ch, ErrClosed)
		m.pump(now)
	case chanPending:
		m.Refuse(ch, OpenConnectFailed, now)
	case chanQueued, chanRetry:
		m.queue, m.retries = without(m.queue, ch), without(m.retries, ch)
		m.end(ch, ErrClosed)
		m.pump(now)
	case chanNew, chanLost, chanEnded:
	}
}

// lose keeps the number of a channel whose open was not answered, in case it still is.
func (m *Mux) lose(ch *MuxChannel) {
	ch.state, ch.until = chanLost, time.Time{}
	m.places(ch, false, false)
	if m.lost++; m.lost <= maxLost {
		return
	}
	var oldest *MuxChannel
	for _, c := range m.channels {
		if c.state == chanLost && (oldest == nil || c.id < oldest.id) {
			oldest = c
		}
	}
	m.lost--
	oldest.state = chanEnded
	m.remove(oldest)
}

// without returns a list without one of its channels.
func without(list []*MuxChannel, ch *MuxChannel) []*MuxChannel {
	i := slices.Index(list, ch)
	if i < 0 {
		return list
	}
	if len(list) == 1 {
		return nil
	}
	return slices.Delete(list, i, i+1)
}

// sendClose closes a channel whose data was sent, or will not be.
func (m *Mux) sendClose(ch *MuxChannel, now time.Time) {
	m.appendClose(ch)
	m.finish(ch, ErrClosed)
	m.setUntil(ch, now.Add(closeTime))
}

func (m *Mux) appendClose(ch *MuxChannel) {
	ch.sentClose = true
	ch.tx.clear()
	m.unready(ch)
	m.out.buf = ChannelClose{Recipient: ch.peer}.Append(m.out.buf)
	m.out.end()
}

// kill ends a channel because of what the peer did.
func (m *Mux) kill(ch *MuxChannel, t Type, err error, now time.Time) {
	m.violation(t, err)
	if ch.sentClose {
		return
	}
	m.finish(ch, err)
	m.appendClose(ch)
	m.setUntil(ch, now.Add(closeTime))
}

// finish tells the user that a channel has ended, once.
func (m *Mux) finish(ch *MuxChannel, err error) {
	if ch.err != nil {
		return
	}
	if ch.closed {
		err = ErrClosed
	}
	ch.err = err
	m.emit(ch, MuxEnded)
}

// end forgets a channel that has ended on both sides.
func (m *Mux) end(ch *MuxChannel, err error) {
	ch.state, ch.until = chanEnded, time.Time{}
	ch.tx.clear()
	m.remove(ch)
	m.finish(ch, err)
}

func (m *Mux) emit(ch *MuxChannel, ev MuxEvent) {
	if m.cfg.OnEvent != nil {
		m.cfg.OnEvent(ch, ev)
	}
}

// Fail ends all channels, because the connection has ended.
func (m *Mux) Fail(err error) {
	if m.err != nil {
		return
	}
	m.err = err
	for _, ch := range append(m.queue, m.retries...) {
		ch.state = chanEnded
		m.places(ch, false, false)
		m.finish(ch, m.openError(ch, 0, err))
	}
	m.queue, m.retries = nil, nil
	for _, ch := range m.channels {
		cause := err
		if ch.state == chanOpening {
			cause = m.openError(ch, 0, err)
		}
		ch.state = chanEnded
		ch.tx.clear()
		m.remove(ch)
		m.finish(ch, cause)
	}
	m.channels, m.ready, m.frame, m.lost = nil, nil, nil, 0
}

// Traffic returns how many bytes channels have received and sent.
func (m *Mux) Traffic() (in, out uint64) {
	in, out = m.dataIn, m.dataOut
	for _, ch := range m.channels {
		in, out = in+ch.dataIn, out+ch.dataOut
	}
	return in, out
}

// schedule puts a channel among those that can send, if it can.
func (m *Mux) schedule(ch *MuxChannel) {
	if ch.next != nil || ch.state != chanOpen || ch.sentClose || ch.credit <= 0 || ch.tx.n == 0 {
		return
	}
	if m.ready == nil {
		ch.next, ch.prev = ch, ch
		m.ready = ch
		return
	}
	// Before the next one: last.
	ch.next, ch.prev = m.ready, m.ready.prev
	ch.prev.next, ch.next.prev = ch, ch
}

func (m *Mux) unready(ch *MuxChannel) {
	if ch.next == nil {
		return
	}
	if ch.next == ch {
		m.ready = nil
	} else {
		ch.prev.next, ch.next.prev = ch.next, ch.prev
		if m.ready == ch {
			m.ready = ch.next
		}
	}
	ch.next, ch.prev = nil, nil
}

// Pending reports whether Append has something to append.
func (m *Mux) Pending() bool { return len(m.out.buf) > 0 || m.ready != nil }

// Append appends messages to send: answers first, then data of the channels in turn, as long as b has less than size bytes
// and another frame of at least a quarter of the largest fits. With OneMessage it appends one message.
func (m *Mux) Append(b []byte, size int, now time.Time) []byte {
	if len(m.out.buf) > 0 {
		b = m.out.moveTo(b)
		if m.out.one {
			return b
		}
	}
	for m.ready != nil {
		room := size - len(b) - dataHeader
		if room < int(m.cfg.MaxFrame)/4 && len(b) > 0 {
			return b
		}
		b = m.appendFrame(b, max(room, 1), now)
		if m.out.one {
			return b
		}
		if len(m.out.buf) > 0 { // a close that follows the data
			b = m.out.moveTo(b)
		}
	}
	return b
}

// appendFrame appends a frame of the channel whose turn it is.
func (m *Mux) appendFrame(b []byte, room int, now time.Time) []byte {
	ch := m.ready
	n := min(int64(ch.tx.n), ch.credit, int64(m.cfg.MaxFrame), int64(room))
	b = appendDataHeader(b, ch.peer, uint32(n))
	b = ch.tx.moveTo(b, int(n))
	ch.credit -= n
	ch.dataOut += uint64(n)
	m.out.sent++
	m.ready = ch.next
	if ch.tx.n == 0 || ch.credit == 0 {
		m.unready(ch)
	}
	if ch.flushing && ch.tx.n == 0 {
		ch.flushing = false
		m.sendClose(ch, now)
	} else if ch.wroteLimit && ch.tx.n <= m.cfg.SendBuffer/2 {
		ch.wroteLimit = false
		m.emit(ch, MuxWritable)
	}
	return b
}

// Tick does what is due at a time.
func (m *Mux) Tick(now time.Time) {
	if m.err != nil {
		return
	}
	for len(m.queue) > 0 && !m.queue[0].until.After(now) { // the first has waited longest
		ch := m.queue[0]
		m.queue = without(m.queue, ch)
		m.end(ch, m.openError(ch, OpenResourceShortage, ErrBusy))
	}
	for i := 0; i < len(m.retries); {
		if ch := m.retries[i]; ch.until.After(now) {
			i++
		} else {
			m.retries = without(m.retries, ch)
			m.sendOpen(ch, now)
		}
	}
	for _, ch := range m.channels {
		if ch.until.IsZero() || ch.until.After(now) {
			continue
		}
		ch.until = time.Time{}
		switch {
		case ch.state == chanOpening:
			m.lose(ch)
			m.finish(ch, m.openError(ch, 0, ErrNoAnswer))
		case ch.sentClose: // the peer's close will not come
			m.end(ch, ErrClosed)
		case ch.flushing:
			ch.flushing = false
			m.sendClose(ch, now)
		}
	}
	m.pump(now)
}

// Next returns when Tick has something to do, or the zero time.
func (m *Mux) Next() (t time.Time) {
	m.timing = false
	if len(m.queue) > 0 {
		t = m.queue[0].until
	}
	for _, ch := range m.retries {
		t = earlier(t, ch.until)
	}
	for _, ch := range m.channels {
		t = earlier(t, ch.until)
	}
	return t
}

// earlier returns the earlier one of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
