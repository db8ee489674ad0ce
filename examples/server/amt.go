package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
)

// amt is the devices with Intel AMT that call in: by themselves at the port of -mps, and passed on by agents and MeshCmd at
// /apf.ashx. It says who they are; package mps does the rest.
type amt struct {
	*site
	records  *controlserver.Server
	rec      *recorder
	server   *mps.Server
	listener net.Listener // nil: there is no port
	uuids    uuids
}

// listenMPS opens the port, if there is one.
func listenMPS(ctx context.Context, cfg config) (net.Listener, error) {
	if cfg.MPS == "" {
		return nil, nil //nolint:nilnil // none
	}
	listen := net.ListenConfig{KeepAlive: -1} // APF has its own
	ln, err := listen.Listen(ctx, "tcp", cfg.MPS)
	if err != nil {
		return nil, fmt.Errorf("-mps: %w", err)
	}
	return ln, nil
}

// open makes the server, once the rest is there.
func (a *amt) open(s *server) (err error) {
	a.records, a.rec = s.records, s.recorder
	cfg := mps.Config{
		Authenticate: a.authenticate, Domain: s.rules.domain,
		CheckOrigin:    func(*http.Request) bool { return true }, // the handler around it does
		TrustedProxies: a.cfg.TrustedProxies, Profile: a.cfg.MPSProfile,
		Logger: a.log, Trace: &mps.Trace{Event: a.event, Control: a.control},
	}
	if !a.cfg.File.MPSOffload {
		cfg.Certificates = []tls.Certificate{a.identity.mps}
	}
	a.server, err = mps.NewServer(cfg)
	return err
}

// serve answers devices until Shutdown.
func (a *amt) serve() {
	if a.listener == nil {
		return
	}
	if err := a.server.Serve(context.Background(), a.listener); !errors.Is(err, mps.ErrShutdown) {
		a.log.Error("no more AMT devices are taken", "reason", err)
	}
}

// useMPSCertificate takes the certificate that AMT devices are shown.
func (id *identity) useMPSCertificate(set *certs.ServerSet) {
	id.mps = set.MPS.TLSCertificate()
	id.mpsName = set.MPS.CommonName()
}

// authenticate says who a device is. A user name that is the start of a group's id lets it claim any UUID, as on a stock
// server, unless config.json has a password or the record of the device has one (mpsserver.js, USERAUTH_REQUEST).
func (a *amt) authenticate(ctx context.Context, l *mps.Login) (mps.Identity, error) {
	switch {
	case l.User == mps.TunnelUser:
		return a.byCookie(ctx, l)
	case l.Method == "":
		return a.byCertificate(ctx, l)
	}
	return a.byGroup(ctx, l)
}

// byCookie takes an agent that has asked for a login, see answerAMTConfig.
func (a *amt) byCookie(ctx context.Context, l *mps.Login) (id mps.Identity, err error) {
	codec := &controlproto.CookieCodec{Key: a.loginKey, Encoding: a.cfg.File.CookieEncoding}
	c, err := codec.Decode(l.Password.Reveal(), controlproto.CookieAgeDefault)
	if err != nil {
		return id, err
	}
	if c.Purpose != apfCookie {
		return id, errors.New("a cookie for something else")
	}
	if id.Device, err = c.AgentNode.DeviceKey(); err != nil {
		return id, err
	}
	return id, a.store.View(ctx, func(tx controlserver.StoreTx) error {
		d, err := deviceRecord(tx, c.AgentNode)
		if err == nil {
			_, err = groupRecord(tx, d.Group)
		}
		return err
	})
}

// apfCookie is the purpose of cookies for /apf.ashx.
const apfCookie = "apf"

// byCertificate takes a device whose client certificate names a group, of the default domain and without agents.
func (a *amt) byCertificate(ctx context.Context, l *mps.Login) (id mps.Identity, err error) {
	mesh, err := mps.CertificateGroup(l.Certificate)
	if err != nil {
		return id, err
	}
	if id.Device.ID, err = mps.CertificateNodeID(l.Certificate); err != nil {
		return id, err
	}
	group := controlproto.DeviceGroupID(nodeid.MeshKey{ID: mesh})
	d := a.newDevice(l, id.Device, group, controlproto.GroupAMT)
	d.Name = strings.ToValidUTF8(l.Certificate.Subject.CommonName, "")
	return id, a.admit(ctx, l, d)
}

