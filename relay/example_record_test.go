//go:build !js

package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/record"
)

// A relay that records all desktops, as a stock server's files.
func ExampleConfig_record() {
	var file bytes.Buffer // os.Create in a server
	config := relay.Config{
		Authenticate: func(*http.Request, *relay.Query) (relay.End, error) { return relay.End{}, relay.ErrUnauthorized },
		Record: func(_ context.Context, p *relay.Pair) (relay.Recorder, error) {
			if p.Protocol != relay.ProtocolDesktop {
				return nil, nil
			}
			return recorder(&file, p)
		},
	}
	// What a relay does with it.
	pair := &relay.Pair{
		ID: "x", First: 1, FirstEnd: relay.End{Role: relay.RoleOperator, Addr: "192.0.2.1"},
		Second: 2, SecondEnd: relay.End{Role: relay.RoleAgent, Addr: "192.0.2.2"},
		User: "user//ann", Node: "node//machine", Protocol: relay.ProtocolDesktop, Met: time.Unix(1_700_000_000, 0),
	}
	r, err := config.Record(context.Background(), pair)
	if err != nil {
		fmt.Println(err)
		return
	}
	refresh := []byte{0, 6, 0, 4}
	fmt.Println(r.Record(relay.Piece{From: 1, Type: relay.Binary, Size: 4, Data: refresh}), r.Close(relay.ErrPeerGone))

	recording, err := record.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(recording.Metadata().UserID, recording.Metadata().NodeID, recording.Complete())
	// Output:
	// <nil> <nil>
	// user//ann node//machine true
}

// recorder writes a tunnel to w.
func recorder(w io.Writer, p *relay.Pair) (relay.Recorder, error) {
	const longest = 16 << 20
	file, err := record.NewWriter(w, record.Metadata{
		UserID: p.User, NodeID: p.Node, SessionID: string(p.ID), Protocol: int(p.Protocol),
		Address1: p.FirstEnd.Addr, Address2: p.SecondEnd.Addr, Time: p.Met.Format(time.DateTime),
	}, p.Met, record.WriterConfig{Index: true})
	if err != nil {
		return nil, err
	}
	write := func(from relay.Key, t relay.Type, size uint64, data []byte) error {
		if size > longest {
			return relay.ErrTooLarge // the tunnel ends, as it must be recorded
		}
		side := record.Device
		if p.End(from).Role == relay.RoleOperator {
			side = record.User
		}
		return file.Write(time.Now(), side, t, data)
	}
	closed := func(error) error { return file.Close(time.Now()) }
	return relay.WholeMessages(longest, write, closed), nil
}
