package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// key is an RSA key with a certificate. Keys are made once: that takes time.
type key struct {
	der    []byte
	signer *rsa.PrivateKey
}

func newKey() key {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}}
	return key{must(x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)), k}
}

func (k key) node() nodeid.NodeKey {
	return nodeid.NodeKey{ID: must(nodeid.FromCertificateDER(k.der))}
}

var (
	serverKey = sync.OnceValue(newKey)
	agentKey  = sync.OnceValue(newKey)
	webHash   = agentproto.Hash{1}
)

// rig is the part of the server that agents see, without a network.
type rig struct {
	store  *sqlstore.Store
	rules  *agents
	server *agentproto.Server
	group  sqlstore.Group
	id     nodeid.ServerID
	closed bool
}

// inRig runs a test with a rig in a bubble: time stands still until all is at rest, and then jumps.
func inRig(t *testing.T, test func(*testing.T, *rig)) {
	serverKey()
	agentKey()
	path := filepath.Join(t.TempDir(), "store.sqlite")
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlstore.Open(t.Context(), path)
		require.NoError(t, err)
		identity, err := agentproto.NewServerIdentity(serverKey().der, serverKey().signer)
		require.NoError(t, err)
		r := &rig{store: store, id: identity.ID()}
		if r.group, err = setGroup(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		rec := newRecorder(store, &web.Feed{}, func(k nodeid.NodeKey) (*agentproto.Session, bool) { return r.server.Session(k) }, log)
		r.rules = &agents{store: store, rec: rec, log: log}
		r.server, err = agentproto.NewServer(agentproto.ServerConfig{
			Identities: []*agentproto.ServerIdentity{identity},
			WebHashes:  func(string) []agentproto.Hash { return []agentproto.Hash{webHash} },
			Login:      r.rules.login, Core: r.rules.core,
		})
		require.NoError(t, err)
		t.Cleanup(func() {
			r.close(t)
			require.NoError(t, store.Close())
		})
		test(t, r)
	})
}

// close ends all but the store.
func (r *rig) close(t *testing.T) {
	t.Helper()
	if !r.closed {
		r.closed = true
		require.NoError(t, r.server.Shutdown(context.Background()))
		synctest.Wait() // for the handlers, which Accept leaves to its caller
		r.rules.rec.close()
	}
}

// agent is one that is logged in.
type agent struct {
	*agentproto.ClientSession
	got []agentproto.JSONMessage // read only when all is at rest
}

// connect logs an agent in.
func (r *rig) connect(t *testing.T, change func(*agentproto.ClientConfig)) (*agent, error) {
	t.Helper()
	cfg := agentproto.ClientConfig{
		Servers:     []agentproto.ServerAddress{{URL: "wss://server.example.com/agent.ashx", ID: r.id}},
		Certificate: agentKey().der, Signer: agentKey().signer, Group: r.group.Key.ID, Name: "computer",
	}
	if change != nil {
		change(&cfg)
	}
	client, err := agentproto.NewClient(cfg)
	require.NoError(t, err)
	theirs, ours := msgconn.Pipe()
	go func() {
		s, err := r.server.Accept(context.Background(), ours, agentproto.Peer{Addr: netip.MustParseAddr("192.0.2.7")})
		if err == nil {
			r.rules.serve(context.Background(), s)
			s.Close("")
		}
	}()
	session, err := client.Handshake(t.Context(), theirs, cfg.Servers[0], webHash)
	if err != nil {
		return nil, err
	}
	a := &agent{ClientSession: session}
	go func() {
		for event, err := range session.Events(context.Background()) {
			if err != nil {
				return
			}
			if m, ok := event.(agentproto.MessageEvent); ok {
				a.got = append(a.got, m.Message)
			}
		}
	}()
	synctest.Wait()
	return a, nil
}

func (r *rig) online(t *testing.T) *agent {
	t.Helper()
	a, err := r.connect(t, nil)
	require.NoError(t, err)
	return a
}

// leave ends a session and waits until that is stored.
func (a *agent) leave() {
	a.Close("")
	synctest.Wait()
}

