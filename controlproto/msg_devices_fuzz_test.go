package controlproto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// stable checks that what was read is written, and that reading that again writes the same.
func stable(t *testing.T, e Envelope, m, again Message) {
	t.Helper()
	b, err := AppendMessage(nil, m, e.Correlation)
	if err != nil {
		return // a value that JSON cannot say, or one that Extra names too
	}
	e, err = parseEnvelope(b)
	require.NoError(t, err, "%q", b)
	require.Equal(t, m.Action(), e.Action)
	require.NoError(t, e.Decode(again), "%q", b)
	b2, err := AppendMessage(nil, again, e.Correlation)
	require.NoError(t, err)
	require.Equal(t, string(b), string(b2))
}

func FuzzNodes(f *testing.F) {
	for _, name := range []string{"devices-server.jsonl", "devices-server-source.jsonl"} {
		for _, line := range readLines(f, name) {
			if e, err := parseEnvelope([]byte(line)); err == nil && e.Action == "nodes" {
				f.Add([]byte(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEnvelope(text)
		if err != nil || e.Action != "nodes" {
			return
		}
		r := new(NodesReply)
		if err := e.Decode(r); err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		n := 0
		for d := range r.All() {
			require.Contains(t, r.Devices, d.Group)
			n++
		}
		require.Equal(t, r.Count(), n)
		stable(t, e, r, new(NodesReply))
	})
}

func FuzzEvent(f *testing.F) {
	for _, name := range []string{"devices-server.jsonl", "devices-server-source.jsonl"} {
		for _, line := range readLines(f, name) {
			if e, err := parseEnvelope([]byte(line)); err == nil && e.Action == "event" {
				f.Add([]byte(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEnvelope(text)
		if err != nil || e.Action != "event" {
			return
		}
		p := new(EventPush)
		if err := e.Decode(p); err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		stable(t, e, p, new(EventPush))
		d, err := p.Event.Detail()
		if err != nil {
			return
		}
		again := p.Event
		if again.SetDetail(d) != nil {
			return
		}
		require.Equal(t, p.Event.Action, again.Action)
		_, err = again.Detail()
		require.NoError(t, err)
	})
}

// FuzzDeviceMessage reads what operators send to devices and what devices answer.
func FuzzDeviceMessage(f *testing.F) {
	for _, name := range []string{"devices-client-source.jsonl", "devices-server-source.jsonl"} {
		for _, line := range readLines(f, name) {
			if e, err := parseEnvelope([]byte(line)); err == nil && e.Action == "msg" {
				f.Add([]byte(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEnvelope(text)
		if err != nil || e.Action != "msg" {
			return
		}
		for _, parse := range []func(Envelope) (Message, error){ParseDeviceMessage, ParseAgentMessage} {
			m, err := parse(e)
			if err != nil {
				require.ErrorIs(t, err, ErrMessage)
				continue
			}
			b, err := AppendMessage(nil, m, e.Correlation)
			if err != nil {
				continue
			}
			e2, err := parseEnvelope(b)
			require.NoError(t, err)
			m2, err := parse(e2)
			require.NoError(t, err)
			require.IsType(t, m, m2)
			switch m := m.(type) {
			case *MsgProcesses:
				_, _ = m.Processes()
			case *MsgServices:
				_, _ = m.Services()
			case *MsgService:
				_, _ = m.Service()
			}
		}
	})
}

// FuzzDetails reads the text in a reply to GetDeviceDetails, and the numbers in one to PowerTimeline.
func FuzzDetails(f *testing.F) {
	for _, line := range readLines(f, "devices-server.jsonl") {
		e, err := parseEnvelope([]byte(line))
		require.NoError(f, err)
		if e.Action == "getDeviceDetails" {
			r := new(GetDeviceDetailsReply)
			require.NoError(f, e.Decode(r))
			f.Add(r.Data)
		}
	}
	f.Add(`""`)
	f.Add(`[{"node":{"_id":"node//x"}}],"details":[]`)
	f.Fuzz(func(t *testing.T, text string) {
		r := &GetDeviceDetailsReply{Data: text}
		list, err := r.Details()
		if err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		if r.SetDetails(list) != nil {
			return
		}
		again, err := r.Details()
		require.NoError(t, err)
		require.Len(t, again, len(list))
	})
}
