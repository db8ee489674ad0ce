package main

import (
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

// The host reads what is in the files, plain and over TLS, and the statistics say how much.
func TestIDER(t *testing.T) {
	iso, floppy := noise(3<<20+2048), noise(1440<<10)
	isoFile, floppyFile := write(t, "disk.iso", iso), write(t, "disk.img", floppy)
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			w, m := on(t, wsmantest.Config{TLS: tls})
			args := []string{"ider", "--iso", isoFile, "--floppy", floppyFile, "--start", "now", "--json"}
			if tls {
				args = append(m.overTLS(args...), "--pin", m.pin(t))
			} else {
				args = m.at(args...)
			}
			st := decode[statistics](t, interruptWhenRead(t, w, m, args, 2, "the drives are there"))
			require.Len(t, st.Drives, 2)
			for i, want := range [][]byte{floppy, iso} {
				require.Equal(t, int64(len(want)), st.Drives[i].Size)
				require.GreaterOrEqual(t, st.Drives[i].Bytes, uint64(len(want)))
				require.Positive(t, st.Drives[i].Reads)
			}
			for _, medium := range m.Media() {
				want := iso
				if medium.Floppy {
					want = floppy
				}
				require.Equal(t, int64(len(want)), medium.Size)
				require.Equal(t, sha256.Sum256(want), medium.SHA256)
			}
		})
	}
}

// noted is a standard error that closes a channel when a note comes.
type noted struct {
	io.Writer
	note string
	came chan struct{}
}

func (n *noted) Write(b []byte) (int, error) {
	if n.note != "" && strings.Contains(string(b), n.note) { // each note is one write
		n.note = ""
		close(n.came)
	}
	return n.Writer.Write(b)
}

// interruptWhenRead runs the program until the host has read so many media and the program has noted something, and returns what
// it prints.
func interruptWhenRead(t *testing.T, w *world, m *machine, args []string, media int, note string) string {
	t.Helper()
	n := &noted{w.err, note, make(chan struct{})}
	w.err = n
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type end struct {
		code           int
		stdout, stderr string
	}
	ended := make(chan end, 1)
	go func() {
		code, stdout, stderr := w.run(ctx, args...)
		ended <- end{code, stdout, stderr}
	}()
	require.NoError(t, m.Wait(ctx, func() bool { return len(m.Media()) == media }))
	var e end
	select {
	case <-n.came:
		cancel() // the way in which it ends
		e = <-ended
	case e = <-ended:
	}
	require.Equal(t, exitDone, e.code, e.stderr)
	return e.stdout
}

// The host boots from the image that is in its drive.
func TestIDERBoot(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	file := write(t, "disk.img", noise(1440<<10))
	out := interruptWhenRead(t, w, m, m.at("ider", "--floppy", file, "--boot", "--sol"), 1, "the host is ")
	require.Contains(t, out, "floppy  "+file+"  1474560  ")
	boots := m.Boots()
	require.Equal(t, "reset: IDE-R device 0, SOL", boots[len(boots)-1].String())
}

// A device that drops the connection takes the drives away, which is no success; what was read is printed all the same.
func TestIDEREndedByDevice(t *testing.T) {
	reads := func(ctx context.Context, host *redir.IDERHost) error {
		if err := host.WaitMedium(ctx, redir.CD); err != nil {
			return err
		}
		return host.ReadBlocks(ctx, redir.CD, 1, make([]byte, 2048))
	}
	w, m := on(t, wsmantest.Config{IDER: reads})
	require.Contains(t, w.fails(t, exitConnection, m.at("ider", "--iso", write(t, "disk.iso", noise(8192)))...), "has closed the connection")
	require.Contains(t, w.stdout.String(), " 8192  1      2048\n")
}