func (a *agent) send(t *testing.T, m agentproto.JSONMessage) {
	t.Helper()
	require.NoError(t, a.Send(t.Context(), m))
	synctest.Wait()
}

func (r *rig) device(t *testing.T, key nodeid.NodeKey) (d sqlstore.Device) {
	t.Helper()
	require.NoError(t, r.store.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
		d, err = tx.Device(key)
		return err
	}))
	return d
}

func (r *rig) gone(t *testing.T, key nodeid.NodeKey) {
	t.Helper()
	require.ErrorIs(t, r.store.View(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Device(key)
		return err
	}), sqlstore.ErrNotFound)
}

// events returns the kinds of all events, the oldest first.
func (r *rig) events(t *testing.T) (kinds []sqlstore.EventKind) {
	t.Helper()
	require.NoError(t, r.store.View(t.Context(), func(tx *sqlstore.Tx) error {
		list, err := tx.Events(100)
		for _, e := range list {
			kinds = append([]sqlstore.EventKind{e.Kind}, kinds...)
		}
		return err
	}))
	return kinds
}

func TestEnrolAndReport(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		a, err := r.connect(t, func(c *agentproto.ClientConfig) {
			c.PreferredName, c.Platform = "front desk", agentproto.PlatformLaptop
		})
		require.NoError(t, err)
		node := agentKey().node()
		d := r.device(t, node)
		require.Equal(t, r.group.Key, d.Group)
		require.Equal(t, "front desk", d.Name)
		require.Equal(t, "computer", d.Host)
		require.Equal(t, "192.0.2.7", d.Addr)
		require.EqualValues(t, agentproto.PlatformLaptop, d.Icon)
		require.True(t, d.Connected.Equal(time.Now()))
		require.Equal(t, []agentproto.JSONMessage{&agentproto.GetSysInfo{}, &agentproto.ServerInfo{}}, a.got)

		caps := agentproto.CapDesktop | agentproto.CapConsole
		a.send(t, &agentproto.CoreInfo{Caps: &caps, Value: "core 1", OSDesc: "<b>Linux</b>", PushToken: agentproto.NewSecret("secret")})
		a.send(t, &agentproto.NetInfo{Interfaces: map[agentproto.AgentString][]agentproto.NetAddress{"eth0": {{Address: "192.0.2.7"}}}})
		a.send(t, &agentproto.SysInfo{Data: agentproto.NewSystemData([]byte(`{"hash":"ab12","hardware":{}}`))})
		a.send(t, &agentproto.SysInfo{Data: agentproto.NewSystemData([]byte(`{"hash":"cd34","not a name":1}`))})
		require.NoError(t, a.SendRaw(t.Context(), append([]byte{0, 15}, "rack 5\r\n"...)))
		synctest.Wait()
		d = r.device(t, node)
		require.Equal(t, "core 1", d.Core)
		require.Equal(t, "<b>Linux</b>", d.OS)
		require.Equal(t, "rack 5", d.Tag)
		require.Equal(t, agentproto.CapDesktop|agentproto.CapConsole|agentproto.CapCore, agentproto.Capabilities(d.Capabilities),
			"what the core says does not take away what the login said")
		reports := make(map[sqlstore.ReportKind]string)
		require.NoError(t, r.store.View(t.Context(), func(tx *sqlstore.Tx) error {
			for _, kind := range []sqlstore.ReportKind{sqlstore.CoreReport, sqlstore.NetworkReport, sqlstore.SystemReport} {
				rep, err := tx.Report(node, kind)
				require.NoError(t, err, kind)
				require.True(t, json.Valid(rep.Doc), kind)
				reports[kind] = string(rep.Doc)
			}
			return nil
		}))
		require.NotContains(t, reports[sqlstore.CoreReport], "secret")
		require.Contains(t, reports[sqlstore.NetworkReport], "eth0")
		require.Contains(t, reports[sqlstore.SystemReport], "ab12", "a report that stock servers would not take is not kept either")

		// The hash of what is here goes out with the question, at the next login and when asked for.
		a.got = nil
		a.send(t, &agentproto.SysInfoCheck{})
		require.Equal(t, []agentproto.JSONMessage{&agentproto.GetSysInfo{Hash: "ab12"}}, a.got)
		a.leave()
		a = r.online(t)
		require.Equal(t, []agentproto.JSONMessage{&agentproto.GetSysInfo{Hash: "ab12"}, &agentproto.ServerInfo{}}, a.got)
		require.Equal(t, "front desk", r.device(t, node).Name, "the name is given once")
		a.send(t, &agentproto.CoreInfo{Name: "renamed"})
		require.Equal(t, "renamed", r.device(t, node).Name)
	})
}

