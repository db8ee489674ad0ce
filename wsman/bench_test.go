package wsman

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// canned is a device that answers every authorized request with the same bytes, and costs next to nothing itself.
func canned(tb testing.TB, body string) *Client {
	tb.Helper()
	answer := []byte(chunked(200, strings.Replace(body, "<b:RelatesTo>ID</b:RelatesTo>", "", 1)))
	refusal := []byte(strings.Replace(unauthorized(`Digest realm="`+peerRealm+`", nonce="AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",stale="false",qop="auth-int, auth"`), "Connection: close\r\n", "", 1))
	c, err := NewClient(Config{
		Address: "device:16992", Username: "admin", Password: NewSecret(peerPassword),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				br := bufio.NewReaderSize(theirs, 16<<10)
				for {
					length, authorized := 0, false
					for {
						line, err := br.ReadSlice('\n')
						if err != nil {
							return
						}
						line = bytes.TrimSpace(line)
						if len(line) == 0 {
							break
						}
						if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
							length, _ = strconv.Atoi(string(value))
						}
						authorized = authorized || bytes.HasPrefix(line, []byte("Authorization: "))
					}
					if _, err := br.Discard(length); err != nil {
						return
					}
					out := answer
					if !authorized {
						out = refusal
					}
					if _, err := theirs.Write(out); err != nil {
						return
					}
				}
			}()
			return ours, nil
		},
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func cannedGeneral(tb testing.TB) *Client {
	return canned(tb, soap("ID", ActionGet, "AMT_GeneralSettings", generalBody))
}

func cannedPower(tb testing.TB) *Client {
	return canned(tb, soap("ID", powerService.ResourceURI+"/RequestPowerStateChange", "CIM_PowerManagementService",
		`<g:RequestPowerStateChange_OUTPUT><g:ReturnValue>0</g:ReturnValue></g:RequestPowerStateChange_OUTPUT>`))
}

// physicalMemory has the properties that a memory module has in an inventory.
type physicalMemory struct {
	BankLabel         string   `wsman:"BankLabel"`
	Capacity          uint64   `wsman:"Capacity"`
	CreationClassName string   `wsman:"CreationClassName"`
	ElementName       string   `wsman:"ElementName"`
	FormFactor        uint16   `wsman:"FormFactor"`
	IsSpeedInMhz      bool     `wsman:"IsSpeedInMhz"`
	Manufacturer      string   `wsman:"Manufacturer"`
	MaxMemorySpeed    uint32   `wsman:"MaxMemorySpeed"`
	MemoryType        uint16   `wsman:"MemoryType"`
	Status            []uint16 `wsman:"OperationalStatus"`
	PartNumber        string   `wsman:"PartNumber"`
	SerialNumber      string   `wsman:"SerialNumber"`
	Speed             uint32   `wsman:"Speed"`
	Tag               string   `wsman:"Tag"`
	Present           Present
	Extra             []Element
}

func (*physicalMemory) Class() string { return "CIM_PhysicalMemory" }

// pullOf is the answer to a Pull with that many memory modules.
func pullOf(n int) string {
	var items strings.Builder
	for i := range n {
		fmt.Fprintf(&items, "<g:CIM_PhysicalMemory><g:BankLabel>BANK %d</g:BankLabel><g:Capacity>17179869184</g:Capacity><g:CreationClassName>CIM_PhysicalMemory</g:CreationClassName>"+
			"<g:ElementName>Managed System Memory Chip</g:ElementName><g:FormFactor>13</g:FormFactor><g:IsSpeedInMhz>true</g:IsSpeedInMhz><g:Manufacturer>Samsung</g:Manufacturer>"+
			"<g:MaxMemorySpeed>3200</g:MaxMemorySpeed><g:MemoryType>26</g:MemoryType><g:OperationalStatus>0</g:OperationalStatus><g:PartNumber>M471A2K43DB1-CWE    </g:PartNumber>"+
			"<g:SerialNumber>%08X</g:SerialNumber><g:Speed>0</g:Speed><g:Tag>%d (tag)</g:Tag></g:CIM_PhysicalMemory>", i, i, i)
	}
	return soap("ID", ActionPull, "CIM_PhysicalMemory", "<h:PullResponse><h:Items>"+items.String()+"</h:Items><h:EndOfSequence></h:EndOfSequence></h:PullResponse>")
}

// decodePull is what Enumerate does with a page.
func decodePull(tb testing.TB, b []byte) int {
	e, err := ParseEnvelope(b, Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	items := e.First().Child("Items").Children
	list := make([]*physicalMemory, 0, len(items))
	for i := range items {
		v := new(physicalMemory)
		if err := Decode(&items[i], v); err != nil {
			tb.Fatal(err)
		}
		list = append(list, v)
	}
	return len(list)
}

func BenchmarkGet(b *testing.B) {
	c := cannedGeneral(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Get[generalSettings](b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvoke(b *testing.B) {
	c := cannedPower(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := invokePower(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEnumeration100(b *testing.B) {
	page := []byte(pullOf(100))
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if decodePull(b, page) != 100 {
			b.Fatal("not all")
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	e := &Envelope{Action: ActionGet, To: Path, ResourceURI: ResourceURI("AMT_GeneralSettings"), MessageID: "1", ReplyTo: Anonymous, Selectors: []Selector{Key("InstanceID", "x")}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = AppendEnvelope(buf[:0], e); err != nil {
			b.Fatal(err)
		}
	}
}
