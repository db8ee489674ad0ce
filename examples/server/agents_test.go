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
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
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
	store   *sqlstore.Store
	records *controlserver.Server
	rules   *agents
	server  *agentproto.Server
	group   *controlproto.DeviceGroup
	id      nodeid.ServerID
	closed  bool
	// admitted is called when an agent was let in, before anything is recorded; may be nil.
	admitted func()
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
		who := &online{}
		r.records, err = controlserver.New(controlserver.Config{Store: store, Presence: who, Router: who})
		require.NoError(t, err)
		if r.group, err = setGroup(t.Context(), store, r.records); err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		rec := &recorder{
			records: r.records, feed: &web.Feed{}, log: log, trim: func(time.Time) error { return nil },
			online: func(k nodeid.NodeKey) (*agentproto.Session, bool) { return r.server.Session(k) },
		}
		rec.begin()
		r.rules = &agents{store: store, records: r.records, rec: rec, online: who, log: log}
		r.server, err = agentproto.NewServer(agentproto.ServerConfig{
			Identities: []*agentproto.ServerIdentity{identity},
			WebHashes:  func(string) []agentproto.Hash { return []agentproto.Hash{webHash} },
			Login:      r.rules.login, Core: r.rules.core,
		})
		require.NoError(t, err)
		who.agents = r.server
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
		r.records.Close()
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
		Certificate: agentKey().der, Signer: agentKey().signer, Group: must(r.group.ID.DeviceGroupKey()).ID, Name: "computer",
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
			if r.admitted != nil {
				r.admitted()
			}
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

// record reads a record of the store.
func record[T any](t *testing.T, store controlserver.Store, kind controlserver.Kind, id controlproto.ID) *T {
	t.Helper()
	v := new(T)
	require.NoError(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, string(id))
		if err != nil {
			return err
		}
		return jsonrec.Unmarshal(r.Doc, v)
	}), id)
	return v
}

// absent wants a record not to be there.
func absent(t *testing.T, store controlserver.Store, kind controlserver.Kind, id controlproto.ID) {
	t.Helper()
	require.ErrorIs(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
		_, err := tx.Get(kind, string(id))
		return err
	}), controlserver.ErrNotFound)
}

func (r *rig) device(t *testing.T, key nodeid.NodeKey) *controlproto.Device {
	t.Helper()
	return record[controlproto.Device](t, r.store, controlserver.KindDevice, controlproto.DeviceID(key))
}

func (r *rig) last(t *testing.T, key nodeid.NodeKey) *controlproto.LastConnect {
	t.Helper()
	return record[controlproto.LastConnect](t, r.store, controlserver.KindLastConnect, controlproto.DeviceID(key))
}

func (r *rig) gone(t *testing.T, key nodeid.NodeKey) {
	t.Helper()
	absent(t, r.store, controlserver.KindDevice, controlproto.DeviceID(key))
}

// log returns the events that match, the newest first.
func (r *rig) log(t *testing.T, q controlserver.EventQuery) (list []controlproto.Event) {
	t.Helper()
	require.NoError(t, r.store.View(t.Context(), func(tx controlserver.StoreTx) error {
		events, err := tx.Events(q)
		for _, logged := range events {
			var e controlproto.Event
			if err := jsonrec.Unmarshal(logged.Doc, &e); err != nil {
				return err
			}
			list = append(list, e)
		}
		return err
	}))
	return list
}

// events returns the actions of all events, the oldest first.
func (r *rig) events(t *testing.T) (actions []string) {
	t.Helper()
	for _, e := range r.log(t, controlserver.EventQuery{}) {
		actions = append([]string{e.Action}, actions...)
	}
	return actions
}

