package redir

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// hostRead is how many bytes a host reads with one command.
const hostRead = 64 << 10

// SenseError is a command that a drive did not do.
type SenseError struct {
	Drive DriveID
	Op    SCSIOp
	Sense Sense
}

// Error names command and sense.
func (e *SenseError) Error() string {
	return fmt.Sprintf("redir: %v of %v: %v", e.Op, e.Drive, e.Sense)
}

// IDERHost is the device's end of an IDE redirection session: a host that reads the operator's media. Its commands may be
// called from several goroutines, one after the other is done.
type IDERHost struct {
	t       *transport
	done    chan struct{}
	workers sync.WaitGroup
	turn    chan struct{} // taken by who has a command under way

	mu      sync.Mutex
	host    *DiskHost
	changed chan struct{} // closed with the next message
	err     error
}

func newIDERHost(t *transport, cfg DiskHostConfig) *IDERHost {
	return &IDERHost{
		t: t, host: NewDiskHost(cfg), done: make(chan struct{}), changed: make(chan struct{}), turn: make(chan struct{}, 1),
	}
}

func (h *IDERHost) start() {
	h.workers.Go(func() { h.fail(h.receive()) })
	h.workers.Go(h.beat)
}

func (h *IDERHost) receive() error {
	for {
		m, err := h.t.receive(0)
		if err != nil {
			return err
		}
		h.mu.Lock()
		out, err := h.host.Receive(nil, m)
		sendErr := h.t.send(out, time.Time{}) // within the lock, as messages are numbered
		close(h.changed)
		h.changed = make(chan struct{})
		h.mu.Unlock()
		if err == nil {
			err = sendErr
		}
		if err != nil {
			return err
		}
	}
}

// beat sends the heartbeats that the operator has asked for.
func (h *IDERHost) beat() {
	if h.wait(context.Background(), func() bool { _, ok := h.host.Open(); return ok }) != nil {
		return
	}
	h.mu.Lock()
	open, _ := h.host.Open()
	h.mu.Unlock()
	if open.Heartbeat == 0 {
		return
	}
	ticker := time.NewTicker(time.Duration(open.Heartbeat) * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-h.done:
			return
		case <-ticker.C:
			if err := h.do(func(b []byte) ([]byte, error) { return h.host.Heartbeat(b), nil }); err != nil {
				h.fail(err)
				return
			}
		}
	}
}

// do sends what f appends.
func (h *IDERHost) do(f func(b []byte) ([]byte, error)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	out, err := f(nil)
	if err != nil {
		return err
	}
	return h.t.send(out, time.Time{})
}

// wait waits for a condition, which is asked with the lock held.
func (h *IDERHost) wait(ctx context.Context, condition func() bool) error {
	for {
		h.mu.Lock()
		ok, changed, err := condition(), h.changed, h.err
		h.mu.Unlock()
		switch {
		case ok:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-h.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (h *IDERHost) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return
	}
	h.err = err
	close(h.done)
	_ = h.t.conn.Close()
}

// close ends the session without a word, as a device that is switched off.
func (h *IDERHost) close() {
	h.fail(net.ErrClosed)
	h.workers.Wait()
}

// Done is closed when the session has ended.
func (h *IDERHost) Done() <-chan struct{} { return h.done }

// Err is why the session has ended, or nil.
func (h *IDERHost) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Stats returns what went through so far.
func (h *IDERHost) Stats() DiskStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.host.Stats()
}

// WaitDrives waits until the operator has switched the drives on, and returns when it wants the host to see them.
func (h *IDERHost) WaitDrives(ctx context.Context) (StartMode, error) {
	var mode StartMode
	err := h.wait(ctx, func() bool { mode = h.host.Mode(); return mode != 0 })
	return mode, err
}

// Command does a command and waits for its end. If ctx ends first the bus is to be reset before there is another one; some
// operators leave commands without an answer. A reset ends it with ErrReset.
func (h *IDERHost) Command(ctx context.Context, c HostCommand) (DiskResult, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return DiskResult{}, context.Cause(ctx)
	}
	if err := h.do(func(b []byte) ([]byte, error) { return h.host.Command(b, c) }); err != nil {
		return DiskResult{}, err
	}
	var result DiskResult
	var ended bool
	err := h.wait(ctx, func() bool {
		result, ended = h.host.Result()
		return ended || !h.host.pending
	})
	switch {
	case err != nil:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.host.giveUp() // what may still come does not go into the caller's memory
	case !ended:
		err = ErrReset
	}
	return result, err
}

