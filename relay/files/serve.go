package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// ServeConfig says what [Serve] gives away.
type ServeConfig struct {
	// Root is the folder that operators see as "/", and nothing else than what is in it. It is required.
	Root *os.Root
	// ReadOnly refuses everything that changes something.
	ReadOnly bool
	// Allow is asked before everything that is done, and can refuse it or note it down. Nil allows all.
	Allow func(context.Context, Operation) error
	// MaxUpload bounds an uploaded file in bytes. Zero does not.
	MaxUpload int64
	// MaxUnzip bounds what comes out of one packed file in bytes. Zero is 4 GiB.
	MaxUnzip int64
	// MaxMessage bounds messages in bytes. Zero is 256 KiB; stock operators send up to 65565.
	MaxMessage int
	// Logger is told of what failed. Nil discards.
	Logger *slog.Logger
}

// Operation is something that an operator wants done.
type Operation struct {
	Action string   // as in the messages: "ls", "upload" ...
	Paths  []string // below the root, with the system's separators
	Write  bool     // whether it changes something
}

const (
	maxMessage = 256 << 10
	maxUnzip   = 4 << 30
	// maxWaiting is how many messages wait for the one that is being worked at.
	maxWaiting = 32
	// maxFirst bounds the blocks that a download starts with.
	maxFirst = 256
	// maxEntries bounds a listing, a pack, and a search's results.
	maxEntries = 100_000
)

// Accept reads up to the protocol's number on a tunnel whose ends have met, or are about to. What comes before is dropped.
func Accept(ctx context.Context, conn Conn) error {
	for {
		t, b, err := conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("files: accept: %w", err)
		}
		m, err := ParseRequest(t, b, false)
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case Start:
			if m.Protocol != Protocol {
				return fmt.Errorf("%w: protocol %d", ErrMessage, m.Protocol)
			}
			return nil
		case *Control:
			if end, err := answer(ctx, conn, m); end || err != nil {
				return fmt.Errorf("files: accept: %w", errors.Join(net.ErrClosed, err))
			}
		}
	}
}

// answer sees to messages of the tunnel itself. It says whether the operator has ended the tunnel.
func answer(ctx context.Context, conn Conn, c *Control) (end bool, err error) {
	var reply *Control
	switch c.Type {
	case "ping":
		reply = &Control{Channel: Marker, Type: "pong"}
	case "rtt":
		reply = &Control{Channel: Marker, Type: "rtt", Time: c.Time}
	case "close":
		return true, nil
	default:
		return false, nil
	}
	_, b, err := Append(nil, reply)
	if err == nil {
		err = conn.WriteMessage(ctx, Text, b)
	}
	return false, err
}