func TestEnrolAndReport(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		a, err := r.connect(t, func(c *agentproto.ClientConfig) {
			c.PreferredName, c.Platform = "front desk", agentproto.PlatformLaptop
		})
		require.NoError(t, err)
		node := agentKey().node()
		d := r.device(t, node)
		require.Equal(t, r.group.ID, d.Group)
		require.Equal(t, "front desk", d.Name)
		require.Equal(t, "computer", d.RName)
		require.Equal(t, "192.0.2.7", d.IP)
		require.Equal(t, controlproto.IconLaptop, d.Icon)
		require.Equal(t, controlproto.GroupAgent, d.MeshType)
		require.True(t, d.FirstConnect.Equal(time.Now()))
		last := r.last(t, node)
		require.True(t, last.Time.Equal(time.Now()))
		require.Equal(t, 1, last.Cause)
		shown, err := r.records.Device(t.Context(), controlproto.DeviceID(node))
		require.NoError(t, err)
		require.Equal(t, controlproto.ConnAgent, shown.Conn)
		require.Equal(t, controlproto.PowerOn, shown.Power)
		require.True(t, shown.AgentSince.Equal(time.Now()))
		require.Equal(t, []agentproto.JSONMessage{&agentproto.GetSysInfo{}, &agentproto.ServerInfo{}}, a.got)

		caps := agentproto.CapDesktop | agentproto.CapConsole
		a.send(t, &agentproto.CoreInfo{Caps: &caps, Value: "core 1", OSDesc: "<b>Linux</b>", PushToken: agentproto.NewSecret("secret")})
		a.send(t, &agentproto.NetInfo{Interfaces: map[agentproto.AgentString][]agentproto.NetAddress{"eth0": {{Address: "192.0.2.7"}}}})
		a.send(t, &agentproto.SysInfo{Data: agentproto.NewSystemData([]byte(`{"hash":"ab12","hardware":{}}`))})
		a.send(t, &agentproto.SysInfo{Data: agentproto.NewSystemData([]byte(`{"hash":"cd34","not a name":1}`))})
		require.NoError(t, a.SendRaw(t.Context(), append([]byte{0, 15}, "rack 5\r\n"...)))
		synctest.Wait()
		d = r.device(t, node)
		require.Equal(t, "core 1", d.Agent.Core)
		require.Equal(t, "<b>Linux</b>", d.OSDesc)
		require.Equal(t, "rack 5", d.Agent.Tag)
		require.Equal(t, agentproto.CapDesktop|agentproto.CapConsole|agentproto.CapCore, agentproto.Capabilities(d.Agent.Caps),
			"what the core says does not take away what the login said")
		require.NotContains(t, string(must(jsonrec.Append(nil, d))), "secret", "a permission that nothing here uses is not kept")
		network := record[controlproto.NetworkInfo](t, r.store, controlserver.KindNetwork, d.ID)
		require.Equal(t, "192.0.2.7", network.Interfaces["eth0"][0].Address)
		require.True(t, network.Updated.Equal(time.Now()))
		system := record[controlproto.SysInfo](t, r.store, controlserver.KindSystem, d.ID)
		require.Equal(t, "ab12", system.Hash, "a report that stock servers would not take is not kept either")
		require.True(t, system.Time.Equal(time.Now()))

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

func newGroup(number byte, name string, typ controlproto.GroupType) *controlproto.DeviceGroup {
	return &controlproto.DeviceGroup{
		Type: controlproto.KindDeviceGroup, ID: controlproto.DeviceGroupID(nodeid.MeshKey{ID: nodeid.MeshID{number}}), Name: name, GroupType: typ,
	}
}

func TestWhoMayEnrol(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		other := newGroup(1, "other", controlproto.GroupAgent)
		local := newGroup(2, "local", controlproto.GroupLocal)
		removed := newGroup(4, "removed", controlproto.GroupAgent)
		removed.Deleted = json.RawMessage(`"2026-01-02T03:04:05.678Z"`)
		put := func(f func(tx *controlserver.Tx) error) { require.NoError(t, r.records.Update(t.Context(), f)) }
		put(func(tx *controlserver.Tx) error {
			return errors.Join(tx.AddGroup(other), tx.AddGroup(local), tx.AddGroup(removed))
		})
		into := func(group nodeid.MeshID) func(*agentproto.ClientConfig) {
			return func(c *agentproto.ClientConfig) { c.Group = group }
		}
		_, err := r.connect(t, into(nodeid.MeshID{3}))
		require.ErrorContains(t, err, "no such device group")
		_, err = r.connect(t, into(nodeid.MeshID{4}))
		require.ErrorContains(t, err, "no such device group")
		_, err = r.connect(t, into(nodeid.MeshID{2}))
		require.ErrorContains(t, err, "takes no agents")
		node := agentKey().node()
		r.gone(t, node)

		a := r.online(t)
		a.leave()
		for _, group := range []nodeid.MeshID{{1}, {2}, {3}} {
			a, err = r.connect(t, into(group))
			require.NoError(t, err, "a device that is known stays in its group")
			require.Equal(t, r.group.ID, r.device(t, node).Group)
			a.leave()
		}

		put(func(tx *controlserver.Tx) error {
			return tx.EditDevice(controlproto.DeviceID(node), func(d *controlproto.Device) error {
				d.Group = local.ID
				return nil
			})
		})
		_, err = r.connect(t, nil)
		require.ErrorContains(t, err, "takes no agents")
	})
}

