package agentproto

import (
	"archive/zip"
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeHost is an agent's store of cores.
type fakeHost struct {
	core    []byte
	fail    error
	started int
}

func (h *fakeHost) LoadCore() ([]byte, error)   { return h.core, h.fail }
func (h *fakeHost) StoreCore(core []byte) error { h.core = core; return h.fail }
func (h *fakeHost) StartCore() error            { h.started++; return h.fail }

// fakeUpdater is an agent's executable.
type fakeUpdater struct {
	hash   Hash
	got    []byte
	ended  *Hash
	blocks int
	fail   error
}

func (u *fakeUpdater) ExecutableHash() (Hash, error) { return u.hash, u.fail }
func (u *fakeUpdater) BeginUpdate() error            { u.got = nil; return u.fail }
func (u *fakeUpdater) WriteUpdate(block []byte) error {
	u.blocks++
	u.got = append(u.got, block...)
	return u.fail
}
func (u *fakeUpdater) EndUpdate(hash Hash) error { u.ended = &hash; return u.fail }

var (
	testCore  = NewCore("test", AppendCore(nil, []byte("console.log('one')")))
	otherCore = NewCore("other", AppendCore(nil, []byte("console.log('two')")))
)

// exchange runs both sides until nothing is left to say, and returns the conversation: commands of the server in upper
// case letters of their own, and their lengths.
func exchange(t *testing.T, x *CoreExchange, r *CoreReceiver, out [][]byte) string {
	t.Helper()
	var said []string
	for round := 0; len(out) > 0 || x.WantsPush(); round++ {
		require.Less(t, round, 1000, "no end: %v", said)
		if len(out) == 0 {
			out = x.Push()
			continue
		}
		msg := out[0]
		out = out[1:]
		cmd, _ := PeekCommand(msg)
		said = append(said, fmt.Sprintf("S%d:%d", cmd, len(msg)))
		replies, err := r.Handle(msg)
		if err != nil {
			said = append(said, "error")
		}
		for _, reply := range replies {
			cmd, _ := PeekCommand(reply)
			said = append(said, fmt.Sprintf("A%d:%d", cmd, len(reply)))
			more, err := x.Handle(reply)
			require.NoError(t, err)
			out = append(out, more...)
		}
	}
	return strings.Join(said, " ")
}

func TestCoreExchange(t *testing.T) {
	all := CapConsole | CapCore | CapCompression
	coreLen := fmt.Sprint(coreHeader + len(testCore.Blob))
	deflated := fmt.Sprint(coreHeader + len(testCore.Deflated()))
	tests := []struct {
		name    string
		cfg     CoreExchangeConfig
		host    *fakeHost
		said    string
		phase   CorePhase
		started int
	}{
		{"first contact", CoreExchangeConfig{Core: testCore, Capabilities: all}, &fakeHost{},
			"S11:4 A11:4 S10:" + coreLen + " A11:52 S16:4", CoreStable, 1},
		{"known core", CoreExchangeConfig{Core: testCore, Capabilities: all}, &fakeHost{core: testCore.Blob},
			"S11:4 A11:52 S16:4", CoreStable, 1},
		{"other core", CoreExchangeConfig{Core: testCore, Capabilities: all}, &fakeHost{core: otherCore.Blob},
			"S11:4 A11:52 S10:" + coreLen + " A11:52 S16:4", CoreStable, 1},
		{"compressed", CoreExchangeConfig{Core: testCore, Capabilities: all, Compress: true}, &fakeHost{},
			"S11:4 A11:4 S20:" + deflated + " A11:52 S16:4", CoreStable, 1},
		{"not compressed for those that can not", CoreExchangeConfig{Core: testCore, Capabilities: CapCore, Compress: true}, &fakeHost{},
			"S11:4 A11:4 S10:" + coreLen + " A11:52 S16:4", CoreStable, 1},
		{"none wanted", CoreExchangeConfig{Capabilities: all}, &fakeHost{core: otherCore.Blob}, "S11:4 A11:52 S16:4", CoreStable, 1},
		{"none at all", CoreExchangeConfig{Capabilities: all}, &fakeHost{}, "S11:4 A11:4 S16:4", CoreStable, 1},
		{"agent without cores", CoreExchangeConfig{Core: testCore}, &fakeHost{}, "", CoreStable, 0},
		{"agent with its own", CoreExchangeConfig{Core: testCore, Capabilities: all}, nil, "S11:4 A11:52 S16:4", CoreStable, 0},
		{"agent that keeps nothing", CoreExchangeConfig{Core: testCore, Capabilities: all}, &fakeHost{fail: errors.New("full")},
			"S11:4 error A11:4" + strings.Repeat(" S10:"+coreLen+" error A11:4", 5), CoreRefused, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := NewCoreExchange(tt.cfg)
			r := &CoreReceiver{}
			if tt.host != nil {
				r.Host = tt.host
			}
			require.Equal(t, tt.said, exchange(t, x, r, x.Start()))
			require.Equal(t, tt.phase, x.Phase())
			if tt.host != nil {
				require.Equal(t, tt.started, tt.host.started)
				if tt.cfg.Core != nil && tt.started > 0 {
					require.Equal(t, testCore.Blob, tt.host.core)
				}
			}
		})
	}
}

