package agentproto

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// recorded is one message of a recorded connection.
type recorded struct {
	fromAgent bool
	msg       []byte
	text      bool
	cut       bool // only the head of a longer message
}

// loadRecording reads a recorded connection.
func loadRecording(t testing.TB, name string) []recorded {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "handshake", name))
	require.NoError(t, err)
	defer f.Close()
	var out []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Dir, Hex, Text string
			HexHead        string `json:"hex_head"`
			Len            int
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l))
		if l.Dir == "" || l.Len == 0 {
			continue
		}
		r := recorded{fromAgent: l.Dir == "client", text: l.Text != "", cut: l.HexHead != ""}
		switch {
		case r.text:
			r.msg = []byte(l.Text)
		default:
			r.msg, err = hex.DecodeString(l.Hex + l.HexHead)
			require.NoError(t, err)
		}
		require.True(t, r.cut || len(r.msg) == l.Len)
		out = append(out, r)
	}
	require.NoError(t, lines.Err())
	return out
}

func loadCertificate(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "handshake", name))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	require.NotNil(t, block)
	return block.Bytes
}

// find returns the first recorded binary message of a command from one side.
func find(t testing.TB, rec []recorded, fromAgent bool, cmd Command) []byte {
	t.Helper()
	for _, r := range rec {
		if c, ok := PeekCommand(r.msg); ok && c == cmd && r.fromAgent == fromAgent {
			return r.msg
		}
	}
	t.Fatalf("no %v in the recording", cmd)
	return nil
}

// recordedNode returns the node id as the stock server wrote it into a tunnel's URL.
func recordedNode(t testing.TB, rec []recorded) string {
	t.Helper()
	for _, r := range rec {
		if _, rest, ok := bytes.Cut(r.msg, []byte("&nodeid=node//")); ok && !r.fromAgent {
			id, _, _ := bytes.Cut(rest, []byte("&"))
			return string(id)
		}
	}
	t.Fatal("no tunnel in the recording")
	return ""
}

func TestRecordedMessagesRoundTrip(t *testing.T) {
	for _, name := range []string{"first-connect.jsonl", "reconnect.jsonl"} {
		binary, text := 0, 0
		for _, r := range loadRecording(t, name) {
			if IsJSON(r.msg) {
				text++
				require.Equal(t, r.fromAgent, r.text, "agents send JSON as text, servers as binary")
				continue
			}
			parse := ParseFromServer
			if r.fromAgent {
				parse = ParseFromAgent
			}
			m, err := parse(r.msg)
			require.NoError(t, err, "%x", r.msg[:2])
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, r.msg, again, "%v", m.Command())
			binary++
		}
		require.Greater(t, binary, 8)
		require.Greater(t, text, 3)
	}
}