// An agent whose device group is removed between its login and its enrolment is not left online without a record.
func TestGroupRemovedDuringLogin(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		before := r.events(t)
		r.admitted = func() {
			assert.NoError(t, r.records.Update(t.Context(), func(tx *controlserver.Tx) error {
				return tx.EditGroup(r.group.ID, func(g *controlproto.DeviceGroup) error {
					g.Deleted = json.RawMessage(`"2026-01-02T03:04:05.678Z"`)
					return nil
				})
			}))
		}
		a, err := r.connect(t, nil)
		require.NoError(t, err, "the login was in time")
		require.ErrorContains(t, a.Err(), groupGone)
		_, online := r.server.Session(agentKey().node())
		require.False(t, online)
		r.gone(t, agentKey().node())
		absent(t, r.store, controlserver.KindLastConnect, controlproto.DeviceID(agentKey().node()))
		require.NotContains(t, r.events(t)[len(before):], "addnode")
		r.admitted = nil
		_, err = r.connect(t, nil)
		require.ErrorContains(t, err, "no such device group")
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
		require.Equal(t, []string{"addnode"}, r.events(t), "coming and going in quick succession is no event")
		left := r.last(t, agentKey().node())
		require.Zero(t, left.Cause)
		time.Sleep(2 * settle)
		synctest.Wait()
		require.Equal(t, []string{"addnode", deviceDisconnected}, r.events(t))
		e := r.log(t, controlserver.EventQuery{Device: agentKey().node().String(), Targets: []string{toPages}, Limit: 1})[0]
		require.Equal(t, `"`+left.Time.UTC().Format(time.RFC3339Nano)+`"`, string(e.Extra["at"]), "the event tells when it went")
		require.Equal(t, `"computer"`, string(e.Extra["name"]))
		require.Equal(t, `"192.0.2.7"`, string(e.Extra["addr"]))
		require.NotEmpty(t, e.Extra["detail"])
		a := r.online(t)
		a.leave()
		r.close(t)
		require.Equal(t, []string{"addnode", deviceDisconnected, deviceConnected, deviceDisconnected}, r.events(t),
			"a departure that has not settled when the server ends is not lost")
		power := record[controlserver.PowerLog](t, r.store, controlserver.KindPower, controlproto.DeviceID(agentKey().node()))
		require.Len(t, power.Changes, 4)
		require.Equal(t, controlproto.PowerOn, power.Changes[2].Power)
		require.Equal(t, left.Time.UnixMilli(), power.Changes[1].Time.UnixMilli())
	})
}

func TestAgentThatIsReplaced(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		first := r.online(t)
		second := r.online(t)
		<-first.Done()
		synctest.Wait()
		require.NoError(t, second.Err())
		require.Equal(t, 1, r.last(t, agentKey().node()).Cause, "the device was never away")
		require.Equal(t, []string{"addnode"}, r.events(t))
	})
}

func TestTemporaryAgent(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		node := agentKey().node()
		asTemporary := func(c *agentproto.ClientConfig) {
			c.Capabilities = agentproto.CapConsole | agentproto.CapCore | agentproto.CapTemporary
		}
		_, err := r.connect(t, asTemporary)
		require.NoError(t, err)
		second, err := r.connect(t, asTemporary)
		require.NoError(t, err)
		require.NotZero(t, r.device(t, node).Agent.Caps&temporary, "it stays when a newer connection took the place of the first")
		second.leave()
		r.gone(t, node)
		require.Equal(t, []string{"addnode", "removenode"}, r.events(t))

		r.online(t).leave()
		a, err := r.connect(t, asTemporary)
		require.NoError(t, err)
		a.leave()
		require.Zero(t, r.device(t, node).Agent.Caps&temporary, "a device that was enrolled for good is not lost")
	})
}

