package redir

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// wireMessage is what all messages have.
type wireMessage interface{ Append([]byte) []byte }

// parser is what all pointers to messages have.
type wireParser interface{ Parse(Message) error }

// vector is a message with its bytes, all of them from section 6 of the facts this package was written from, which were
// read off stock MeshCentral and captures of firmware.
type vector struct {
	name    string
	from    Side
	session SessionType
	hex     string
	message wireMessage
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

func vectors() []vector {
	const zeros12 = "00 00 00 00 00 00 00 00 00 00 00 00 "
	return []vector{
		{"start SOL", Operator, 0, "10 00 00 00 53 4F 4C 20", StartSession{SOL}},
		{"start KVM", Operator, 0, "10 01 00 00 4B 56 4D 52", StartSession{KVM}},
		{"start IDE-R", Operator, 0, "10 00 00 00 49 44 45 52", StartSession{IDER}},
		{"started", AMT, 0, "11 00 00 00 01 02 03 04 05 06 07 08 02 AA BB", StartReply{Info: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, OEM: []byte{0xAA, 0xBB}}},
		{"busy", AMT, 0, "11 02 00 00", StartReply{Status: StartBusy}},
		{"unknown type", AMT, 0, "11 01 00 00", StartReply{Status: StartUnknownType}},
		{"unsupported", AMT, 0, "11 03 00 00", StartReply{Status: StartUnsupported}},
		{"failed", AMT, 0, "11 FF 00 00", StartReply{Status: StartFailed}},
		{"end", Operator, 0, "12 00 00 00", EndSession{}},
		{"end within SOL", Operator, SOL, "12 00 00 00", EndSession{}},
		{"query", Operator, 0, "13 00 00 00 00 00 00 00 00", AuthRequest{Type: AuthQuery, Data: []byte{}}},
		{"types", AMT, 0, "14 00 00 00 00 01 00 00 00 04", AuthReply{Type: AuthQuery, Data: []byte{4}}},
		{
			"blanks", Operator, 0,
			"13 00 00 00 04 20 00 00 00 05 61 64 6D 69 6E 00 00 13 2F 52 65 64 69 72 65 63 74 69 6F 6E 53 65 72 76 69 63 65 00 00 00 00",
			AuthRequest{Type: AuthDigest, Data: []byte("\x05admin\x00\x00\x13/RedirectionService\x00\x00\x00\x00")},
		},
		{"accepted", AMT, 0, "14 00 00 00 04 00 00 00 00", AuthReply{Type: AuthDigest, Data: []byte{}}},
		{"refused", AMT, 0, "14 01 00 00 04 00 00 00 00", AuthReply{Status: AuthFailed, Type: AuthDigest, Data: []byte{}}},
		{"not supported", AMT, 0, "14 02 00 00 01 00 00 00 00", AuthReply{Status: AuthNotSupported, Type: AuthPassword, Data: []byte{}}},

		{
			"SOL open", Operator, SOL, "20 00 00 00 01 00 00 00 10 27 64 00 00 00 10 27 64 00 00 00 00 00 00 00",
			SOLOpen{1, 10000, 100, 0, 10000, 100, 0},
		},
		{"SOL opened", AMT, SOL, "21 00 00 00 01 00 00 00 " + zeros12 + "00 00 00", SOLOpenReply{Sequence: 1}},
		{"SOL lines", Operator, SOL, "27 00 00 00 02 00 00 00 00 00 1B 00 00 00", SOLControls{2, DefaultLines}},
		{"SOL keys", Operator, SOL, "28 00 00 00 03 00 00 00 02 00 68 69", SOLData{Operator, 3, []byte("hi")}},
		{"SOL status", AMT, SOL, "29 00 00 00 02 00 00 00 03 05", SOLStatus{2, LineRTS | LineDTR, StateOverflow | StatePowered}},
		{"SOL screen", AMT, SOL, "2A 00 00 00 03 00 00 00 02 00 68 69", SOLData{AMT, 3, []byte("hi")}},
		{"SOL heartbeat", Operator, SOL, "2B 00 00 00 04 00 00 00", SOLSignal{CommandSOLHeartbeat, 4}},
		{"SOL heartbeat of the device", AMT, SOL, "2B 00 00 00 04 00 00 00", SOLSignal{CommandSOLHeartbeat, 4}},
		{"SOL close", Operator, SOL, "22 00 00 00 05 00 00 00", SOLSignal{CommandSOLClose, 5}},
		{"SOL closed", AMT, SOL, "23 00 00 00 05 00 00 00", SOLSignal{CommandSOLClosed, 5}},
		{"SOL ping", Operator, SOL, "24 00 00 00 06 00 00 00", SOLSignal{CommandSOLPing, 6}},
		{"SOL pong", AMT, SOL, "25 00 00 00 06 00 00 00", SOLSignal{CommandSOLPong, 6}},

		{"KVM open", Operator, KVM, "40 00 00 00 00 00 00 00", KVMOpen{}},
		{"KVM opened", AMT, KVM, "41 00 00 00 00 00 00 00", KVMOpened{}},

		{"IDE-R open", Operator, IDER, "40 00 00 00 00 00 00 00 30 75 00 00 20 4E 01 00 00 00", IDEROpen{0, 30000, 0, 20000, 1}},
		{
			"IDE-R opened", AMT, IDER,
			"41 00 00 00 00 00 00 00 01 02 03 04 00 00 00 00 00 20 00 10 00 00 00 00 00 57 01 00 00 01 77",
			IDEROpenReply{Major: 1, Minor: 2, FirmwareMajor: 3, FirmMinor: 4, ReadBuffer: 8192, WriteBuffer: 4096, IANA: 343, OEM: []byte{0x77}},
		},
		{"IDE-R close", Operator, IDER, "42 00 00 00 09 00 00 00", IDERSignal{CommandIDERClose, 9}},
		{"IDE-R closed", AMT, IDER, "43 00 00 00 09 00 00 00", IDERSignal{CommandIDERClosed, 9}},
		{"IDE-R ping", AMT, IDER, "44 00 00 00 07 00 00 00", IDERSignal{CommandIDERPing, 7}},
		{"IDE-R pong", Operator, IDER, "45 00 00 00 07 00 00 00", IDERSignal{CommandIDERPong, 7}},
		{"IDE-R reset", AMT, IDER, "46 00 00 00 08 00 00 00 03", IDERReset{8, 3}},
		{"IDE-R reset done", Operator, IDER, "47 00 00 00 08 00 00 00", IDERSignal{CommandIDERResetDone, 8}},
		{"IDE-R on reboot", Operator, IDER, "48 00 00 00 01 00 00 00 03 09 00 00 00", IDERFeatures{1, FeaturesToggle, StartOnReboot}},
		{"IDE-R graceful", Operator, IDER, "48 00 00 00 01 00 00 00 03 11 00 00 00", IDERFeatures{1, FeaturesToggle, StartGraceful}},
		{"IDE-R now", Operator, IDER, "48 00 00 00 01 00 00 00 03 19 00 00 00", IDERFeatures{1, FeaturesToggle, StartNow}},
		{"IDE-R which features", Operator, IDER, "48 00 00 00 01 00 00 00 01", IDERFeatures{1, FeaturesAvailable, 0}},
		{"IDE-R features", AMT, IDER, "49 00 00 00 01 00 00 00 03 01 00 00 00", IDERFeaturesReply{1, FeaturesToggle, 1}},
		{"IDE-R error", AMT, IDER, "4A 00 00 00 01 00 00 00 05 06 07", IDERError{1, [3]byte{5, 6, 7}}},
		{"IDE-R heartbeat", AMT, IDER, "4B 00 00 00 02 00 00 00", IDERSignal{CommandIDERHeartbeat, 2}},
		{
			"IDE-R command", AMT, IDER, "50 00 00 00 02 00 00 00 00 01 00 00 00 00 B0 A0 28 00 00 00 00 10 00 00 04 00 00 00",
			IDERCommand{2, 1, 0xB0, [12]byte{0x28, 0, 0, 0, 0, 0x10, 0, 0, 4}},
		},
		{
			"IDE-R good end", Operator, IDER, "51 00 00 02 03 00 00 00 " + zeros12 + "C5 00 03 00 00 00 A0 50 00 00 00",
			IDERCommandEnd{3, Floppy, SenseGood},
		},
		{
			"IDE-R check condition", Operator, IDER, "51 00 00 02 03 00 00 00 " + zeros12 + "87 70 03 00 00 00 A0 51 07 27 00",
			IDERCommandEnd{3, Floppy, SenseWriteProtected},
		},
		{
			"IDE-R get data", Operator, IDER, "52 00 00 00 04 00 00 00 00 00 02 00 B5 00 00 00 00 02 A0 58 " + "00 00 00 00 00 00 00 00 00 00 00",
			IDERGetData{4, Floppy, 512},
		},
		{"IDE-R data from host", AMT, IDER, "53 00 00 00 04 00 00 00 00 02 00 00 00 00 AB CD", IDERDataFromHost{4, []byte{0xAB, 0xCD}}},
		{
			"IDE-R last data", Operator, IDER,
			"54 00 00 02 05 00 00 00 00 02 00 00 B5 00 02 00 02 00 B0 58 85 00 03 00 00 00 B0 50 00 00 00 00 00 00 AB CD",
			IDERDataToHost{5, 0xB0, true, false, []byte{0xAB, 0xCD}},
		},
		{
			"IDE-R data by DMA", Operator, IDER,
			"54 00 00 01 05 00 00 00 00 02 00 00 B4 00 02 00 00 00 B0 58 00 00 00 00 00 00 00 00 00 00 00 00 00 00 AB CD",
			IDERDataToHost{5, 0xB0, false, true, []byte{0xAB, 0xCD}},
		},
	}
}

// parse reads a message into a new value of the same type as the one it is compared with.
func parse(t testing.TB, like wireMessage, b []byte) wireMessage {
	t.Helper()
	v := reflect.New(reflect.TypeOf(like))
	require.NoError(t, v.Interface().(wireParser).Parse(b))
	return v.Elem().Interface().(wireMessage)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.hex)
			require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(v.message.Append(nil)))
			prefix := []byte("before")
			require.Equal(t, append(prefix, want...), v.message.Append(prefix))
			require.Empty(t, cmp.Diff(v.message, parse(t, v.message, want)))

			// The stream tells the same length, and not before it is there.
			p := NewParser(v.from)
			p.SetSession(v.session)
			m, n, err := p.Next(append(bytes.Clone(want), 0xEE))
			require.NoError(t, err)
			require.Equal(t, len(want), n)
			require.Equal(t, want, []byte(m))

			// Every prefix is an error for the codec, and no message for the stream.
			for i := range want {
				p := NewParser(v.from)
				p.SetSession(v.session)
				m, n, err := p.Next(want[:i])
				require.NoError(t, err)
				require.Nil(t, m)
				require.Equal(t, i, n)
				m, n, err = p.Next(want[i:])
				require.NoError(t, err)
				require.Equal(t, len(want)-i, n)
				require.Equal(t, want, []byte(m))
			}
			fixed := reflect.New(reflect.TypeOf(v.message)).Interface().(wireParser)
			require.ErrorIs(t, fixed.Parse(nil), ErrProtocol)
			require.ErrorIs(t, fixed.Parse(want[:3]), ErrProtocol)
			require.ErrorIs(t, fixed.Parse(append([]byte{0xEE}, want[1:]...)), ErrProtocol)
		})
	}
}

