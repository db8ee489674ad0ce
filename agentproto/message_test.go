package agentproto

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

func filled[T ~[48]byte](c byte) (a T) {
	for i := range a {
		a[i] = c
	}
	return a
}

func hexOf(c string) string { return string(bytes.Repeat([]byte(c), 48)) }

// messages are all binary messages with the bytes they must have.
var messages = []struct {
	name      string
	msg       Message
	wire      string
	fromAgent bool
	// shorter are the lengths below the whole at which a cut message is still a message of its kind.
	shorter []int
}{
	{"AuthRequest", AuthRequest{WebHash: filled[Hash](0xAA), Nonce: filled[Nonce](0xBB)}, "0001" + hexOf("aa") + hexOf("bb"), true, nil},
	{"AuthVerify", AuthVerify{Certificate: []byte{1, 2, 3}, Signature: []byte{9, 8}}, "00020003" + "010203" + "0908", true, []int{8}},
	{"AuthInfo", AuthInfo{InfoVersion: 1, AgentID: 6, Platform: 1, Group: filled[nodeid.MeshID](0xCC), Capabilities: 0x118, Name: []byte("h")},
		"0003" + "00000001" + "00000006" + "00000000" + "00000001" + hexOf("cc") + "00000118" + "0001" + "68", true, []int{70}},
	{"AuthConfirm", AuthConfirm{}, "0004", true, nil},
	{"ServerID", ServerID{ID: filled[nodeid.ServerID](0xDD)}, "0005" + hexOf("dd"), true, nil},
	{"CoreModule", CoreModule{Hash: filled[Hash](0xEE), Core: []byte{0, 0, 0, 0, 'x'}}, "000a0000" + hexOf("ee") + "0000000078", false, []int{4, 53, 54, 55, 56}},
	{"CoreModule clear", CoreModule{}, "000a0000", false, nil},
	{"CoreHashRequest", CoreHashRequest{}, "000b0000", false, nil},
	{"CoreHash", CoreHash{RequestID: 7, HasCore: true, Hash: filled[Hash](0x11)}, "000b0007" + hexOf("11"), true, []int{4}},
	{"CoreHash none", CoreHash{}, "000b0000", true, nil},
	{"AgentHashRequest", AgentHashRequest{}, "000c0000", false, nil},
	{"AgentHash", AgentHash{Hash: filled[Hash](0x22)}, "000c0000" + hexOf("22"), true, nil},
	{"AgentUpdate", AgentUpdate{}, "000d0000", false, nil},
	{"AgentUpdate end", AgentUpdate{End: true, Hash: filled[Hash](0x33)}, "000d0000" + hexOf("33"), false, []int{4}},
	{"UpdateBlock", UpdateBlock{RequestID: 1, Data: []byte("ab")}, "000e00016162", false, []int{5}},
	{"UpdateAck", UpdateAck{RequestID: 1}, "000e0001", true, nil},
	{"AgentTag", AgentTag{Text: []byte("hi")}, "000f6869", true, []int{2, 3}},
	{"CoreOK", CoreOK{}, "00100000", false, nil},
	{"CompressedCoreModule", CompressedCoreModule{Hash: filled[Hash](0x44), Deflated: []byte{3, 0}}, "00140000" + hexOf("44") + "0300", false, []int{4, 53}},
	{"AgentCommitDate", AgentCommitDate{Text: []byte("2022-Dec-2")}, "001e323032322d4465632d3200", true, []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
	{"HostInfo", HostInfo{Text: []byte("Li")}, "001f4c69", true, []int{2, 3}},
}

func parseFrom(fromAgent bool, b []byte) (Message, error) {
	if fromAgent {
		return ParseFromAgent(b)
	}
	return ParseFromServer(b)
}

func TestMessages(t *testing.T) {
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			want, err := hex.DecodeString(tt.wire)
			require.NoError(t, err)
			prefix := []byte{0xFE, 0xFF}
			got, err := tt.msg.AppendBinary(prefix)
			require.NoError(t, err)
			require.Equal(t, append(prefix, want...), got)

			m, err := parseFrom(tt.fromAgent, want)
			require.NoError(t, err)
			require.Equal(t, tt.msg, m)

			for n := range want {
				_, err := parseFrom(tt.fromAgent, want[:n])
				if contains(tt.shorter, n) {
					require.NoError(t, err, "cut to %d bytes", n)
				} else {
					require.ErrorIs(t, err, ErrMalformed, "cut to %d bytes", n)
				}
			}
			other := append([]byte(nil), want...)
			other[0] = 0x7A // no command
			_, err = parseFrom(tt.fromAgent, other)
			require.ErrorIs(t, err, ErrProtocol)
		})
	}
}

func contains(list []int, n int) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