func TestCoreReplaceAndClear(t *testing.T) {
	host := &fakeHost{core: testCore.Blob}
	r := &CoreReceiver{Host: host}
	x := NewCoreExchange(CoreExchangeConfig{Core: testCore, Capabilities: CapCore})
	exchange(t, x, r, x.Start())
	exchange(t, x, r, x.Replace(otherCore))
	require.Equal(t, otherCore.Blob, host.core)
	require.Equal(t, CoreStable, x.Phase())
	require.Equal(t, "S10:4 A11:4 S16:4", exchange(t, x, r, x.Clear()))
	require.Nil(t, host.core)
	_, has := x.CoreHash()
	require.False(t, has)
}

func TestCoreReceiverRefusesSpoiltCores(t *testing.T) {
	for name, msg := range map[string]Message{
		"hash":    CoreModule{Hash: Hash{1}, Core: testCore.Blob},
		"deflate": CompressedCoreModule{Hash: testCore.Hash, Deflated: []byte{1, 2, 3, 4}},
		"cut":     CompressedCoreModule{Hash: testCore.Hash, Deflated: testCore.Deflated()[:10]},
	} {
		host := &fakeHost{core: otherCore.Blob}
		r := &CoreReceiver{Host: host}
		out, err := r.Handle(encode(t, msg))
		require.Error(t, err, name)
		require.Equal(t, wire(CoreHash{}), out, "%s: the agent has no core now", name)
		require.Nil(t, host.core, name)
	}
}

func TestAgentUpdate(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 20_000) // four blocks
	binary, err := NewAgentBinary(data, false)
	require.NoError(t, err)
	zipped := &AgentBinary{data: data, hash: Hash{5}, zipped: true}
	core := CoreExchangeConfig{Core: testCore, Capabilities: CapCore}
	with := func(b *AgentBinary) CoreExchangeConfig {
		c := core
		c.Capabilities |= CapCompression
		c.Binary = b
		return c
	}

	t.Run("updates", func(t *testing.T) {
		for _, b := range []*AgentBinary{binary, zipped} {
			u := &fakeUpdater{hash: Hash{1}}
			host := &fakeHost{core: testCore.Blob}
			x := NewCoreExchange(with(b))
			said := exchange(t, x, &CoreReceiver{Host: host, Updater: u}, x.Start())
			require.Equal(t, "S12:4 A12:52 S10:4 A11:4 S13:4 S14:65535 A14:4 S14:65535 A14:4 S14:65535 A14:4 S14:3411 A14:4 S13:52", said)
			require.Equal(t, CoreUpdated, x.Phase())
			require.Equal(t, data, u.got)
			require.Equal(t, Hash(sha512.Sum384(data)), *u.ended)
			require.Nil(t, host.core)
			sent, total := x.Progress()
			require.Equal(t, len(data), sent)
			require.Equal(t, len(data), total)
			require.Nil(t, x.Replace(otherCore), "the agent is about to restart")
			require.Nil(t, x.Clear())
		}
	})
	t.Run("same executable", func(t *testing.T) {
		u := &fakeUpdater{hash: binary.Hash()}
		x := NewCoreExchange(with(binary))
		require.Equal(t, "S12:4 A12:52 S11:4 A11:52 S16:4", exchange(t, x, &CoreReceiver{Host: &fakeHost{core: testCore.Blob}, Updater: u}, x.Start()))
	})
	t.Run("agent that can not unpack", func(t *testing.T) {
		c := with(zipped)
		c.Capabilities = CapCore
		x := NewCoreExchange(c)
		require.Equal(t, "S11:4 A11:52 S16:4", exchange(t, x, &CoreReceiver{}, x.Start()))
	})
	t.Run("agent that is not updated", func(t *testing.T) {
		x := NewCoreExchange(with(binary))
		require.Equal(t, "S12:4 A12:52 S11:4 A11:52 S16:4", exchange(t, x, &CoreReceiver{}, x.Start()))
	})
	t.Run("disk full", func(t *testing.T) {
		u := &fakeUpdater{hash: Hash{1}}
		x := NewCoreExchange(with(binary))
		r := &CoreReceiver{Updater: u}
		out := x.Start()
		replies, _ := r.Handle(out[0])
		out, err := x.Handle(replies[0])
		require.NoError(t, err)
		u.fail = errors.New("full")
		require.Len(t, out, 3)
		_, err = r.Handle(out[1])
		require.Error(t, err)
		replies, err = r.Handle(out[2])
		require.ErrorIs(t, err, ErrProtocol)
		require.Empty(t, replies, "not acknowledged")
		require.Equal(t, CoreUpdating, x.Phase())
	})
	t.Run("stray messages", func(t *testing.T) {
		x := NewCoreExchange(with(binary))
		for _, m := range []Message{UpdateAck{RequestID: 1}, AgentHash{Hash: Hash{1}}, CoreHash{}} {
			out, err := x.Handle(encode(t, m)) // before it began
			require.NoError(t, err)
			require.Empty(t, out)
		}
		x.Start()
		out, err := x.Handle(encode(t, AgentHash{Hash: Hash{1}}))
		require.NoError(t, err)
		require.Len(t, out, 3)
		for _, m := range []Message{UpdateAck{RequestID: 7}, AgentHash{Hash: Hash{1}}, CoreHash{HasCore: true}} {
			out, err := x.Handle(encode(t, m)) // during the update
			require.NoError(t, err)
			require.Empty(t, out)
		}
		_, err = x.Handle(encode(t, AuthConfirm{}))
		require.ErrorIs(t, err, ErrProtocol)
		_, err = x.Handle([]byte{0, 12, 0, 0, 1})
		require.ErrorIs(t, err, ErrMalformed)
	})
}