// TestRecordedServerSide replays the agent of a recording against our server's side: what it answers is what the stock
// server answered, byte for byte.
func TestRecordedServerSide(t *testing.T) {
	for _, tt := range []struct {
		name  string
		short bool
	}{{"first-connect.jsonl", false}, {"reconnect.jsonl", true}} {
		t.Run(tt.name, func(t *testing.T) {
			rec := loadRecording(t, tt.name)
			serverFirst, err := ParseAuthRequest(find(t, rec, false, CmdAuthRequest))
			require.NoError(t, err)
			hs, err := NewServerHandshake(ServerHandshakeConfig{
				Identities: []*ServerIdentity{recordedIdentity(t)},
				WebHashes:  []Hash{certs.CertHash(loadCertificate(t, "web-cert.pem"))},
				Rand:       bytes.NewReader(serverFirst.Nonce[:]),
			})
			require.NoError(t, err)
			var sent [][]byte
			for _, r := range rec {
				if !r.fromAgent || hs.Need() == Complete {
					continue
				}
				reply, err := hs.Handle(r.msg)
				require.NoError(t, err)
				for {
					if reply != nil {
						sent = append(sent, reply)
					}
					reply = nil
					switch hs.Need() {
					case NeedAdmission:
						require.NoError(t, hs.Admit())
						continue
					case NeedSignature:
						require.False(t, tt.short)
						stock, err := ParseAuthVerify(find(t, rec, false, CmdAuthVerify))
						require.NoError(t, err)
						digest := hs.Digest()
						require.NoError(t, verifySignature(publicKey(t, stock.Certificate), digest[:], stock.Signature))
						reply, err = hs.SetSignature(stock.Signature)
						require.NoError(t, err)
						continue
					case NeedLogin:
						reply, err = hs.Accept()
						require.NoError(t, err)
						sent = append(sent, reply)
					default: // a message, or nothing more
					}
					break
				}
			}
			require.Equal(t, Complete, hs.Need())
			want := [][]byte{find(t, rec, false, CmdAuthRequest)}
			if !tt.short {
				want = append(want, find(t, rec, false, CmdAuthVerify))
			}
			want = append(want, find(t, rec, false, CmdAuthConfirm))
			require.Equal(t, want, sent)

			info, ok := hs.Info()
			require.True(t, ok)
			require.Equal(t, recordedNode(t, rec), info.NodeID.String())
			require.Equal(t, AgentString("vm"), info.Name)
			require.Equal(t, AgentID(6), info.AgentID)
			require.Equal(t, CapConsole|CapCore|CapCompression, info.Capabilities)
			require.Equal(t, AgentString("2022-Nov-2 23:01:45-0700"), info.CommitDate)
			require.Equal(t, AgentString("Debian GNU/Linux 12 (bookworm) - x64"), info.HostInfo)
			require.Equal(t, tt.short, info.ShortForm)
		})
	}
}

// TestRecordedAgentSide replays the server of a recording against our agent's side: it sends what the native agent sent.
func TestRecordedAgentSide(t *testing.T) {
	for _, tt := range []struct {
		name  string
		short bool
	}{{"first-connect.jsonl", false}, {"reconnect.jsonl", true}} {
		t.Run(tt.name, func(t *testing.T) {
			rec := loadRecording(t, tt.name)
			first, err := ParseAuthRequest(find(t, rec, true, CmdAuthRequest))
			require.NoError(t, err)
			verify, err := ParseAuthVerify(find(t, rec, true, CmdAuthVerify))
			require.NoError(t, err)
			info, err := ParseAuthInfo(find(t, rec, true, CmdAuthInfo))
			require.NoError(t, err)
			id, err := nodeid.ServerIDFromCertificateDER(loadCertificate(t, "agentserver-cert.pem"))
			require.NoError(t, err)
			hs, err := NewAgentHandshake(AgentHandshakeConfig{
				Certificate: verify.Certificate, ServerID: id, TrustServer: tt.short,
				WebHash: certs.CertHash(loadCertificate(t, "web-cert.pem")),
				Info:    info, Rand: bytes.NewReader(first.Nonce[:]),
				CommitDate: "2022-Nov-2 23:01:45-0700", HostInfo: "Debian GNU/Linux 12 (bookworm) - x64",
			})
			require.NoError(t, err)
			sent, err := hs.Start()
			require.NoError(t, err)
			for _, r := range rec {
				if r.fromAgent || hs.Need() == Complete {
					continue
				}
				out, err := hs.Handle(r.msg)
				require.NoError(t, err)
				sent = append(sent, out...)
				if hs.Need() == NeedSignature {
					digest := hs.Digest()
					require.NoError(t, verifySignature(publicKey(t, verify.Certificate), digest[:], verify.Signature))
					out, err = hs.SetSignature(verify.Signature)
					require.NoError(t, err)
					sent = append(sent, out...)
				}
			}
			require.Equal(t, Complete, hs.Need())
			require.Equal(t, !tt.short, hs.ServerProved())
			var want [][]byte
			for _, r := range rec {
				if c, ok := PeekCommand(r.msg); ok && r.fromAgent && (c <= CmdServerID || c >= CmdAgentCommitDate) {
					want = append(want, r.msg)
				}
			}
			require.Equal(t, want, sent)
		})
	}
}