func TestWhoMayEnrol(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		other := sqlstore.Group{Key: nodeid.MeshKey{ID: nodeid.MeshID{1}}, Name: "other", Type: sqlstore.AgentGroup}
		local := sqlstore.Group{Key: nodeid.MeshKey{ID: nodeid.MeshID{2}}, Name: "local", Type: sqlstore.LocalGroup}
		put := func(f func(tx *sqlstore.Tx) error) { require.NoError(t, r.store.Update(t.Context(), f)) }
		put(func(tx *sqlstore.Tx) error { return errors.Join(tx.PutGroup(other), tx.PutGroup(local)) })
		into := func(group nodeid.MeshID) func(*agentproto.ClientConfig) {
			return func(c *agentproto.ClientConfig) { c.Group = group }
		}
		_, err := r.connect(t, into(nodeid.MeshID{3}))
		require.ErrorContains(t, err, "no such device group")
		_, err = r.connect(t, into(local.Key.ID))
		require.ErrorContains(t, err, "takes no agents")
		node := agentKey().node()
		r.gone(t, node)

		a := r.online(t)
		a.leave()
		for _, group := range []nodeid.MeshID{other.Key.ID, local.Key.ID, {3}} {
			a, err = r.connect(t, into(group))
			require.NoError(t, err, "a device that is known stays in its group")
			require.Equal(t, r.group.Key, r.device(t, node).Group)
			a.leave()
		}

		d := r.device(t, node)
		d.Group = local.Key
		put(func(tx *sqlstore.Tx) error { return tx.PutDevice(d) })
		_, err = r.connect(t, nil)
		require.ErrorContains(t, err, "takes no agents")
	})
}

func TestEventsOfAFlappingAgent(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		for range 20 {
			a := r.online(t)
			time.Sleep(5 * time.Second)
			a.leave()
			time.Sleep(settle / 2)
		}
		require.Equal(t, []sqlstore.EventKind{sqlstore.DeviceAdded}, r.events(t), "coming and going in quick succession is no event")
		left := r.device(t, agentKey().node()).Disconnected
		time.Sleep(2 * settle)
		synctest.Wait()
		require.Equal(t, []sqlstore.EventKind{sqlstore.DeviceAdded, sqlstore.DeviceDisconnected}, r.events(t))
		require.NoError(t, r.store.View(t.Context(), func(tx *sqlstore.Tx) error {
			events, err := tx.DeviceEvents(agentKey().node(), 1)
			require.Equal(t, left.UnixMilli(), events[0].Time.UnixMilli(), "the event tells when it went")
			require.Equal(t, "computer", events[0].Name)
			require.Equal(t, "192.0.2.7", events[0].Addr)
			require.NotEmpty(t, events[0].Detail)
			return err
		}))
		a := r.online(t)
		a.leave()
		r.close(t)
		require.Equal(t, []sqlstore.EventKind{
			sqlstore.DeviceAdded, sqlstore.DeviceDisconnected, sqlstore.DeviceConnected, sqlstore.DeviceDisconnected,
		}, r.events(t), "a departure that has not settled when the server ends is not lost")
	})
}

func TestAgentThatIsReplaced(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		first := r.online(t)
		second := r.online(t)
		<-first.Done()
		synctest.Wait()
		require.NoError(t, second.Err())
		require.True(t, r.device(t, agentKey().node()).Disconnected.IsZero(), "the device was never away")
		require.Equal(t, []sqlstore.EventKind{sqlstore.DeviceAdded}, r.events(t))
	})
}