func TestZippedBinary(t *testing.T) {
	program := bytes.Repeat([]byte("program "), 1000)
	b, err := NewAgentBinary(program, true)
	require.NoError(t, err)
	require.Equal(t, Hash(sha512.Sum384(program)), b.Hash())
	require.Less(t, b.Size(), 1000)
	require.Zero(t, b.data[6]&8, "no data descriptor: the sizes stand in front")
	z, err := zip.NewReader(bytes.NewReader(b.data), int64(b.Size()))
	require.NoError(t, err)
	require.Len(t, z.File, 1)
	require.Equal(t, "meshagent", z.File[0].Name)
	f, err := z.File[0].Open()
	require.NoError(t, err)
	got, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, program, got)
	_, err = NewAgentBinary(nil, true)
	require.Error(t, err)
}

// FuzzCoreExchange feeds anything an agent might say: it never makes the server send more than five cores, nor more than
// one executable.
func FuzzCoreExchange(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5}, true)
	f.Add([]byte{2, 2, 2, 2, 2, 2, 2, 2, 2}, false)
	f.Add([]byte{1, 3, 3, 3, 3, 3, 3}, true)
	data := make([]byte, 3*MaxUpdateBlock)
	f.Fuzz(func(t *testing.T, script []byte, update bool) {
		cfg := CoreExchangeConfig{Core: testCore, Capabilities: CapCore}
		if update {
			cfg.Binary = &AgentBinary{data: data, hash: Hash{9}}
		}
		x := NewCoreExchange(cfg)
		out := x.Start()
		cores, blocks, rounds := 0, 0, 0
		for _, b := range script {
			for _, m := range out {
				switch cmd, _ := PeekCommand(m); {
				case cmd == CmdCoreModule && len(m) > 4:
					cores++
				case cmd == CmdCoreOK:
					cores = 0 // agreed: a later change begins anew
				case cmd == CmdUpdateBlock:
					blocks++
				}
			}
			if x.WantsPush() {
				rounds++
				out = x.Push()
				continue
			}
			var m Message
			switch b % 6 {
			case 0:
				m = AgentHash{}
			case 1:
				m = AgentHash{Hash: Hash{b}}
			case 2:
				m = CoreHash{}
			case 3:
				m = UpdateAck{RequestID: 1}
			case 4:
				m = CoreHash{HasCore: true, Hash: Hash{b}}
			case 5:
				m = CoreHash{HasCore: true, Hash: testCore.Hash}
			}
			var err error
			if out, err = x.Handle(encode(t, m)); err != nil {
				t.Fatal(err)
			}
			if cores > maxCoreRounds || blocks > 3 {
				t.Fatalf("%d cores, %d blocks after %v", cores, blocks, script)
			}
		}
	})
}