// TestGroupOptions has a group whose devices are called as they call themselves, and one whose devices go when they leave.
func TestGroupOptions(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		set := func(flags controlproto.GroupFlags) {
			require.NoError(t, r.records.Update(t.Context(), func(tx *controlserver.Tx) error {
				return tx.EditGroup(r.group.ID, func(g *controlproto.DeviceGroup) error {
					g.Flags = flags
					return nil
				})
			}))
		}
		node := agentKey().node()
		named := func(c *agentproto.ClientConfig) { c.Name, c.PreferredName = "renamed", "preferred" }
		r.online(t).leave()
		for _, step := range []struct {
			flags controlproto.GroupFlags
			want  string
		}{
			{0, "computer"}, {controlproto.GroupHostnameSync, "renamed"}, {controlproto.GroupHostnameSync | controlproto.GroupPreferAgentName, "preferred"},
		} {
			set(step.flags)
			a, err := r.connect(t, named)
			require.NoError(t, err)
			require.Equal(t, step.want, r.device(t, node).Name)
			require.Equal(t, "renamed", r.device(t, node).RName)
			a.leave()
		}
		set(controlproto.GroupAutoRemove)
		r.online(t).leave()
		r.gone(t, node)
	})
}

func TestTemporaryDevicesOfACrash(t *testing.T) {
	store, records := openTestRecords(t)
	group, err := setGroup(t.Context(), store, records)
	require.NoError(t, err)
	d := &controlproto.Device{ID: "node//x", Group: group.ID, Name: "d", Agent: &controlproto.DeviceAgent{Caps: temporary}}
	stays := &controlproto.Device{ID: "node//y", Group: group.ID, Name: "e"}
	require.NoError(t, records.Update(t.Context(), func(tx *controlserver.Tx) error {
		return errors.Join(tx.AddDevice(d), tx.AddDevice(stays))
	}))
	require.NoError(t, removeTemporary(t.Context(), store, records))
	absent(t, store, controlserver.KindDevice, d.ID)
	require.Equal(t, "e", record[controlproto.Device](t, store, controlserver.KindDevice, stays.ID).Name)
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
		last := r.last(t, agentKey().node())
		require.True(t, last.Time.Equal(time.Now()), "when it went is stored")
		require.Zero(t, last.Cause)
		require.Equal(t, []string{"addnode"}, r.events(t))
	})
}

func TestOneBadChangeDoesNotTakeTheOthersWithIt(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.online(t)
		node := agentKey().node()
		// While the recorder is held up, these become one transaction.
		hold := make(chan struct{})
		r.rules.rec.queue <- change{key: node, apply: func(*controlserver.Tx) error { <-hold; return nil }}
		r.rules.rec.changed(nodeid.NodeKey{ID: nodeid.NodeID{9}}, func(*controlproto.Device) {}) // is not there
		r.rules.rec.changed(node, func(d *controlproto.Device) { d.Agent.Tag = "written" })
		synctest.Wait()
		close(hold)
		synctest.Wait()
		require.Equal(t, "written", r.device(t, node).Agent.Tag)
	})
}

// TestAgentsOfDomains asks for the domain of an agent by the path and by the name of the server.
func TestAgentsOfDomains(t *testing.T) {
	ts := tenants{"": {}, "customer1": byPath("customer1"), "customer2": byName("customer2", "mesh.example.com")}
	mux := http.NewServeMux()
	rules := &agents{}
	var got string
	var err error
	for _, prefix := range []string{"", "/{domain}"} {
		mux.HandleFunc("GET "+prefix+"/agent.ashx", func(_ http.ResponseWriter, r *http.Request) { got, err = rules.domain(r) })
	}
	for address, want := range map[string]string{
		"https://server/agent.ashx": "", "https://server/customer1/agent.ashx": "customer1", "https://server:444/Customer1/agent.ashx": "customer1",
		"https://MESH.example.com:8443/agent.ashx": "customer2", "https://server/customer3/agent.ashx": "none", "https://server/customer2/agent.ashx": "none",
	} {
		err = errors.New("not asked")
		ts.handler(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", address, nil))
		if want == "none" {
			require.ErrorIs(t, err, errNoDomain, address)
			continue
		}
		require.NoError(t, err, address)
		require.Equal(t, want, got, address)
	}
}

func byPath(id string) *tenant { return &tenant{Domain: controlserver.Domain{ID: id}} }

func byName(id, dns string) *tenant { return &tenant{Domain: controlserver.Domain{ID: id}, DNS: dns} }