// Serve is the device's end, from the number on. It returns when the tunnel has ended; the error is nil if the operator did that.
// Uploads that are not finished then stay as far as they came.
func Serve(ctx context.Context, conn Conn, cfg ServeConfig) error {
	defer conn.Close(msgconn.CloseNormal, "")
	if cfg.Root == nil {
		return errors.New("files: serve: no root")
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = maxMessage
	}
	if cfg.MaxUnzip == 0 {
		cfg.MaxUnzip = maxUnzip
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(int64(cfg.MaxMessage))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{cfg: cfg, conn: conn, ctx: ctx, root: cfg.Root, work: make(chan Message, maxWaiting)}
	var wg sync.WaitGroup
	wg.Go(s.worker)
	err := s.read()
	cancel()
	close(s.work)
	wg.Wait()
	s.stopTasks()
	s.tasks.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// server is one tunnel.
type server struct {
	cfg  ServeConfig
	conn Conn
	ctx  context.Context
	root *os.Root
	work chan Message
	pool sync.Pool // *[]byte, of chunks

	writeMu sync.Mutex

	// The worker's.
	upload   *upload
	download *download
	block    []byte

	// What goes on beside the worker.
	taskMu  sync.Mutex
	tasks   sync.WaitGroup
	finding *task
	packing *task
}

// read takes messages in. What does not wait for others is done here.
func (s *server) read() error {
	for {
		t, b, err := s.conn.ReadMessage(s.ctx)
		if err != nil {
			return err
		}
		if len(b) > s.cfg.MaxMessage {
			_ = s.conn.Close(msgconn.CloseTooLarge, "")
			return fmt.Errorf("%w: a message of %d bytes", ErrTooLarge, len(b))
		}
		m, err := ParseRequest(t, b, true)
		if err != nil {
			s.cfg.Logger.Debug("message dropped", "error", err)
			continue
		}
		switch c := m.(type) {
		case *Control:
			if end, err := answer(s.ctx, s.conn, c); end || err != nil {
				return err
			}
			continue
		case *CancelFind:
			s.cancel(&s.finding) // and again in its turn, as it may be for one that still waits
		case *Cancel:
			s.cancel(&s.packing)
		case Chunk: // is in the connection's buffer
			p, _ := s.pool.Get().(*[]byte)
			if p == nil {
				p = new([]byte)
			}
			*p = append((*p)[:0], c...)
			m = pooled{p}
		}
		select {
		case s.work <- m:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// pooled is a Chunk in a buffer of the pool.
type pooled struct{ p *[]byte }

func (pooled) message() {}

// worker does one thing after the other, as operators rely on.
func (s *server) worker() {
	defer func() {
		_ = s.endUpload()
		s.endDownload()
	}()
	failed := false
	for m := range s.work {
		if failed || s.ctx.Err() != nil {
			continue
		}
		if err := s.do(m); err != nil {
			failed = true // it cannot be answered any more
			_ = s.conn.Close(0, "")
		}
	}
}

// do does what a message asks for. Errors are those of the connection.
func (s *server) do(m Message) error {
	switch m := m.(type) {
	case pooled:
		err := s.chunk(*m.p)
		s.pool.Put(m.p)
		return err
	case *List:
		return s.list(m)
	case *Mkdir:
		s.note("mkdir", s.mkdir(m))
	case *Remove:
		s.note("rm", s.remove(m))
	case *Rename:
		s.note("rename", s.rename(m))
	case *Copy:
		s.note("copy", s.copyFiles("copy", m.From, m.To, m.Names, false))
	case *Move:
		s.note("move", s.copyFiles("move", m.From, m.To, m.Names, true))
	case *Find:
		return s.find(m)
	case *Zip:
		return s.zip(m)
	case *Unzip:
		return s.unzip(m)
	case *CancelFind:
		s.cancel(&s.finding)
	case *Cancel:
		s.cancel(&s.packing)
	case *Upload:
		return s.startUpload(m)
	case *UploadDone:
		return s.uploadDone()
	case *UploadCancel:
		return s.cancelUpload()
	case *UploadHash:
		return s.hash(m)
	case *Download:
		return s.downloadStep(m)
	}
	return nil // other actions are ignored, as by stock agents
}

// note logs what cannot be told to the operator, who looks himself.
func (s *server) note(action string, err error) {
	if err != nil {
		s.cfg.Logger.Info("not done", "action", action, "error", err)
	}
}

// reply sends an answer, which is binary in most cases.
func (s *server) reply(t Type, m Message) error {
	_, b, err := Append(nil, m)
	if err != nil {
		return err
	}
	return s.write(t, b)
}

func (s *server) write(t Type, b []byte) error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	return s.conn.WriteMessage(s.ctx, t, b)
}

// allow says whether something may be done.
func (s *server) allow(action string, write bool, paths ...string) error {
	if write && s.cfg.ReadOnly {
		return fmt.Errorf("%w: read-only", ErrRefused)
	}
	if s.cfg.Allow != nil {
		if err := s.cfg.Allow(s.ctx, Operation{Action: action, Paths: paths, Write: write}); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return nil
}

// open opens a regular file, and nothing that would do something when opened.
func (s *server) open(name string, flags int) (*os.File, error) {
	info, err := s.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() || err != nil && flags&os.O_CREATE == 0 {
		if err == nil {
			err = fmt.Errorf("%w: %s is no file", ErrRefused, quote(name))
		}
		return nil, err
	}
	f, err := s.root.OpenFile(name, flags|openFlags, 0o644)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(fmt.Errorf("%w: %s is no file", ErrRefused, quote(name)), err)
	}
	return f, nil
}

// task is what goes on beside the worker.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// cancel ends a task, if there is one, and returns it.
func (s *server) cancel(t **task) *task {
	s.taskMu.Lock()
	defer s.taskMu.Unlock()
	if *t != nil {
		(*t).cancel()
	}
	return *t
}

func (s *server) stopTasks() {
	s.cancel(&s.finding)
	s.cancel(&s.packing)
}

// begin runs f beside the worker, and then the function that it returns: that tells the operator of the end, when the next
// may begin. If one of the kind runs already, f is not run.
func (s *server) begin(slot **task, f func(context.Context) func()) bool {
	s.taskMu.Lock()
	defer s.taskMu.Unlock()
	if *slot != nil {
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	t := &task{cancel, make(chan struct{})}
	*slot = t
	s.tasks.Go(func() {
		end := f(ctx)
		cancel()
		s.taskMu.Lock()
		*slot = nil
		s.taskMu.Unlock()
		close(t.done)
		end()
	})
	return true
}