// Reset resets the bus and waits for the operator to notice.
func (h *IDERHost) Reset(ctx context.Context, mask uint8) error {
	err := h.do(func(b []byte) ([]byte, error) { return h.host.Reset(b, mask), nil })
	if err != nil {
		return err
	}
	return h.wait(ctx, func() bool { return !h.host.Resetting() })
}

// Ping sends a ping. The operator's answer is not waited for.
func (h *IDERHost) Ping() error {
	return h.do(func(b []byte) ([]byte, error) { return h.host.Ping(b), nil })
}

// Do does a command, and fails with a [SenseError] if the drive does. It returns how many bytes came.
func (h *IDERHost) Do(ctx context.Context, id DriveID, c SCSICommand, into []byte) (int, error) {
	r, err := h.Command(ctx, HostCommand{Drive: id, CDB: c.CDB(), Into: into})
	if err != nil {
		return 0, err
	}
	if r.Sense != SenseGood {
		return r.N, &SenseError{id, c.Op, r.Sense}
	}
	return r.N, nil
}

// WaitMedium waits for the drives and asks whether this one has a medium; it fails if there is none. A drive says once that
// there is a new one.
func (h *IDERHost) WaitMedium(ctx context.Context, id DriveID) error {
	if _, err := h.WaitDrives(ctx); err != nil {
		return err
	}
	for {
		_, err := h.Do(ctx, id, SCSICommand{Op: OpTestUnitReady}, nil)
		var sense *SenseError
		if errors.As(err, &sense) && sense.Sense == SenseMediumChanged {
			continue
		}
		return err
	}
}

// Capacity is how many blocks the medium in a drive has, and their size.
func (h *IDERHost) Capacity(ctx context.Context, id DriveID) (blocks, size int64, err error) {
	var b [8]byte
	n, err := h.Do(ctx, id, SCSICommand{Op: OpReadCapacity}, b[:])
	if err != nil {
		return 0, 0, err
	}
	if n != len(b) {
		return 0, 0, protocolError("%d bytes for the capacity of %v", n, id)
	}
	blocks = int64(binary.BigEndian.Uint32(b[:])) + 1
	size = int64(binary.BigEndian.Uint32(b[4:]))
	if size != id.BlockSize() {
		return 0, 0, protocolError("blocks of %d bytes on %v", size, id)
	}
	return blocks, size, nil
}

// ReadBlocks fills b from a block on. It is a multiple of the drive's blocks, of at most 65535.
func (h *IDERHost) ReadBlocks(ctx context.Context, id DriveID, lba uint32, b []byte) error {
	count := int64(len(b)) / id.BlockSize()
	if count > 0xFFFF || count*id.BlockSize() != int64(len(b)) {
		return fmt.Errorf("redir: a read of %d bytes from %v", len(b), id)
	}
	n, err := h.Do(ctx, id, SCSICommand{Op: OpRead10, LBA: lba, Blocks: uint32(count)}, b) //nolint:gosec // of a buffer in memory
	if err == nil && n < len(b) {
		err = io.ErrUnexpectedEOF // a stock operator's answer to what is beyond the end
	}
	return err
}

// CopyMedium copies the whole medium of a drive to w.
func (h *IDERHost) CopyMedium(ctx context.Context, w io.Writer, id DriveID) (int64, error) {
	blocks, size, err := h.Capacity(ctx, id)
	if err != nil {
		return 0, err
	}
	var done int64
	buf := make([]byte, hostRead)
	for lba := int64(0); lba < blocks; {
		n := min(blocks-lba, hostRead/size)
		piece := buf[:n*size]
		if err := h.ReadBlocks(ctx, id, uint32(lba), piece); err != nil { //nolint:gosec // below the 32 bits of the capacity
			return done, err
		}
		written, err := w.Write(piece)
		done += int64(written)
		if err != nil {
			return done, err
		}
		lba += n
	}
	return done, nil
}
