//go:build !js

package relay

import (
	"bufio"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// A viewer that does not read for a minute: all that the relay takes from the device meanwhile is what it holds, as these
// connections hold nothing. The viewer loses nothing by it.
func TestStalledViewerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Config{Authenticate: testAuth})
		require.NoError(t, err)
		defer r.Close()
		_, in := bareEnd(t, r, RoleOperator)
		device, out := bareEnd(t, r, RoleAgent)
		for _, end := range []*bufio.Reader{out, in} {
			hello := make([]byte, 3)
			_, err := io.ReadFull(end, hello)
			require.NoError(t, err)
			require.Equal(t, "\x81\x01c", string(hello))
		}

		var taken atomic.Int64
		ended := make(chan error, 1)
		payload := make([]byte, 30_000)
		go func() {
			mask := [4]byte{1, 2, 3, 4}
			for i := range 1000 {
				payload[0] = byte(i)
				n, err := device.Write(msgconn.AppendFrame(nil, uint8(Binary), &mask, payload))
				taken.Add(int64(n))
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		<-time.After(time.Minute)
		synctest.Wait()
		held := taken.Load() + int64(len(payload)) // of one message a part may have been taken
		t.Logf("after a minute the relay holds %d KiB at most", held>>10)
		require.Less(t, held, int64(1<<20))
		_, tunnels, _ := r.rv.Len()
		require.Equal(t, 1, tunnels, "and the viewer is not thrown out")

		for i := range 1000 {
			header := make([]byte, 4)
			_, err := io.ReadFull(in, header)
			require.NoError(t, err)
			require.Equal(t, msgconn.AppendFrameHeader(nil, msgconn.FrameHeader{Final: true, Opcode: uint8(Binary), Length: 30_000}), header)
			first, err := in.ReadByte()
			require.NoError(t, err)
			require.Equal(t, byte(i), first)
			_, err = in.Discard(29_999)
			require.NoError(t, err)
		}
		require.NoError(t, <-ended)
		device.Close()
		_, _ = io.Copy(io.Discard, in)
	})
}
