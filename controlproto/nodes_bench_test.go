package controlproto

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// manyDevices makes a reply to Nodes of n devices in groups of 100, as a fleet of agents has them: most are Windows
// with its security state, a few have tags, links and Intel AMT.
func manyDevices(n int) []byte {
	id := func(kind string, i int) string {
		s := strconv.FormatUint(uint64(i)*0x9E3779B97F4A7C15, 36)
		return kind + "//" + (s + strings.Repeat("Ab3$x@9Z", 8))[:64]
	}
	var b strings.Builder
	b.WriteString(`{"action":"nodes","responseid":"r1","nodes":{`)
	for i := range n {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "%q:[", id("mesh", 1))
		case i%100 == 0:
			fmt.Fprintf(&b, "],%q:[", id("mesh", i/100+1))
		default:
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"node","mtype":2,"_id":%q,"icon":%d,"name":"PC-%05d","rname":"PC-%05d","domain":"",`, id("node", i), 1+i%4, i, i)
		fmt.Fprintf(&b, `"agent":{"ver":0,"id":%d,"caps":31,"core":"Nov 21 2022, 2189501291","root":true},`, 3+i%4)
		fmt.Fprintf(&b, `"host":null,"firstconnect":%d,"ip":"198.51.100.%d","publicip":"203.0.113.%d",`, 1795333098219+int64(i), i%250, i%250)
		if i%4 != 0 {
			b.WriteString(`"osdesc":"Microsoft Windows 11 Pro - 23H2/22631","av":[{"product":"Windows Defender","updated":true,"enabled":true}],` +
				`"wsc":{"antiVirus":"OK","autoUpdate":"OK","firewall":"OK"},"defender":{"RealTimeProtection":true,"TamperProtected":true},`)
			fmt.Fprintf(&b, `"users":["CORP\\user%d"],"lusers":["user%d"],"lastbootuptime":%d,`, i, i, 1795000000000+int64(i))
		} else {
			b.WriteString(`"osdesc":"Debian GNU/Linux 12 (bookworm)",`)
		}
		if i%5 == 0 {
			b.WriteString(`"desc":"third floor, left","tags":["lab","rented"],"consent":9,`)
		}
		if i%10 == 0 {
			fmt.Fprintf(&b, `"intelamt":{"ver":"16.1.25","state":2,"flags":4,"user":"admin","pass":1,"tls":1,"uuid":"4c4c4544-0036-5310-%04d-b4c04f4c3732"},`, i)
		}
		fmt.Fprintf(&b, `"conn":1,"pwr":1,"agct":%d}`, 1795333098219+int64(i))
	}
	b.WriteString(`]},"tag":"r1"}`)
	return []byte(b.String())
}

// decodeNodes decodes a reply and says how many bytes it allocated. That is at least how far the heap can have grown.
func decodeNodes(tb testing.TB, text []byte) (*NodesReply, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := parseEnvelope(text)
	require.NoError(tb, err)
	r := new(NodesReply)
	require.NoError(tb, e.Decode(r))
	runtime.ReadMemStats(&after)
	return r, after.TotalAlloc - before.TotalAlloc
}

func TestNodesMemory(t *testing.T) {
	text := manyDevices(10000)
	r, allocated := decodeNodes(t, text)
	require.Equal(t, 10000, r.Count())
	// All that was ever allocated, and the message: the heap cannot have grown by more.
	ratio := float64(allocated+uint64(len(text))) / float64(len(text))
	t.Logf("%d bytes a device, %.2f times the reply", len(text)/10000, ratio)
	require.Less(t, ratio, 4.0)
}

func BenchmarkNodes(b *testing.B) {
	text := manyDevices(10000)
	var allocated uint64
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, allocated = decodeNodes(b, text)
	}
	b.ReportMetric(float64(allocated+uint64(len(text)))/float64(len(text)), "x-reply")
}
