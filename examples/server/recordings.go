package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/relay"
	mcrec "github.com/meshcentral-go/sdk/relay/record"
)

// Recordings hold terminals, desktops and files, of the accounts, user groups and device groups whose flags say so.
var recordedProtocols = []relay.Protocol{1, 2, 5, 6, 8, 9}

// maxRecordedMessage bounds what is kept in memory of one message; of a longer one the recording has the beginning.
const maxRecordedMessage = 4 << 20

// openRecordings opens the folder, if there shall be one.
func (t *tunnels) openRecordings() (err error) {
	if t.cfg.Recordings == "" {
		return nil
	}
	if err := os.MkdirAll(t.cfg.Recordings, 0o700); err != nil {
		return err
	}
	t.recordings, err = os.OpenRoot(t.cfg.Recordings)
	return err
}

// closeRecordings closes the folder, when no tunnel is recorded any more.
func (t *tunnels) closeRecordings() error {
	if t.recordings == nil {
		return nil
	}
	return t.recordings.Close()
}

// folder is what action "recordings" looks into.
func (t *tunnels) folder() fs.FS {
	if t.recordings == nil {
		return nil
	}
	return t.recordings.FS()
}

// record says whether a tunnel is recorded, and by what. That it cannot be recorded ends the tunnel: who wants recordings
// does not want gaps in them.
func (t *tunnels) record(ctx context.Context, p *relay.Pair) (relay.Recorder, error) {
	if t.recordings == nil || p.Node == "" || !slices.Contains(recordedProtocols, p.Protocol) {
		return nil, nil
	}
	r, err := t.records.WantsRecording(ctx, controlproto.ID(p.User), controlproto.ID(p.Node))
	if r == nil || err != nil {
		return nil, err
	}
	r.Protocol, r.Start = int(p.Protocol), time.Now()
	r.Filename = mcrec.FileName(r.Start, r.Device.Domain, r.User.Name, r.Device.Name, string(p.ID))
	file, err := t.recordings.OpenFile(r.Filename, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := mcrec.NewWriter(file, mcrec.Metadata{
		UserID: string(r.User.ID), UserName: r.User.Name, SessionID: string(p.ID), Address1: p.FirstEnd.Value.(remote).addr.String(),
		Address2: p.SecondEnd.Value.(remote).addr.String(), Time: r.Start.Format(time.DateTime), Protocol: r.Protocol,
		NodeID: p.Node, MeshID: string(r.Device.Group), DeviceName: r.Device.Name, GroupName: r.Group,
	}, r.Start, mcrec.WriterConfig{Index: p.Protocol == 2})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return relay.WholeMessages(maxRecordedMessage,
		func(from relay.Key, typ relay.Type, _ uint64, data []byte) error {
			side := mcrec.Device
			if p.End(from).Role == relay.RoleOperator {
				side = mcrec.User
			}
			return w.Write(time.Now(), side, typ, data)
		},
		func(error) error { return t.recorded(r, w, file) },
	), nil
}

// recorded finishes a recording and has the log tell of it.
func (t *tunnels) recorded(r *controlserver.Recording, w *mcrec.Writer, file io.Closer) error {
	now := time.Now()
	err := errors.Join(w.Close(now), file.Close())
	r.Size, r.Length = w.Size(), now.Sub(r.Start)
	key, keyErr := r.Device.ID.DeviceKey()
	if keyErr == nil {
		t.rec.queue <- change{key: key, apply: func(tx *controlserver.Tx) error { return tx.LogRecording(r) }}
	}
	return errors.Join(err, keyErr)
}