// TestShortMessages gives each codec its messages cut at every place: it may not panic, and takes none for a longer one.
func TestShortMessages(t *testing.T) {
	for _, v := range vectors() {
		whole := unhex(t, v.hex)
		for i := range whole {
			m := reflect.New(reflect.TypeOf(v.message))
			if m.Interface().(wireParser).Parse(whole[:i:i]) == nil {
				require.LessOrEqual(t, len(m.Elem().Interface().(wireMessage).Append(nil)), len(whole), v.name)
			}
		}
	}
}

// TestSplits cuts streams of all messages of a side at random places.
func TestSplits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, from := range []Side{Operator, AMT} {
		for _, session := range []SessionType{0, SOL, KVM, IDER} {
			var stream []byte
			var want []string
			for range 3 {
				for _, v := range vectors() {
					if v.from == from && v.session == session {
						b := unhex(t, v.hex)
						stream = append(stream, b...)
						want = append(want, hex.EncodeToString(b))
					}
				}
			}
			for range 50 {
				p := NewParser(from)
				p.SetSession(session)
				var got []string
				for rest := stream; len(rest) > 0; {
					piece := rest[:1+random.IntN(min(len(rest), 40))]
					rest = rest[len(piece):]
					for len(piece) > 0 {
						m, n, err := p.Next(piece)
						require.NoError(t, err)
						piece = piece[n:]
						if m != nil {
							got = append(got, hex.EncodeToString(m))
						}
					}
				}
				require.Equal(t, want, got)
			}
		}
	}
}