// byGroup takes a device that knows the start of a group's id.
func (a *amt) byGroup(ctx context.Context, l *mps.Login) (id mps.Identity, err error) {
	if want := a.cfg.File.MPSPassword; want.Reveal() != "" && !l.PasswordIs(want) {
		return id, errors.New("wrong password")
	}
	if l.UUID == (nodeid.UUID{}) || l.UUID == noUUID {
		return id, errors.New("the machine has no UUID")
	}
	group, err := a.groupOf(ctx, l.User)
	if err != nil {
		return id, err
	}
	id.Device = nodeid.NodeKey{Domain: group.Domain, ID: nodeid.FromUUID(l.UUID)}
	if group.GroupType == controlproto.GroupAgent {
		if key, ok, err := a.uuids.find(ctx, a.store, group.Domain, l.UUID); err != nil {
			return id, err
		} else if ok {
			id.Device = key
		}
	}
	return id, a.admit(ctx, l, a.newDevice(l, id.Device, group.ID, group.GroupType))
}

// noUUID is what some machines have in place of a UUID.
var noUUID = nodeid.UUID{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// groupOf finds the device group of a user name, in any domain.
func (a *amt) groupOf(ctx context.Context, user string) (g *controlproto.DeviceGroup, err error) {
	if len(user) != mps.GroupUserSize {
		return nil, errors.New("the user name has not 16 characters")
	}
	err = a.store.View(ctx, func(tx controlserver.StoreTx) error {
		records, err := tx.List(controlserver.KindDeviceGroup, controlserver.Query{})
		if err != nil {
			return err
		}
		for _, r := range records {
			key, err := controlproto.ID(r.ID).DeviceGroupKey()
			if err != nil || !mps.MatchesGroup(user, key.ID) {
				continue
			}
			found, err := groupRecord(tx, controlproto.ID(r.ID))
			if errors.Is(err, controlserver.ErrNotFound) {
				continue // removed
			}
			if err != nil {
				return err
			}
			if found.GroupType == controlproto.GroupAMT || found.GroupType == controlproto.GroupAgent {
				g = found
				return nil
			}
		}
		return errors.New("there is no such device group")
	})
	return g, err
}

// admit checks a device that is known, and enrols one that is not.
func (a *amt) admit(ctx context.Context, l *mps.Login, d *controlproto.Device) error {
	check := func(known *controlproto.Device) error {
		if l.Kind != mps.CIRA || l.Method == "" || known.AMT == nil || a.cfg.File.MPSPassword.Reveal() != "" {
			return nil
		}
		if want := known.AMT.MPSPass.Reveal(); want != "" && !l.PasswordIs(mps.NewSecret(want)) {
			return errors.New("wrong password: the device was given another")
		}
		return nil
	}
	err := a.store.View(ctx, func(tx controlserver.StoreTx) error {
		known, err := deviceRecord(tx, d.ID)
		if err != nil {
			return err
		}
		return check(known)
	})
	if !errors.Is(err, controlserver.ErrNotFound) {
		return err
	}
	if l.Method == "" && d.MeshType == controlproto.GroupAMT { // the certificate claims a group
		err := a.store.View(ctx, func(tx controlserver.StoreTx) error {
			g, err := groupRecord(tx, d.Group)
			if err == nil && g.GroupType != controlproto.GroupAMT {
				err = errors.New("the device group is for agents")
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("the certificate's device group: %w", err)
		}
	}
	return a.records.Update(ctx, func(tx *controlserver.Tx) error {
		_, err := tx.Enrol(d)
		return err
	})
}

// deviceRecord reads a device, or returns controlserver.ErrNotFound.
func deviceRecord(tx controlserver.StoreTx, id controlproto.ID) (*controlproto.Device, error) {
	r, err := tx.Get(controlserver.KindDevice, string(id))
	if err != nil {
		return nil, err
	}
	d := &controlproto.Device{}
	if err := jsonrec.Unmarshal(r.Doc, d); err != nil {
		return nil, fmt.Errorf("device %s: %w", id, err)
	}
	return d, nil
}

// newDevice is the record of a device that calls in for the first time. Other than on a stock server its address is not
// looked up in the DNS.
func (a *amt) newDevice(l *mps.Login, key nodeid.NodeKey, group controlproto.ID, kind controlproto.GroupType) *controlproto.Device {
	addr := l.Peer.Addr.Addr().String()
	d := &controlproto.Device{
		Type: controlproto.KindDevice, ID: controlproto.DeviceID(key), Domain: key.Domain, Group: group, MeshType: kind,
		Icon: controlproto.IconDesktop, IP: addr, FirstConnect: time.Now(),
		AMT: &controlproto.DeviceAMT{State: new(2), TLS: new(0)},
	}
	if !a.cfg.File.WANOnly {
		d.Host = addr
	}
	if kind == controlproto.GroupAgent {
		d.Name, d.Agent, d.AMT.UUID = addr, &controlproto.DeviceAgent{Version: new(0)}, l.UUID.String()
	}
	return d
}

// answerAMTConfig gives an agent the login with which it can pass on the AMT of its machine (meshagent.js, case
// 'amtconfig').
func (a *amt) answerAMTConfig(ctx context.Context, s *agentproto.Session) error {
	id := controlproto.DeviceID(s.NodeKey())
	var group controlproto.ID
	err := a.store.View(ctx, func(tx controlserver.StoreTx) error {
		d, err := deviceRecord(tx, id)
		if err == nil {
			group = d.Group
		}
		return err
	})
	if err != nil {
		return err
	}
	codec := &controlproto.CookieCodec{Key: a.loginKey, Encoding: a.cfg.File.CookieEncoding}
	cookie, err := codec.Encode(controlproto.Cookie{Purpose: apfCookie, AgentNode: id, AgentGroup: group})
	if err != nil {
		return err
	}
	return s.Send(ctx, &agentproto.AMTConfig{User: mps.TunnelUser, Pass: agentproto.NewSecret(cookie.Reveal())})
}

// uuids is which devices with agents have which UUID, as their agents have reported. It is read again when a UUID is not in
// it, though not for every one of many that are strangers.
type uuids struct {
	mu    sync.Mutex
	read  time.Time
	known map[domainUUID]nodeid.NodeKey
}

type domainUUID struct{ domain, uuid string }

const uuidsFor = 5 * time.Second

func (u *uuids) find(ctx context.Context, store controlserver.Store, domain string, uuid nodeid.UUID) (key nodeid.NodeKey, ok bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := domainUUID{domain, uuid.String()}
	if key, ok = u.known[at]; ok {
		err = store.View(ctx, func(tx controlserver.StoreTx) error {
			d, err := deviceRecord(tx, controlproto.DeviceID(key))
			if errors.Is(err, controlserver.ErrNotFound) || err == nil && (d.AMT == nil || !strings.EqualFold(d.AMT.UUID, at.uuid)) {
				ok, err = false, nil
			}
			return err
		})
		if ok || err != nil {
			return key, ok, err
		}
		delete(u.known, at)
		u.read = time.Time{}
	}
	if time.Since(u.read) < uuidsFor {
		return key, false, nil
	}
	known := make(map[domainUUID]nodeid.NodeKey)
	err = store.View(ctx, func(tx controlserver.StoreTx) error {
		records, err := tx.List(controlserver.KindDevice, controlserver.Query{})
		for _, r := range records {
			var d controlproto.Device
			if err := jsonrec.Unmarshal(r.Doc, &d); err != nil {
				return fmt.Errorf("device %s: %w", r.ID, err)
			}
			if d.AMT == nil || d.AMT.UUID == "" || d.MeshType != controlproto.GroupAgent {
				continue
			}
			if key, err := d.ID.DeviceKey(); err == nil {
				known[domainUUID{key.Domain, strings.ToLower(d.AMT.UUID)}] = key
			}
		}
		return err
	})
	if err != nil {
		return key, false, err
	}
	u.known, u.read = known, time.Now()
	key, ok = known[at]
	return key, ok, nil
}

// mpsAddress is where AMT devices are told to connect, for people to read.
func (a *amt) address() string {
	if a.listener == nil {
		return ""
	}
	_, port, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return a.listener.Addr().String()
	}
	return net.JoinHostPort(cmp.Or(a.identity.mpsName, "127.0.0.1"), port)
}