func TestTemporaryAgent(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		node := agentKey().node()
		temporary := func(c *agentproto.ClientConfig) {
			c.Capabilities = agentproto.CapConsole | agentproto.CapCore | agentproto.CapTemporary
		}
		_, err := r.connect(t, temporary)
		require.NoError(t, err)
		second, err := r.connect(t, temporary)
		require.NoError(t, err)
		require.True(t, r.device(t, node).Temporary, "it stays when a newer connection took the place of the first")
		second.leave()
		r.gone(t, node)
		require.Equal(t, []sqlstore.EventKind{sqlstore.DeviceAdded, sqlstore.DeviceRemoved}, r.events(t))

		r.online(t).leave()
		a, err := r.connect(t, temporary)
		require.NoError(t, err)
		a.leave()
		require.False(t, r.device(t, node).Temporary, "a device that was enrolled for good is not lost")
	})
}

func TestTemporaryDevicesOfACrash(t *testing.T) {
	store := openTestStore(t)
	group, err := setGroup(t.Context(), store)
	require.NoError(t, err)
	d := sqlstore.Device{Key: nodeid.NodeKey{ID: nodeid.NodeID{1}}, Group: group.Key, Name: "d", Temporary: true}
	require.NoError(t, store.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.PutDevice(d) }))
	require.NoError(t, removeTemporary(t.Context(), store))
	require.ErrorIs(t, store.View(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Device(d.Key)
		return err
	}), sqlstore.ErrNotFound)
}

func TestRecoveryAgentIsNoDevice(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		a, err := r.connect(t, func(c *agentproto.ClientConfig) {
			c.Capabilities = agentproto.CapConsole | agentproto.CapCore | agentproto.CapRecovery
		})
		require.NoError(t, err)
		a.send(t, &agentproto.CoreInfo{Name: "x"})
		require.NoError(t, a.Err())
		r.gone(t, agentKey().node())
		require.Empty(t, a.got)
		a.leave()
		require.Empty(t, r.events(t))
	})
}

func TestShutdownIsNoEventOfDevices(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.online(t)
		time.Sleep(time.Hour)
		r.close(t)
		d := r.device(t, agentKey().node())
		require.True(t, d.Disconnected.Equal(d.Connected.Add(time.Hour)), "when it went is stored")
		require.Equal(t, []sqlstore.EventKind{sqlstore.DeviceAdded}, r.events(t))
	})
}

func TestOneBadChangeDoesNotTakeTheOthersWithIt(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.online(t)
		node := agentKey().node()
		// While the recorder is held up, these become one transaction.
		hold := make(chan struct{})
		r.rules.rec.queue <- change{node, func(*sqlstore.Tx) error { <-hold; return nil }}
		r.rules.rec.changed(nodeid.NodeKey{ID: nodeid.NodeID{9}}, func(*sqlstore.Device) {}) // is not there
		r.rules.rec.changed(node, func(d *sqlstore.Device) { d.Tag = "written" })
		synctest.Wait()
		close(hold)
		synctest.Wait()
		require.Equal(t, "written", r.device(t, node).Tag)
	})
}

func TestDomains(t *testing.T) {
	store := openTestStore(t)
	require.NoError(t, store.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.PutGroup(sqlstore.Group{Key: nodeid.MeshKey{Domain: "customer1", ID: nodeid.MeshID{1}}, Name: "g", Type: sqlstore.AgentGroup})
	}))
	rules := &agents{store: store}
	for path, want := range map[string]string{"": "", "customer1": "customer1", "Customer1": "customer1"} {
		r := (&http.Request{}).WithContext(t.Context())
		r.SetPathValue("domain", path)
		got, err := rules.domain(r)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	r := (&http.Request{}).WithContext(t.Context())
	r.SetPathValue("domain", "customer2")
	_, err := rules.domain(r)
	require.ErrorIs(t, err, sqlstore.ErrNotFound)
}