func TestParserLimits(t *testing.T) {
	t.Run("authentication", func(t *testing.T) {
		p := NewParser(Operator)
		_, _, err := p.Next(unhex(t, "13 00 00 00 04 01 10 00 00"))
		require.ErrorIs(t, err, ErrTooLarge)
		_, _, err = p.Next([]byte{0x10})
		require.ErrorIs(t, err, ErrTooLarge) // it is final
	})
	t.Run("authentication, byte by byte", func(t *testing.T) {
		p := NewParser(AMT)
		var err error
		for _, b := range unhex(t, "14 00 00 00 04 FF FF FF FF") {
			require.NoError(t, err)
			_, _, err = p.Next([]byte{b})
		}
		require.ErrorIs(t, err, ErrTooLarge)
	})
	for _, from := range []Side{Operator, AMT} {
		for _, session := range []SessionType{0, SOL, KVM, IDER, 1} {
			known := map[byte]bool{}
			for _, v := range vectors() {
				if v.from == from && v.session == session {
					known[unhex(t, v.hex)[0]] = true
				}
			}
			for c := range 256 {
				p := NewParser(from)
				p.SetSession(session)
				_, _, err := p.Next([]byte{byte(c), 0})
				if err != nil {
					require.ErrorIs(t, err, ErrProtocol)
					require.False(t, known[byte(c)], "%02X", c)
				}
			}
		}
	}
}