func TestMessagesOfTheOtherSide(t *testing.T) {
	for _, cmd := range []string{"000a0000", "000d0000", "00100000", "00140000"} {
		b, _ := hex.DecodeString(cmd)
		_, err := ParseFromAgent(b)
		require.ErrorIs(t, err, ErrProtocol, cmd)
	}
	for _, cmd := range []string{"0003", "0005", "000f", "001e", "001f"} {
		b, _ := hex.DecodeString(cmd)
		_, err := ParseFromServer(b)
		require.ErrorIs(t, err, ErrProtocol, cmd)
	}
	_, err := ParseFromAgent([]byte(`{"action":"ping"}`))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestUnencodable(t *testing.T) {
	for _, m := range []Message{
		AuthVerify{Signature: []byte{1}},
		AuthVerify{Certificate: []byte{1}},
		AuthVerify{Certificate: make([]byte, 1<<16), Signature: []byte{1}},
		AuthInfo{Name: make([]byte, 1025)},
		UpdateBlock{},
		UpdateBlock{Data: make([]byte, MaxUpdateBlock+1)},
	} {
		_, err := m.AppendBinary(nil)
		require.ErrorIs(t, err, ErrMalformed)
	}
	b, err := UpdateBlock{Data: make([]byte, MaxUpdateBlock)}.AppendBinary(nil)
	require.NoError(t, err)
	require.Len(t, b, 65535)
}

func TestBinaryMessagesDoNotAllocate(t *testing.T) {
	cert, sig, name := make([]byte, 1000), make([]byte, 384), []byte("computer")
	buf := make([]byte, 0, 2048)
	var wire [5][]byte
	wire[0], _ = AuthRequest{}.AppendBinary(nil)
	wire[1], _ = AuthVerify{Certificate: cert, Signature: sig}.AppendBinary(nil)
	wire[2], _ = AuthInfo{Name: name}.AppendBinary(nil)
	wire[3], _ = CoreHash{HasCore: true}.AppendBinary(nil)
	wire[4], _ = UpdateBlock{Data: cert}.AppendBinary(nil)
	n := testing.AllocsPerRun(100, func() {
		buf, _ = AuthRequest{}.AppendBinary(buf[:0])
		buf, _ = AuthVerify{Certificate: cert, Signature: sig}.AppendBinary(buf[:0])
		buf, _ = AuthInfo{Name: name}.AppendBinary(buf[:0])
		buf, _ = CoreHash{HasCore: true}.AppendBinary(buf[:0])
		buf, _ = UpdateBlock{Data: cert}.AppendBinary(buf[:0])
		buf, _ = AgentTag{Text: name}.AppendBinary(buf[:0])
		_, _ = ParseAuthRequest(wire[0])
		_, _ = ParseAuthVerify(wire[1])
		_, _ = ParseAuthInfo(wire[2])
		_, _ = ParseCoreHash(wire[3])
		_, _ = ParseUpdateBlock(wire[4])
		_ = SignedDigest(Hash{}, Nonce{}, Nonce{})
	})
	require.Zero(t, n)
}

func TestTagInfo(t *testing.T) {
	tag := AgentTag{Text: []byte("~ServerName:desk 1\r\nhello\r\nsecond\n~ServerDesc:by the window\n~ServerTags: a ,b,,c\n~Other:x\n~junk")}
	require.Equal(t, TagInfo{
		Tag: "hello", ServerName: "desk 1", ServerDesc: "by the window", ServerTags: []AgentString{"a", "b", "c"}, HasSettings: true,
	}, tag.Info())
	require.Equal(t, TagInfo{}, AgentTag{}.Info())
	many := AgentTag{Text: append([]byte("~ServerTags:"), bytes.Repeat([]byte("x,"), 1000)...)}
	require.Len(t, many.Info().ServerTags, maxTagCount)
}

func TestCommitDate(t *testing.T) {
	at, err := AgentCommitDate{Text: []byte("2022-Nov-2 23:01:45-0700")}.Time()
	require.NoError(t, err)
	require.Equal(t, "2022-11-03T06:01:45Z", at.UTC().Format(time.RFC3339))
	_, err = AgentCommitDate{Text: []byte("soon")}.Time()
	require.ErrorIs(t, err, ErrMalformed)
}

func TestAgentHashKinds(t *testing.T) {
	require.True(t, AgentHash{}.NeverUpdate())
	require.False(t, AgentHash{}.ForceUpdate())
	require.True(t, AgentHash{Hash: filled[Hash](0xFF)}.ForceUpdate())
	require.False(t, AgentHash{Hash: filled[Hash](0xFE)}.ForceUpdate())
}

func FuzzParseFromAgent(f *testing.F)  { fuzzParse(f, true) }
func FuzzParseFromServer(f *testing.F) { fuzzParse(f, false) }

// fuzzParse checks that whatever parses is encoded to a message that parses to the same.
func fuzzParse(f *testing.F, fromAgent bool) {
	for _, m := range messages {
		b, _ := hex.DecodeString(m.wire)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseFrom(fromAgent, b)
		if err != nil {
			if m != nil {
				t.Fatal("message with an error")
			}
			return
		}
		wire, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%v parses but does not encode: %v", m.Command(), err)
		}
		again, err := parseFrom(fromAgent, wire)
		if err != nil {
			t.Fatalf("%v encodes to what does not parse: %v", m.Command(), err)
		}
		wire2, err := again.AppendBinary(nil)
		if err != nil || !bytes.Equal(wire, wire2) {
			t.Fatalf("%v is not stable: %x, %x", m.Command(), wire, wire2)
		}
		if tag, ok := m.(AgentTag); ok {
			tag.Info()
		}
		if date, ok := m.(AgentCommitDate); ok {
			_, _ = date.Time()
		}
	})
}