func TestDigestFields(t *testing.T) {
	challenge := DigestChallenge{testRealm, "00112233445566778899aabbccddeeff", "auth"}
	b, err := challenge.Append(nil)
	require.NoError(t, err)
	require.Len(t, b, 0x4E)
	var got DigestChallenge
	require.NoError(t, got.Parse(b))
	require.Equal(t, challenge, got)
	for i := range b {
		require.ErrorIs(t, got.Parse(b[:i]), ErrProtocol)
	}
	require.ErrorIs(t, got.Parse(append(b, 0)), ErrProtocol)
	_, err = DigestChallenge{Realm: strings.Repeat("x", 256)}.Append(nil)
	require.ErrorIs(t, err, ErrTooLarge)
	d := DigestResponse{"admin", testRealm, "n", authURI, "c", "00000002", "r", "auth"}
	b, err = d.Append(nil)
	require.NoError(t, err)
	require.Len(t, b, 5+39+1+19+1+8+1+4+8)
	var parsed DigestResponse
	require.NoError(t, parsed.Parse(b))
	require.True(t, parsed == d)
}

// TestResponseVector has the values that were computed for the facts.
func TestResponseVector(t *testing.T) {
	d := DigestResponse{
		Username: "admin", Realm: testRealm, Nonce: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", URI: authURI,
		CNonce: "0a4f113b5b6a2f1d0a4f113b5b6a2f1d", NC: "00000002", QOP: "auth",
	}
	require.Equal(t, "12f2bf9b00c7b2a004e5d783cc18c261", testResponse(&d))
}

func TestLongFieldsAreCut(t *testing.T) {
	long := make([]byte, 70_000)
	require.Len(t, StartReply{OEM: long}.Append(nil), startReplyLen+255)
	require.Len(t, IDEROpenReply{OEM: long}.Append(nil), iderOpenedLen+255)
	require.Len(t, SOLData{Data: long}.Append(nil), solDataLen+65535)
	require.Len(t, IDERDataFromHost{Data: long}.Append(nil), fromHostLen+65535)
	require.Len(t, IDERDataToHost{Data: long}.Append(nil), MaxMessage)
}

func TestNames(t *testing.T) {
	require.Equal(t, "RTS+break", (LineRTS | LineBreak).String())
	require.Equal(t, "none", SOLState(0).String())
	require.Equal(t, "05/21/00", SenseBadAddress.String())
	require.Equal(t, "good", SenseGood.String())
	require.Equal(t, `"ABCD"`, SessionType(0x44434241).String())
	for op := range 256 {
		require.NotEmpty(t, SCSIOp(op).String())
	}
	require.ErrorIs(t, &StartError{SOL, StartBusy}, ErrBusy)
	require.ErrorIs(t, &StartError{SOL, StartUnsupported}, ErrUnsupported)
	require.ErrorIs(t, &StartError{SOL, StartUnknownType}, ErrUnknownType)
	require.NotErrorIs(t, &StartError{SOL, StartFailed}, ErrBusy)
	require.EqualError(t, &StartError{SOL, StartFailed}, "redir: start of SOL session: error")
}
